package signin

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	callbackPath    = "/callback"
	callbackTimeout = 10 * time.Second // for one request of a browser
)

// callback waits on loopback for the answer to one authorization (RFC 8252, section 7.3). It answers nobody but the
// browser of this machine, and takes one answer.
type callback struct {
	listener net.Listener
	server   *http.Server
	host     string // what a browser must have asked for
	answers  chan url.Values

	mu      sync.Mutex
	waiting *authorization // nil means that an answer is not awaited, or has come
}

// listen opens a port of the kernel's choice, or port, on 127.0.0.1.
func listen(ctx context.Context, port int) (*callback, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("signin: wait for the browser: %w", err)
	}
	c := &callback{listener: l, host: l.Addr().String(), answers: make(chan url.Values, 1)}
	c.server = &http.Server{Handler: http.HandlerFunc(c.serve), ReadTimeout: callbackTimeout, WriteTimeout: callbackTimeout,
		MaxHeaderBytes: maxQuery}
	go c.server.Serve(l)
	return c, nil
}

// redirectURI is where the browser is to come back to.
func (c *callback) redirectURI() string { return "http://" + c.host + callbackPath }

// expect makes a the authorization whose answer is awaited.
func (c *callback) expect(a *authorization) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = a
}

// take returns the awaited authorization if query is its answer, and awaits nothing from then on.
func (c *callback) take(query url.Values) *authorization {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.waiting
	if a == nil || !a.belongs(query) {
		return nil
	}
	c.waiting = nil
	return a
}

// close frees the port at once. Who is still being answered is let go in the background: browsers hold connections open
// that they never use, and nobody is to wait for these.
func (c *callback) close() {
	c.listener.Close()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), callbackTimeout)
		defer cancel()
		if err := c.server.Shutdown(ctx); err != nil {
			c.server.Close()
		}
	}()
}

// wait returns the answer that has come. Where opened says that no browser opens, notOpened says whether to wait on.
func (c *callback) wait(ctx context.Context, opened <-chan error, notOpened func(error) error) (url.Values, error) {
	for {
		select {
		case query := <-c.answers:
			return query, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case err := <-opened:
			opened = nil
			if err == nil || ctx.Err() != nil || len(c.answers) > 0 {
				continue
			}
			if err := notOpened(err); err != nil {
				return nil, err
			}
		}
	}
}

// serve takes the answer. One that does not carry the state of this sign-in is turned away and changes nothing: any page
// can send a browser here.
func (c *callback) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Host != c.host: // a name that was made to point here
		showPage(w, http.StatusForbidden, strayPage)
	case r.URL.Path != callbackPath:
		http.NotFound(w, r)
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	default:
		c.answer(w, r)
	}
}

func (c *callback) answer(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		showPage(w, http.StatusBadRequest, strayPage)
		return
	}
	a := c.take(query)
	if a == nil {
		showPage(w, http.StatusBadRequest, strayPage)
		return
	}
	// The page shows what is known before the code is redeemed; the terminal has the last word.
	_, refused := a.code(query)
	switch {
	case errors.Is(refused, ErrDeclined):
		showPage(w, http.StatusOK, declinedPage)
	case a.grant.mayDrop && refusesResource(refused):
		showPage(w, http.StatusOK, againPage)
	case refused != nil:
		showPage(w, http.StatusOK, refusedPage)
	default:
		showPage(w, http.StatusOK, donePage)
	}
	c.answers <- query
}

// page is what a browser shows at the end. Nothing of the answer is on it.
type page struct{ Title, Text string }

var (
	donePage     = page{"Signed in", "You can close this window and go back to the terminal."}
	declinedPage = page{"Not signed in", "You said no. You can close this window."}
	refusedPage  = page{"Not signed in", "Something was wrong with the answer. The terminal says what; you can close this window."}
	againPage    = page{"One moment", "The sign-in goes on in another window. You can close this one."}
	strayPage    = page{"Nothing to do here", "This answer does not belong to a sign-in that waits here."}
)

// page.html has {{title}} and {{text}} in it. It is no html/template: where a template can run, the linker keeps every
// exported method of the whole program, a third of its size.
//
//go:embed page.html
var pageText string

// pageStyle is the SHA-256 of the style in page.html, the only one that a browser may use.
const pageStyle = "JdWTWWB8hNVP8SbJUCStuOodXW0/NPkVAf7B27wLAnI="

// showPage shows p so that nothing can be done with it: no script, no frame, nothing from elsewhere, not kept, and its
// address, which holds a code, is told to nobody.
func showPage(w http.ResponseWriter, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+pageStyle+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Connection", "close")
	text := strings.NewReplacer("{{title}}", html.EscapeString(p.Title), "{{text}}", html.EscapeString(p.Text)).Replace(pageText)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	io.WriteString(w, text)
	// The program may end as soon as it has the answer; the page is on its way by then.
	http.NewResponseController(w).Flush()
}
