package devidp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// stepUpPolicy is the policy that a step-up names, so that signing in again can meet it.
const stepUpPolicy = "4bf00a73-7c31-40f4-8289-a48599ea5ba5"

// readClaimsParameter reads the claims of an authorization or token request (claims-challenge): whether the client
// handles claims challenges (xms_cc with cp1), and whether it answers one that asks for a policy to be met.
func readClaimsParameter(raw string) (capable, stepped bool, err error) {
	if raw == "" {
		return false, false, nil
	}
	var c struct {
		AccessToken struct {
			Capabilities struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
			Policies struct {
				Values []string `json:"values"`
			} `json:"capolids"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(raw), &c); err != nil {
		return false, false, refuseMalformed.because(err, "the claims parameter is not a JSON object")
	}
	return slices.Contains(c.AccessToken.Capabilities.Values, "cp1"), slices.Contains(c.AccessToken.Policies.Values, stepUpPolicy), nil
}

// stepUpClaims is what a client must send along to meet the policy.
func stepUpClaims() string {
	return `{"access_token":{"capolids":{"essential":true,"values":["` + stepUpPolicy + `"]}}}`
}

// entraUserinfo answers as Microsoft Graph's endpoint does: to tokens for Graph only. A token of a client that handles
// claims challenges is challenged as soon as its person's sign-ins were revoked; any other token stays good for its
// time (claims-challenge, continuous access evaluation).
func (s *Server) entraUserinfo(w http.ResponseWriter, r *http.Request, token string) {
	_, _, err := s.verified(token)
	s.mu.Lock()
	record, known := s.tokens.get(hashed(token), s.now())
	good := err == nil && known && !record.revoked && record.user != nil && s.clock().Before(record.expires)
	s.mu.Unlock()
	capable := good && record.claims["xms_cc"] != nil
	switch {
	case !good || !slices.ContainsFunc(record.audience, func(a string) bool { return a == EntraGraph || a == EntraGraphURI }):
		s.refuseBearer(w, r, refuseTokenGiven.of())
	case capable && (s.isDisabled(record.user) || s.faults.signInsRevoked(record.user.id, record.grant.authTime)):
		w.Header().Set("WWW-Authenticate", s.ClaimsChallenge())
		oauth.WriteError(w, &oauth.Error{Status: http.StatusUnauthorized, Code: "insufficient_claims", Description: "sign in again with these claims"})
	case !hasScope(record.scopes, "openid"):
		s.refuseBearer(w, r, refuseTokenScope.of())
	default:
		writeSecret(w, http.StatusOK, s.entraProfile(record))
	}
}

// ClaimsChallenge is the WWW-Authenticate header with which a resource refuses a token that was issued before now and
// asks for a fresh one (claims-challenge). It makes sense with the Entra character only.
func (s *Server) ClaimsChallenge() string {
	claims := `{"access_token":{"nbf":{"essential":true,"value":"` + strconv.FormatInt(s.clock().Unix(), 10) + `"}}}`
	return fmt.Sprintf(`Bearer realm="", authorization_uri="%s/common/oauth2/v2.0/authorize", error="insufficient_claims", claims="%s"`,
		s.base, base64.StdEncoding.EncodeToString([]byte(claims)))
}
