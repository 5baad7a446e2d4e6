package web

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// placeholder stands in a built page where its nonce belongs.
const placeholder = "{{nonce}}"

// missing is shown where the build is not there.
const missing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The console is not built in</title>
<style nonce="{{nonce}}">body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}</style>
<h1>The console is not built in</h1>
<p>This program was built without its web console. The tools are served all the same: over MCP at <code>/mcp</code>, and as a
REST API that <a href="/api/openapi.json">its document</a> describes.</p>
<p>To get the console, run <code>make web</code>, which needs Node.js with npm, and build the program again.</p>
</html>
`

// Page answers with the console's page; what it shows depends on the path, and is the page's affair.
func (c *Console) Page(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, "index.html", "")
}

// documentation answers with the page that explains the REST API.
func (c *Console) documentation(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, "docs/index.html", originOf(c.token(r.Context())))
}

// returned is where the provider sends the documentation's window back to.
func (c *Console) returned(w http.ResponseWriter, r *http.Request) {
	c.page(w, r, "docs/oauth2-redirect.html", "")
}

// page writes a page whose scripts and styles are its own alone. connect names what it may talk to besides its origin.
func (c *Console) page(w http.ResponseWriter, r *http.Request, name, connect string) {
	page, status := []byte(missing), http.StatusNotImplemented
	if c.built {
		var err error
		if page, err = fs.ReadFile(c.files, name); err != nil {
			http.NotFound(w, r)
			return
		}
		status = http.StatusOK
	}
	nonce := rand.Text()
	head := w.Header()
	head.Set("Content-Type", "text/html; charset=utf-8")
	head.Set("Cache-Control", "no-store") // a nonce is for once
	head.Set("Content-Security-Policy", policy(nonce, connect))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(bytes.ReplaceAll(page, []byte(placeholder), []byte(nonce)))
	}
}

// originOf is the origin of an http URL, or empty.
func originOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(u.Host, "; ,*'") {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// policy lets a page run what stands in its origin's files, and style elements that carry the nonce. Images may come out
// of a tool's result, which is data.
func policy(nonce, connect string) string {
	if connect != "" {
		connect = " " + connect
	}
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self' data:; font-src 'self'; " +
		"media-src data:; connect-src 'self'" + connect + "; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
}
