package devidp

import (
	"net/http"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// serveUserinfo says who the person behind a token is (OpenID Connect Core, section 5.3).
func (s *Server) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	s.faults.count("userinfo")
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	token, ok := bearerToken(r)
	if !ok { // RFC 6750, section 3: no token, no error code
		w.Header().Set("WWW-Authenticate", `Bearer realm="development only"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if s.entra() {
		s.entraUserinfo(w, r, token)
		return
	}
	record, ok := s.active(token)
	switch {
	case !ok || record.user == nil:
		s.refuseBearer(w, r, refuseTokenGiven.of())
	case !hasScope(record.scopes, "openid"):
		s.refuseBearer(w, r, refuseTokenScope.of())
	default:
		out := record.user.released(record.scopes)
		out["sub"] = record.user.subject()
		writeSecret(w, http.StatusOK, out)
	}
}

// refuseBearer answers with a challenge (RFC 6750, section 3).
func (s *Server) refuseBearer(w http.ResponseWriter, r *http.Request, err *refused) {
	e := s.said(r, err)
	challenge := `Bearer realm="development only", error="` + e.Code + `", error_description="` + plain(e.Description) + `"`
	if e.Code == oauth.CodeInsufficientScope {
		challenge += `, scope="openid"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	s.fail(w, r, err)
}

// bearerToken reads the token from the Authorization header, the only place for it (RFC 6750, section 2.1).
func bearerToken(r *http.Request) (string, bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != "" && len(token) <= maxToken
}
