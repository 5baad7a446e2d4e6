package bearer_test

import (
	"net/http"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"net/http/httptest"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func TestProtect(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	var id *identity.Identity
	var info *auth.TokenInfo
	h := g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, info = identity.FromContext(r.Context()), auth.TokenInfoFromContext(r.Context())
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(sign(t, i.good(), signer{})))
	if w.Code != 200 || id == nil || info == nil {
		t.Fatalf("status %d, identity %v, SDK %v: %s", w.Code, id, info, w.Body)
	}
	if id.Subject != "alice" || id.Kind != identity.Person || info.UserID != id.Key() {
		t.Errorf("identity %+v, SDK %+v", id, info)
	}
}
