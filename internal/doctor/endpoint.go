package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const maxLook = 64 << 10 // bytes of an answer that are looked at

// What is asked of an endpoint: the first question of each protocol era. Neither begins anything that would have to be
// ended, except that an older server opens a session, which is closed.
const (
	askModern = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	askLegacy = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"fastmcp-auth doctor","version":"1"}}}`
)

// look is what an endpoint answered.
type look struct {
	status    int
	media     string
	isRPC     bool // a JSON-RPC message
	isStream  bool // events
	challenge *oauth.Challenge
	schemes   []string // of all challenges
	location  string
}

func (k *look) isMCP() bool {
	return k.status == http.StatusUnauthorized && k.challenge != nil || k.isRPC || k.isStream && k.status == http.StatusOK
}

// endpoint asks whether what answers is an MCP server.
func (w *walk) endpoint(ctx context.Context, l *Leg) {
	k, err := w.ask(ctx, w.o.Server, askModern)
	if err == nil && !k.isMCP() && k.status >= 400 && k.status < 500 && k.status != http.StatusUnauthorized {
		if older, err := w.ask(ctx, w.o.Server, askLegacy); err == nil && older.isMCP() {
			k = older
		}
	}
	if err != nil {
		l.Saw = "no answer"
		if !l.lost(err) {
			l.broken(Other, "what answers does not speak HTTP", "check the port of the URL")
		}
		return
	}
	l.Saw = k.String()
	switch {
	case k.status == http.StatusUnauthorized:
		w.signsIn, w.asks = true, k.challenge
		l.Saw = "401: it wants a sign-in"
		if k.challenge == nil && len(k.schemes) > 0 {
			l.Saw += ", by " + strings.Join(k.schemes, ", ")
		}
		w.schemes(l, k)
	case k.status == http.StatusForbidden && k.challenge != nil:
		w.signsIn, w.asks = true, k.challenge
	case k.isMCP():
		l.Saw = "it speaks MCP, and asks nobody to sign in"
	default:
		w.notMCP(ctx, l, k)
	}
}

// schemes refuses a sign-in of another kind than OAuth's.
func (w *walk) schemes(l *Leg, k *look) {
	if k.challenge == nil && len(k.schemes) > 0 {
		l.broken(SignIn, "it asks for "+strings.Join(k.schemes, ", ")+", which is no OAuth sign-in", "see whether a proxy or gateway before the server asks, and let MCP clients through it")
	}
}

func (w *walk) notMCP(ctx context.Context, l *Leg, k *look) {
	switch {
	case k.location != "":
		l.broken(Other, "it redirects to "+k.location+", where no token goes along", "call that URL instead, if you trust it")
	case k.status == http.StatusProxyAuthRequired:
		l.broken(Unreachable, "the proxy wants a name and a password", "write them into HTTP_PROXY: http://name:password@host:port")
	case k.status >= 500:
		l.broken(Unreachable, fmt.Sprintf("it answers %d: the server, or what stands before it, has a fault", k.status), "see its log; 502 and 504 mean that a gateway does not reach the server")
	case k.status == http.StatusTooManyRequests:
		l.broken(Unreachable, "it answers 429: asked too often", "try again in a while")
	case k.status == http.StatusForbidden:
		l.broken(Other, "it answers 403 before anybody could sign in", "let this host name in at the server (allowed_hosts), or see what a gateway before it forbids")
	case w.url.Scheme == "http" && w.speaksTLS(ctx):
		l.broken(Other, "that port speaks https, not http", "write https:// before the host")
	default:
		l.broken(Other, "what answers there is no MCP server", "check the path of the URL; MCP servers often answer at /mcp")
		w.elsewhere(ctx, l)
	}
}

// elsewhere looks for the server at other paths of the same origin.
func (w *walk) elsewhere(ctx context.Context, l *Leg) {
	if w.events(ctx, w.o.Server) {
		l.broken(Other, "it speaks the transport of 2024-11-05, HTTP with server-sent events", "call its Streamable HTTP endpoint, or update the server")
	}
	for _, path := range []string{"/mcp", "/mcp/", "/", "/api/mcp", "/v1/mcp"} {
		at := url.URL{Scheme: w.url.Scheme, Host: w.url.Host, Path: path}
		if path == w.url.Path || w.url.Path == "" && path == "/" {
			continue
		}
		if k, err := w.ask(ctx, at.String(), askModern); err == nil && k.isMCP() {
			l.Cure = "call " + at.String() + ", which answers as an MCP server does"
			return
		}
	}
}

// ask sends one question and looks at the answer.
func (w *walk) ask(ctx context.Context, at, question string) (*look, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	if question == askModern {
		req.Header.Set("MCP-Protocol-Version", "2026-07-28")
		req.Header.Set("Mcp-Method", "server/discover")
	}
	resp, err := w.hc.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if id := resp.Header.Get("Mcp-Session-Id"); id != "" {
		w.end(ctx, at, id)
	}
	return lookAt(resp), nil
}

func lookAt(resp *http.Response) *look {
	k := &look{status: resp.StatusCode}
	k.media, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	k.isStream = k.media == "text/event-stream"
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		if to, err := resp.Location(); err == nil {
			k.location = to.Redacted()
		}
	}
	if challenges, err := oauth.ParseChallenges(resp.Header.Values("WWW-Authenticate")); err == nil {
		for i, c := range challenges {
			k.schemes = append(k.schemes, c.Scheme)
			if c.Is("Bearer") && k.challenge == nil {
				k.challenge = &challenges[i]
			}
		}
	}
	if k.media == "application/json" {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxLook))
		var m struct {
			Version string `json:"jsonrpc"`
		}
		k.isRPC = json.Unmarshal(body, &m) == nil && m.Version == "2.0"
	}
	return k
}

// end closes a session that a question opened. Whether that works matters to nobody.
func (w *walk) end(ctx context.Context, at, id string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, at, nil)
	if err != nil {
		return
	}
	req.Header.Set("Mcp-Session-Id", id)
	if resp, err := w.hc.Do(req); err == nil {
		resp.Body.Close()
	}
}

// events reports whether a GET is answered with a stream of events.
func (w *walk) events(ctx context.Context, at string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := w.hc.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusOK && media == "text/event-stream"
}

// speaksTLS reports whether the server's port does.
func (w *walk) speaksTLS(ctx context.Context) bool {
	secure := *w.url
	secure.Scheme = "https"
	other := &walk{o: w.o, url: &secure, proxy: w.proxy}
	l := Leg{}
	other.tls(ctx, &l)
	return l.Saw != "no handshake" && l.Saw != ""
}

// String is what was seen, as a sentence.
func (k *look) String() string {
	what := map[string]string{"text/html": "a page for people (text/html)", "": "nothing"}[k.media]
	if what == "" {
		what = k.media
	}
	if k.isRPC {
		what = "a JSON-RPC message"
	}
	return fmt.Sprintf("%d with %s", k.status, what)
}
