package mcpserver

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// OriginOptions say which hosts a server answers to and whose pages may call it. The zero value is right for a server
// on loopback.
type OriginOptions struct {
	// Port is the port the server listens on; 0 means the one each request came in on.
	Port int
	// Hosts are names the server answers to besides localhost, 127.0.0.1 and [::1] on its port: "mcp.example.com", with
	// a port if it is neither 80 nor 443. Pages of https://<host> may call too.
	Hosts []string
	// Origins are further origins whose pages may call, such as "https://console.example.com". Browsers let their pages
	// read the answers.
	Origins []string

	// Answer writes a refusal with status 403 in another form than JSON-RPC's, and returns true, or writes nothing and
	// returns false; nil means that nobody does. why is for strangers.
	Answer func(w http.ResponseWriter, r *http.Request, why string) bool

	Logger *slog.Logger // nil means silence
}

// Origins refuses requests that a page of another site or a name rebound to this machine lets a browser send. It stands
// before everything else a server does, for every route, signing in included.
//
// The Host header must be a name of the server, which ends DNS rebinding. An Origin header must be one of the server or
// an allowed one. Without Origin, Sec-Fetch-Site must not say that another site asks, unless a person follows a link.
// Programs that are no browsers send neither and pass.
type Origins struct {
	own     []string // of this machine for itself, where the port is known beforehand
	hosts   []string
	origins []string
	answer  func(w http.ResponseWriter, r *http.Request, why string) bool
	logger  *slog.Logger
}

// NewOrigins returns the check. It refuses hosts and origins that are none, all at once.
func NewOrigins(o OriginOptions) (*Origins, error) {
	g := &Origins{own: loopback(o.Port), answer: o.Answer, logger: o.Logger}
	if g.logger == nil {
		g.logger = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if o.Port < 0 || o.Port > 65535 {
		faults = append(faults, fmt.Errorf("mcpserver: port %d is no port", o.Port))
	}
	for _, host := range o.Hosts {
		u, err := url.Parse("https://" + host)
		if err != nil || host == "" || u.Host != host || u.Hostname() == "" || strings.Contains(host, "*") {
			faults = append(faults, fmt.Errorf("mcpserver: %q is not a host; write a name and, if needed, a port", host))
			continue
		}
		host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), ":443"), ":80")
		g.hosts = append(g.hosts, host)
		g.origins = append(g.origins, "https://"+host)
	}
	for _, origin := range o.Origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Scheme+"://"+u.Host != origin || strings.Contains(origin, "*") {
			faults = append(faults, fmt.Errorf("mcpserver: %q is not an origin; write https:// and a host, with nothing after it", origin))
			continue
		}
		g.origins = append(g.origins, strings.ToLower(origin))
	}
	return g, errors.Join(faults...)
}

// Protect returns next behind the check. Refusals have status 403.
func (g *Origins) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := g.check(r); why != "" {
			requestID := cmp.Or(w.Header().Get(requestIDHeader), rand.Text())
			w.Header().Set(requestIDHeader, requestID)
			g.logger.LogAttrs(r.Context(), slog.LevelWarn, "request refused", slog.String("reason", why), slog.String("request_id", requestID))
			if g.answer != nil && g.answer(w, r, why) {
				return
			}
			writeError(w, http.StatusForbidden, nil, (&rpcError{Code: jsonrpc.CodeInvalidRequest, Message: why}).wire(requestID))
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && slices.Contains(g.origins, strings.ToLower(origin)) {
			if allowReading(w, r, origin) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// check says why a request is refused, or nothing.
func (g *Origins) check(r *http.Request) string {
	loopback := g.loopback(r)
	host := strings.ToLower(r.Host)
	if !slices.Contains(loopback, host) && !slices.Contains(g.hosts, withoutDefaultPort(host)) {
		return fmt.Sprintf("the host %q is not served here; allow it in the settings if it is this server's", clip(r.Host))
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return "there is more than one Origin header"
	}
	if len(origins) == 1 {
		origin := strings.ToLower(origins[0])
		scheme, at, _ := strings.Cut(origin, "://")
		own := (scheme == "http" || scheme == "https") && slices.Contains(loopback, at)
		if !own && !slices.Contains(g.origins, origin) {
			return fmt.Sprintf("pages of the origin %q may not call this server", clip(origins[0]))
		}
		return ""
	}
	if strings.EqualFold(r.Header.Get("Sec-Fetch-Site"), "cross-site") && !followsLink(r) {
		return "another site's page may not call this server"
	}
	return ""
}

// loopback returns the names of this machine for itself, with the port.
func (g *Origins) loopback(r *http.Request) []string {
	if g.own != nil {
		return g.own
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return loopback(addr.Port)
	}
	return nil
}

func loopback(port int) []string {
	if port == 0 {
		return nil
	}
	names := []string{"localhost", "127.0.0.1", "[::1]"}
	with := make([]string, 0, 2*len(names))
	for _, name := range names {
		with = append(with, name+":"+strconv.Itoa(port))
		if port == 80 || port == 443 {
			with = append(with, name)
		}
	}
	return with
}

func withoutDefaultPort(host string) string {
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}

// followsLink reports whether a person came here from another site, which only shows them a page.
func followsLink(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// allowReading lets a page of an allowed origin read the answer. It answers a preflight itself and reports that.
func allowReading(w http.ResponseWriter, r *http.Request, origin string) (answered bool) {
	w.Header().Add("Vary", "Origin")
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate, X-Request-Id, Retry-After, Location, ETag")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept, Last-Event-ID, Idempotency-Key, If-None-Match, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}
