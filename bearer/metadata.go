package bearer

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const wellKnown = "/.well-known/oauth-protected-resource" // RFC 9728, section 3

// compose writes the metadata document once; it does not change.
func (g *Guard) compose() (err error) {
	g.document, err = json.Marshal(oauth.ResourceMetadata{
		Resource:               g.cfg.Resource,
		AuthorizationServers:   g.servers,
		ScopesSupported:        g.scopes,
		BearerMethodsSupported: []string{"header"},
		ResourceName:           g.cfg.Name,
		ResourceDocumentation:  g.cfg.Documentation,
	})
	return err
}

// MetadataURL is where the metadata stands, as challenges name it.
func (g *Guard) MetadataURL() string { return g.metaURL }

// Metadata serves the protected resource metadata (RFC 9728, section 3) to anyone, from any origin: it is public, and
// clients in browsers read it before they have a token. See [Guard.Publish] for where it belongs.
func (g *Guard) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Access-Control-Allow-Origin", "*")
		switch r.Method {
		case http.MethodOptions:
			head.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			head.Set("Access-Control-Allow-Headers", "*")
			head.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
		case http.MethodGet, http.MethodHead:
			head.Set("Content-Type", "application/json")
			head.Set("Cache-Control", "public, max-age=3600")
			head.Set("Content-Length", strconv.Itoa(len(g.document)))
			if r.Method == http.MethodGet {
				w.Write(g.document)
			}
		default:
			head.Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "the metadata can only be read", http.StatusMethodNotAllowed)
		}
	})
}

// Publish registers the metadata at both places where clients look for it (RS-3): the well-known path, and the same with
// the resource's path behind it, with and without a slash at the end.
func (g *Guard) Publish(mux *http.ServeMux) {
	h := g.Metadata()
	mux.Handle(wellKnown, h)
	mux.Handle(wellKnown+"/{$}", h)
	u, _ := url.Parse(g.cfg.Resource) // New has checked it
	if path := strings.TrimSuffix(u.Path, "/"); path != "" {
		mux.Handle(wellKnown+path, h)
		mux.Handle(wellKnown+path+"/{$}", h)
	}
}
