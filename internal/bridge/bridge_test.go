//lint:file-ignore SA1019 Servers in the field go on using sampling.

package bridge_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/bridge"
)

// server is an MCP server behind HTTP, whose sessions can be lost.
type server struct {
	URL       string
	handler   atomic.Pointer[http.Handler]
	versions  []string
	started   chan struct{}
	cancelled chan struct{}
	left      chan struct{} // closed when the stream of "wait" is: the SDK's server lets a call of the newer era go on

	mu       sync.Mutex
	requests []*http.Request
}

func serve(t *testing.T, versions ...string) *server {
	t.Helper()
	s := &server{versions: versions, started: make(chan struct{}), cancelled: make(chan struct{}), left: make(chan struct{})}
	s.forget()
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r)
		s.mu.Unlock()
		if r.Header.Get("Mcp-Name") == "wait" {
			context.AfterFunc(r.Context(), func() { close(s.left) })
		}
		if slices.Equal(s.versions, []string{"2026-07-28"}) && r.Header.Get("MCP-Protocol-Version") != "2026-07-28" {
			w.Header().Set("Content-Type", "application/json") // T-11; the SDK's server would let an initialize pass
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"unsupported version","data":{"supported":["2026-07-28"]}}}`)
			return
		}
		(*s.handler.Load()).ServeHTTP(w, r)
	}))
	t.Cleanup(ts.Close)
	s.URL = ts.URL
	return s
}

// forget loses all sessions.
func (s *server) forget() {
	m := s.mcp()
	h := http.Handler(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m },
		&mcp.StreamableHTTPOptions{Stateless: slices.Contains(s.versions, "2026-07-28")}))
	s.handler.Store(&h)
}

func (s *server) heard(method, header string) (values []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.Method == method && r.Header.Get(header) != "" {
			values = append(values, r.Header.Get(header))
		}
	}
	return values
}

func (s *server) mcp() *mcp.Server {
	m := mcp.NewServer(&mcp.Implementation{Name: "behind", Version: "1"}, &mcp.ServerOptions{SupportedProtocolVersions: s.versions, Instructions: "Be kind."})
	type none struct{}
	mcp.AddTool(m, &mcp.Tool{Name: "echo"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		Text string `json:"text"`
	}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
	})
	m.AddTool(&mcp.Tool{Name: "region", InputSchema: json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	mcp.AddTool(m, &mcp.Tool{Name: "steps"}, func(ctx context.Context, r *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		for i := range 3 {
			if err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: r.Params.GetProgressToken(), Progress: float64(i + 1), Total: 3, Message: "step",
			}); err != nil {
				return nil, nil, err
			}
		}
		return &mcp.CallToolResult{}, nil, nil
	})
	mcp.AddTool(m, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ none) (*mcp.CallToolResult, any, error) {
		close(s.started)
		select {
		case <-ctx.Done():
		case <-s.left:
		}
		close(s.cancelled)
		return nil, nil, context.Canceled
	})
	m.AddTool(&mcp.Tool{Name: "greet", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			given, ok := r.Params.InputResponses["name"].(*mcp.ElicitResult)
			line, said := r.Params.InputResponses["line"]
			if ok && said {
				raw, err := json.Marshal(line)
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(given.Content["name"], string(raw))}}}, err
			}
			return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{
				"name": &mcp.ElicitParams{Mode: "form", Message: "Who?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}}}`)},
				"line": &mcp.CreateMessageParams{MaxTokens: 9, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Rhyme."}}}},
			}}, nil
		})
	return m
}

// connect runs a bridge to s and connects the official SDK's client over its pipes.
func connect(t *testing.T, s *server, version string, o *mcp.ClientOptions) *mcp.ClientSession {
	t.Helper()
	ours, theirs := io.Pipe()
	fromBridge, toClient := io.Pipe()
	b := &bridge.Bridge{Server: s.URL, HTTP: http.DefaultClient, Say: func(err error) { t.Log(err) }}
	done := make(chan error, 1)
	go func() {
		done <- b.Run(context.Background(), ours, toClient)
		toClient.Close()
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "before", Version: "1"}, o)
	session, err := client.Connect(t.Context(), &mcp.IOTransport{Reader: fromBridge, Writer: theirs}, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		session.Close()
		theirs.Close()
		if err := <-done; err != nil {
			t.Errorf("the bridge ends with %v", err)
		}
	})
	return session
}

// TestBridge lets the official SDK's client speak through a bridge to the official SDK's server, in both eras, and in
// the older one before a server that knows only the newer.
func TestBridge(t *testing.T) {
	for _, era := range []struct {
		name, client string
		server       []string
	}{
		{"both speak 2025-11-25", "2025-11-25", []string{"2025-11-25"}},
		{"both speak 2025-06-18", "2025-06-18", []string{"2025-06-18"}},
		{"both speak 2026-07-28", "2026-07-28", []string{"2026-07-28"}},
		{"the client speaks 2025-11-25, the server 2026-07-28", "2025-11-25", []string{"2026-07-28"}},
		{"the client prefers 2026-07-28, the server speaks 2025-11-25", "2026-07-28", []string{"2025-11-25"}},
	} {
		t.Run(era.name, func(t *testing.T) {
			s := serve(t, era.server...)
			var progress []float64
			session := connect(t, s, era.client, &mcp.ClientOptions{
				ProgressNotificationHandler: func(_ context.Context, r *mcp.ProgressNotificationClientRequest) {
					progress = append(progress, r.Params.Progress)
				},
				ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Ada"}}, nil
				},
				CreateMessageHandler: func(context.Context, *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
					return &mcp.CreateMessageResult{Role: "assistant", Model: "m", Content: &mcp.TextContent{Text: "spoken"}}, nil
				},
			})
			if got := session.InitializeResult(); got.ServerInfo.Name != "behind" || got.Instructions != "Be kind." {
				t.Errorf("the server is %+v", got.ServerInfo)
			}
			tools, err := session.ListTools(t.Context(), nil)
			if err != nil || len(tools.Tools) != 5 {
				t.Fatalf("tools: %v, %v", tools, err)
			}
			long := strings.Repeat("ä", 1<<18) + " \n\u2028 end"
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": long}})
			if err != nil || result.Content[0].(*mcp.TextContent).Text != long {
				t.Errorf("a large message does not come back whole: %v", err)
			}
			p := &mcp.CallToolParams{Name: "steps"}
			p.SetProgressToken("p")
			if _, err := session.CallTool(t.Context(), p); err != nil {
				t.Error(err)
			}
			if result, err = session.CallTool(t.Context(), &mcp.CallToolParams{Name: "greet"}); err != nil {
				t.Error(err)
			} else if text := result.Content[0].(*mcp.TextContent).Text; !strings.Contains(text, "Ada") || !strings.Contains(text, "spoken") {
				t.Errorf("greet answers %q", text)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-s.started
				cancel()
			}()
			if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "wait"}); err == nil {
				t.Error("a cancelled call has a result")
			}
			<-s.cancelled
			if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "nothing"}); err == nil || !strings.Contains(err.Error(), "nothing") {
				t.Errorf("an unknown tool: %v", err)
			}
			if !slices.Equal(progress, []float64{1, 2, 3}) {
				t.Errorf("progress %v", progress)
			}
		})
	}
}

// TestArgumentsAreRepeatedInHeaders for tools that want it, in the newer era.
func TestArgumentsAreRepeatedInHeaders(t *testing.T) {
	s := serve(t, "2026-07-28")
	session := connect(t, s, "2026-07-28", nil)
	if _, err := session.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"eu", "süd"} {
		if _, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "region", Arguments: map[string]any{"region": region}}); err != nil {
			t.Error(err)
		}
	}
	if got := s.heard("POST", "Mcp-Param-Region"); !slices.Equal(got, []string{"eu", "=?base64?c8O8ZA==?="}) {
		t.Errorf("Mcp-Param-Region: %q", got)
	}
}

// TestALostSessionIsBegunAnew without the client's noticing, by many requests at once too.
func TestALostSessionIsBegunAnew(t *testing.T) {
	s := serve(t, "2025-11-25")
	session := connect(t, s, "2025-11-25", nil)
	if _, err := session.ListTools(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	s.forget()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			text := fmt.Sprint(i)
			result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "echo", Arguments: map[string]any{"text": text}})
			if err != nil || result.Content[0].(*mcp.TextContent).Text != text {
				t.Errorf("call %d after the loss: %v", i, err)
			}
		})
	}
	all.Wait()
	ids := s.heard("POST", "Mcp-Session-Id")
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 2 {
		t.Errorf("%d sessions were used, want the lost one and one more", n)
	}
}

// TestRun speaks lines with a bridge by hand.
func TestRun(t *testing.T) {
	s := serve(t, "2026-07-28")
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	for _, test := range []struct{ name, server, in, want string }{
		{"what is no JSON", s.URL, "hello\n", `{"error":{"code":-32700,"message":"the message is no JSON-RPC message: invalid character 'h' looking for beginning of value"},"id":null,"jsonrpc":"2.0"}`},
		{"a batch", s.URL, "[]\n", `the message is no JSON-RPC message`},
		{"a message without a method", s.URL, `{"id":1}` + "\n", `it has no method, no result and no error`},
		{"a line that is too long", s.URL, `{"id":1,"method":"` + strings.Repeat("x", 100_000) + `"}` + "\n", `the message is larger than the bridge takes`},
		{"the last line needs no end", s.URL, `{"jsonrpc":"2.0","id":"a","method":"server/discover","params":{` + meta + `}}`, `"id":"a","result":{`},
		{"a request of the newer era", s.URL, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hi"},` + meta + `}}` + "\r\n\r\n", `"text":"hi"`},
		{"a server that is down", "http://127.0.0.1:1/", `{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{` + meta + `}}` + "\n", `"code":-32000,"message":"dial tcp 127.0.0.1:1: connect: connection refused"},"id":7`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			b := &bridge.Bridge{Server: test.server, HTTP: http.DefaultClient, MaxMessage: 64 << 10}
			if err := b.Run(t.Context(), strings.NewReader(test.in), &out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("got  %s\nwant %s", out.String(), test.want)
			}
			if strings.Count(out.String(), "\n") != 1 {
				t.Errorf("not one line: %q", out.String())
			}
		})
	}
}

// TestServersThatMisbehave are answered for, each with a reason.
func TestServersThatMisbehave(t *testing.T) {
	const request = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n"
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"a page instead of a message", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<html>\x1b[2J")
		}, `the server answers with HTTP 200"`},
		{"an error of a gateway", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no upstream", http.StatusBadGateway) }, `the server answers with HTTP 502: no upstream`},
		{"a stream without an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, ": nothing\n\n")
		}, `the server closed the stream without an answer`},
		{"an event that is too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "id: 1\ndata: "+strings.Repeat("x", 100_000)+"\n\n")
		}, `the server sent an event that is too large`},
		{"an answer that is too large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `"`+strings.Repeat("x", 100_000)+`"`)
		}, `the answer is larger than the bridge takes`},
		{"an error without an id", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}`)
		}, `{"error":{"code":-32600,"message":"no"},"id":1,"jsonrpc":"2.0"}`},
		{"a stream that breaks off is taken up", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			if r.Header.Get("Last-Event-ID") == "e1" {
				io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{\"later\":true}}\n\n")
				return
			}
			io.WriteString(w, "retry: 1\r\nid: e1\r\ndata:\r\n\r\n")
		}, `{"jsonrpc":"2.0","id":1,"result":{"later":true}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			ts := httptest.NewServer(test.handler)
			defer ts.Close()
			var out strings.Builder
			b := &bridge.Bridge{Server: ts.URL, HTTP: ts.Client(), MaxMessage: 64 << 10}
			if err := b.Run(t.Context(), strings.NewReader(request), &out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("got  %s\nwant %s", out.String(), test.want)
			}
		})
	}
}

// TestTheInputEnds and with it the bridge, although the server never answers; its call is cancelled.
func TestTheInputEnds(t *testing.T) {
	gone := make(chan struct{})
	ts := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		close(gone)
	}))
	defer ts.Close()
	b := &bridge.Bridge{Server: ts.URL, HTTP: ts.Client(), Drain: time.Millisecond}
	if err := b.Run(t.Context(), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`), io.Discard); err != nil {
		t.Fatal(err)
	}
	<-gone
}

// TestTheReaderIsGone ends the bridge without an error: the conversation is over.
func TestTheReaderIsGone(t *testing.T) {
	in, theirs := io.Pipe()
	defer theirs.Close()
	out, w := io.Pipe()
	out.Close()
	go io.WriteString(theirs, "nonsense\n")
	b := &bridge.Bridge{Server: "http://127.0.0.1:1/", HTTP: http.DefaultClient}
	if err := b.Run(t.Context(), in, w); err != nil {
		t.Errorf("got %v", err)
	}
}

// FuzzRun gives the bridge any bytes of a client: each line it writes is one JSON value.
func FuzzRun(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}` + "\n"))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`))
	f.Add([]byte("{\"id\":{\"a\":\n[}\r\n\x00"))
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	}))
	f.Cleanup(ts.Close)
	f.Fuzz(func(t *testing.T, in []byte) {
		var out strings.Builder
		b := &bridge.Bridge{Server: ts.URL, HTTP: ts.Client(), MaxMessage: 4 << 10}
		if err := b.Run(t.Context(), strings.NewReader(string(in)), &out); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(strings.NewReader(out.String())); lines.Scan(); {
			if !json.Valid(lines.Bytes()) {
				t.Errorf("not JSON: %q", lines.Text())
			}
		}
	})
}
