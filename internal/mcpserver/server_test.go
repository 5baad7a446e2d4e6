package mcpserver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

const endpoint = "http://127.0.0.1:8000/mcp"

// fixture is a server in a bubble of its own: its clock stands until everybody waits, and a goroutine left behind fails
// the test. The bearer token is the name of a caller, which stands for the verification that is another room's.
type fixture struct {
	box     *toolbox.Box
	handler *mcpserver.Handler
	client  *http.Client // without a token
	began   chan *ending // the tool wait has begun
}

// ending is one call of the tool wait.
type ending struct {
	release chan struct{} // close it and the call ends well
	ended   chan error    // gets the cause when the call ended otherwise
}

// callers are the identities behind the tokens.
var callers = map[string]*identity.Identity{
	"ada":       {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "ada", Scopes: []string{"execute"}},
	"eve":       {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "eve", Scopes: []string{"execute"}},
	"bob":       {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "bob", Scopes: []string{"execute"}},
	"reader":    {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "reader", Scopes: []string{"time:read"}},
	"converter": {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "converter", Scopes: []string{"time:convert"}},
	"ada-else":  {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "ada", ClientID: "another", Scopes: []string{"execute"}},
	"ada-now":   {Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "ada", Scopes: []string{"time:read"}},
}

type guard struct{}

func (guard) InsufficientScope(w http.ResponseWriter, r *http.Request, scopes []string) {
	w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="`+strings.Join(scopes, " ")+`"`)
	w.WriteHeader(http.StatusForbidden)
}

// change alters the options of a fixture.
type change func(*toolbox.Options, *mcpserver.Options)

// bubble runs a test against a server in a bubble.
func bubble(t *testing.T, test func(t *testing.T, f *fixture), changes ...change) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, serve(t, changes...)) })
}

func serve(t *testing.T, changes ...change) *fixture {
	t.Helper()
	p, err := policy.New(policy.DefaultRules())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{began: make(chan *ending, 100)}
	boxOptions := toolbox.Options{Policy: p, Tools: []toolbox.Tool{f.waiting(), panicking()}}
	options := mcpserver.Options{Name: "test", Version: "1", Guard: guard{}, AnnouncesLists: true}
	for _, tool := range tools.All(tools.Options{ReverseDuration: 5 * time.Second}) {
		boxOptions.Tools = append(boxOptions.Tools, toolbox.Tool(tool))
	}
	for _, resource := range tools.Resources(tools.Options{}) {
		boxOptions.Resources = append(boxOptions.Resources, toolbox.Resource(resource))
	}
	for _, c := range changes {
		c(&boxOptions, &options)
	}
	if f.box, err = toolbox.New(boxOptions); err != nil {
		t.Fatal(err)
	}
	options.Box = f.box
	if f.handler, err = mcpserver.New(options); err != nil {
		t.Fatal(err)
	}
	origins, err := mcpserver.NewOrigins(mcpserver.OriginOptions{})
	if err != nil {
		t.Fatal(err)
	}
	listener := newPipeListener()
	server := &http.Server{
		ReadTimeout: 10 * time.Second, // as a real server has one: streams must outlive it
		Handler: origins.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, signedIn := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			id := callers[token]
			if signedIn && id == nil {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if id != nil {
				r = r.WithContext(identity.NewContext(r.Context(), id))
			}
			f.handler.ServeHTTP(w, r)
		})),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(listener)
	}()
	transport := &http.Transport{DialContext: listener.dial}
	f.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		f.box.Drain(ended)
		f.handler.Close(context.Background())
		transport.CloseIdleConnections()
		server.Close()
		<-served
		time.Sleep(time.Second) // net/http lingers half a second over a body it did not read
	})
	return f
}

// waiting returns the tool wait, which runs until it is released or cancelled.
func (f *fixture) waiting() toolbox.Tool {
	return toolbox.Tool{
		Definition: &mcp.Tool{Name: "wait", InputSchema: map[string]any{"type": "object"}},
		Call: func(ctx context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			e := &ending{release: make(chan struct{}), ended: make(chan error, 1)}
			f.began <- e
			select {
			case <-e.release:
				progress(1, 1, "done")
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "released"}}}, nil
			case <-ctx.Done():
				e.ended <- context.Cause(ctx)
				return nil, ctx.Err()
			}
		},
	}
}

func panicking() toolbox.Tool {
	return toolbox.Tool{
		Definition: &mcp.Tool{Name: "panic", InputSchema: map[string]any{"type": "object"}},
		Call: func(context.Context, json.RawMessage, func(done, total float64, message string)) (*mcp.CallToolResult, error) {
			panic("a secret of the tool")
		},
	}
}

// pipeListener is a network of its own, in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

var address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000}

type pipeConn struct{ net.Conn }

func (pipeConn) LocalAddr() net.Addr { return address }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- pipeConn{server}:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return address }

// as returns a client that sends this caller's token.
func (f *fixture) as(caller string) *http.Client {
	return &http.Client{Transport: withToken{caller, f.client.Transport}}
}

type withToken struct {
	token string
	next  http.RoundTripper
}

func (t withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.token)
	return t.next.RoundTrip(r)
}

// connect connects a client of the official SDK.
func (f *fixture) connect(t *testing.T, caller, version string, o *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "1"}, o)
	session, err := client.Connect(t.Context(),
		&mcp.StreamableClientTransport{Endpoint: endpoint, HTTPClient: f.as(caller)},
		&mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// eras are the versions a client may speak.
var eras = []string{"2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26"}

// ask is one raw request: by whom, with which headers ("Name: value"), and the body.
type ask struct {
	method  string // "" means POST
	caller  string // "" means ada
	headers []string
	body    string
}

// reply is a raw answer.
type reply struct {
	status int
	header http.Header
	body   string
}

func (f *fixture) request(t *testing.T, ctx context.Context, a ask) *http.Request {
	t.Helper()
	if a.method == "" {
		a.method = http.MethodPost
	}
	if a.caller == "" {
		a.caller = "ada"
	}
	r, err := http.NewRequestWithContext(ctx, a.method, endpoint, strings.NewReader(a.body))
	if err != nil {
		t.Error(err)
		return nil
	}
	r.Header.Set("Authorization", "Bearer "+a.caller)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for _, h := range a.headers {
		name, value, _ := strings.Cut(h, ": ")
		switch {
		case name == "Host":
			r.Host = value
		case value == "":
			r.Header.Del(name)
		case name == "Mcp-Name" && r.Header.Get(name) != "":
			r.Header.Add(name, value)
		default:
			r.Header.Set(name, value)
		}
	}
	return r
}

// send sends a request and reads the whole answer. It may be called from any goroutine.
func (f *fixture) send(t *testing.T, a ask) *reply {
	t.Helper()
	res, err := f.client.Do(f.request(t, t.Context(), a))
	if err != nil {
		t.Error(err)
		return &reply{}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return &reply{res.StatusCode, res.Header, string(body)}
}

// rpc is the JSON-RPC message of an answer: the body, or the last event.
type rpc struct {
	ID     any             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int            `json:"code"`
		Message string         `json:"message"`
		Data    map[string]any `json:"data"`
	} `json:"error"`
}

func (r *reply) rpc(t *testing.T) rpc {
	t.Helper()
	text := r.body
	if strings.HasPrefix(r.header.Get("Content-Type"), "text/event-stream") {
		_, text, _ = strings.Cut(text[max(0, strings.LastIndex(text, "data: ")):], "data: ")
	}
	var m rpc
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("status %d, %q: %v", r.status, r.body, err)
	}
	return m
}

// refused checks status and code of a refusal, a word of its message, and the request id in header and data.
func (r *reply) refused(t *testing.T, status, code int, said string) {
	t.Helper()
	m := r.rpc(t)
	if m.Error == nil || r.status != status || m.Error.Code != code || !strings.Contains(m.Error.Message, said) {
		t.Fatalf("status %d, %s; want status %d, code %d and %q", r.status, r.body, status, code, said)
	}
	if id := r.header.Get("X-Request-Id"); id == "" || m.Error.Data["request_id"] != id {
		t.Errorf("the request id is %q in the header and %v in the data", id, m.Error.Data["request_id"])
	}
}

const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

// modern returns a request of 2026-07-28; params are members without braces.
func modern(method, name, params string) ask {
	if params != "" {
		params += ","
	}
	a := ask{
		headers: []string{"MCP-Protocol-Version: 2026-07-28", "Mcp-Method: " + method},
		body:    fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s%s}}`, method, params, meta),
	}
	if name != "" {
		a.headers = append(a.headers, "Mcp-Name: "+name)
	}
	return a
}

// call returns a call of a tool in the modern era, with a progress token if there is one.
func call(tool, arguments, token string) ask {
	a := modern("tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":%s`, tool, arguments))
	if token != "" {
		a.body = strings.Replace(a.body, `"_meta":{`, `"_meta":{"progressToken":"`+token+`",`, 1)
	}
	return a
}

// begin begins a legacy session and returns its id.
func (f *fixture) begin(t *testing.T, caller string) string {
	t.Helper()
	r := f.send(t, ask{caller: caller, body: `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`})
	id := r.header.Get("Mcp-Session-Id")
	if r.status != http.StatusOK || id == "" {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	r = f.send(t, ask{caller: caller, headers: within(id), body: `{"jsonrpc":"2.0","method":"notifications/initialized"}`})
	if r.status != http.StatusAccepted {
		t.Fatalf("status %d: %s", r.status, r.body)
	}
	return id
}

func within(id string) []string {
	return []string{"Mcp-Session-Id: " + id, "MCP-Protocol-Version: 2025-11-25"}
}

// older returns a request within a session.
func older(id, caller, method, params string) ask {
	if params != "" {
		params = `,"params":` + params
	}
	return ask{caller: caller, headers: within(id), body: fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q%s}`, method, params)}
}

// stream is an open event stream.
type stream struct {
	*http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
}

// open sends a request whose answer is read as it comes.
func (f *fixture) open(t *testing.T, a ask) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	res, err := f.client.Do(f.request(t, ctx, a))
	if err != nil {
		t.Fatal(err)
	}
	s := &stream{res, bufio.NewScanner(res.Body), cancel}
	t.Cleanup(func() {
		cancel()
		res.Body.Close()
	})
	return s
}

// next returns the next line that is not empty, or the error that ended the stream.
func (s *stream) next() (string, error) {
	for s.lines.Scan() {
		if line := s.lines.Text(); line != "" {
			return line, nil
		}
	}
	if err := s.lines.Err(); err != nil {
		return "", err
	}
	return "", io.EOF
}

// until reads to a line that contains word and returns it.
func (s *stream) until(t *testing.T, word string) string {
	t.Helper()
	for {
		line, err := s.next()
		if err != nil {
			t.Fatalf("before %q the stream ended: %v", word, err)
		}
		if strings.Contains(line, word) {
			return line
		}
	}
}

// close closes the stream as a client that goes away does.
func (s *stream) close() {
	s.cancel()
	s.Body.Close()
}
