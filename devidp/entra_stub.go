package devidp

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const (
	EntraTenant      = "6b2d7482-fa0f-42a3-bd16-ffa7df2814e0"
	EntraDomain      = "dev.example"
	EntraGuestTenant = "55e4386d-ea0d-4879-9908-5f2ce7a4571f"
	EntraGuestDomain = "guests.example"
	EntraAPI         = "576f67e2-e7e9-4ada-892a-b07d3c438e9e"
	EntraAPIURI      = "api://" + EntraAPI
	EntraCLI         = "40501dc2-70f8-4357-b901-9e44d8c78576"
	EntraWeb         = "41caa95e-28a1-4ba7-8ac8-52c78a0e35d5"
	EntraService     = "09ebe3d5-9334-40df-9d3f-1210d8e7d343"
)

type api struct {
	id      string
	version int
}

var errStub = errors.New("devidp: the entra character is not built yet")
var refuseBlocked = refusal{}

func apps(o Options) []*api { return []*api{{}} }
func (s *Server) issuerOf(tid string, v int) string {
	return s.base + "/" + tid + "/v" + strconv.Itoa(v) + ".0"
}
func (s *Server) entraError(r *http.Request, no *refused) *oauth.Error { return no.oauth() }
func (s *Server) entraRoutes(mux *http.ServeMux)                       {}
func (s *Server) entraClaims(g *grant, t target, now, exp time.Time) (a, b map[string]any) {
	return nil, nil
}
func (s *Server) entraIDClaims(g *grant, now time.Time, access string) map[string]any { return nil }
func (s *Server) entraAudiences(r *http.Request) []string                             { return nil }
func (s *Server) entraTarget(r *http.Request, g *grant, f url.Values, strict bool) (t target, err error) {
	return t, errStub
}
func (s *Server) entraServiceTarget(r *http.Request, g *grant, f url.Values) (t target, err error) {
	return t, errStub
}
func (s *Server) readEntraRequest(r *http.Request, f url.Values, in *interaction) error {
	return errStub
}
func (s *Server) entraAdmit(u *user, path string, c *client, asked []string) (string, []string, error) {
	return "", nil, errStub
}
func (s *Server) entraAskable(r *http.Request, f url.Values, c *client) ([]string, error) {
	return nil, errStub
}
func (s *Server) entraDeviceAnswer(a map[string]any, d *device) {}
func (s *Server) entraUserinfo(w http.ResponseWriter, r *http.Request, token string, t *issued, ok bool) {
}
func (s *Server) redeemOnBehalf(r *http.Request, c *client, f url.Values) (map[string]any, error) {
	return nil, errStub
}
func entraLifetime(bool) time.Duration               { return time.Hour }
func swapNonce(h, a, b string) string                { return h }
func pairwise(u *user, tenant, client string) string { return "" }
