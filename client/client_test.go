package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

func TestC2_AChallengeLeadsToASignInAndTheSameRequestOnceMore(t *testing.T) {
	for _, era := range eras {
		t.Run(era.name, func(t *testing.T) {
			w := newWorld(t, era.options, era.versions...)
			var signIns atomic.Int64
			s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: w.SignIn(&signIns)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := s.Server().ProtocolVersion; got != era.want {
				t.Errorf("protocol version %s, want %s", got, era.want)
			}
			tools, err := s.Tools(t.Context())
			if err != nil || len(tools) != 3 {
				t.Fatalf("tools over two pages: %v, %v", tools, err)
			}
			result, err := s.Call(t.Context(), "echo", map[string]any{"text": "hello"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Content[0].(*mcp.TextContent).Text; got != "hello" {
				t.Errorf("echo answers %q", got)
			}
			resources, err := s.Resources(t.Context())
			if err != nil || len(resources) != 1 {
				t.Fatalf("resources: %v, %v", resources, err)
			}
			read, err := s.Read(t.Context(), resources[0].URI)
			if err != nil || read.Contents[0].Text != "noon" {
				t.Fatalf("read: %v, %v", read, err)
			}
			if n := signIns.Load(); n != 1 {
				t.Errorf("%d sign-ins, want 1", n)
			}
		})
	}
}

func TestProgressArrivesInOrderAndNeverAfterTheCall(t *testing.T) {
	for _, era := range eras {
		t.Run(era.name, func(t *testing.T) {
			w := newWorld(t, era.options, era.versions...)
			s := w.connect(t)
			var mu sync.Mutex
			var last client.Progress
			ended := false
			_, err := s.Call(t.Context(), "steps", nil, func(p client.Progress) {
				mu.Lock()
				defer mu.Unlock()
				if ended {
					t.Error("a report after the call")
				}
				if p.Tool != "steps" || p.Total != 3 || p.Message != "step" || p.Done <= last.Done {
					t.Errorf("report %+v after %+v", p, last)
				}
				last = p
			})
			mu.Lock()
			defer mu.Unlock()
			ended = true
			if err != nil || last.Done != 3 {
				t.Errorf("last report %+v, error %v", last, err)
			}
		})
	}
}

func TestACancelledContextCancelsTheCallAtTheServer(t *testing.T) {
	for _, era := range eras {
		t.Run(era.name, func(t *testing.T) {
			w := newWorld(t, era.options, era.versions...)
			s := w.connect(t)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-w.started; cancel() }()
			if _, err := s.Call(ctx, "wait", nil, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want context.Canceled", err)
			}
			<-w.cancelled
		})
	}
}

func TestWithoutAWayToSignInA401IsAnUnauthorizedError(t *testing.T) {
	w := newWorld(t, modern)
	_, err := client.Connect(t.Context(), w.URL, client.Options{})
	var refused *client.UnauthorizedError
	if !errors.As(err, &refused) || refused.Refused || !errors.Is(err, client.ErrSignInNeeded) {
		t.Fatalf("error %v", err)
	}
	if c := refused.Challenge; c == nil || c.Error != "" || len(c.Scopes) != 1 || c.Scopes[0] != "execute" {
		t.Errorf("challenge %+v", c)
	}
	if got := err.Error(); got != "client: "+w.URL+" asks to sign in" {
		t.Errorf("it says %q", got)
	}
}

func TestWhatAnswersInPlaceOfAnMCPServerIsNamed(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		media  string
		want   string
	}{
		{"a page", 200, "text/html; charset=utf-8", " is no MCP server: it answers with text/html"},
		{"a page that is not there", 404, "text/plain", " does not answer as an MCP server: HTTP 404"},
		{"a gateway", 502, "text/html", " answers HTTP 502"},
		{"an object that is no message", 403, "application/problem+json", " does not answer as an MCP server: HTTP 403"},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", row.media)
				rw.WriteHeader(row.status)
				io.WriteString(rw, "{}")
			}))
			defer srv.Close()
			_, err := client.Connect(t.Context(), srv.URL, client.Options{})
			var answer *client.AnswerError
			var status *client.StatusError
			if !errors.As(err, &answer) || !errors.As(err, &status) || status.Status != row.status || err.Error() != "client: "+srv.URL+row.want {
				t.Errorf("error %v", err)
			}
		})
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	_, err := client.Connect(t.Context(), gone.URL, client.Options{})
	if !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "client: reach "+gone.URL+": dial tcp ") {
		t.Errorf("error %v", err)
	}
}

func TestATokenThatIsRefusedAgainIsAnErrorAndNotALoop(t *testing.T) {
	w := newWorld(t, modern)
	signIns := 0
	_, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: signInFunc(
		func(context.Context, *signin.Request) (oauth2.TokenSource, error) {
			signIns++
			return oauth2.StaticTokenSource(w.Issue("https://other.example/mcp")), nil
		})})
	var refused *client.UnauthorizedError
	if !errors.As(err, &refused) || !refused.Refused || refused.Challenge.Error != "invalid_token" {
		t.Fatalf("error %v", err)
	}
	if signIns != 1 {
		t.Errorf("%d sign-ins, want 1", signIns)
	}
}

func TestWhoDeclinesIsNotAskedAgainByTheOtherEra(t *testing.T) {
	w := newWorld(t, modern)
	declined, asked := errors.New("no"), 0
	_, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: signInFunc(
		func(context.Context, *signin.Request) (oauth2.TokenSource, error) {
			asked++
			return nil, declined
		})})
	if !errors.Is(err, declined) || asked != 1 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
}

func TestATokenThatEndsMeanwhileLeadsToOneSignInForAllCalls(t *testing.T) {
	w := newWorld(t, modern)
	var signIns atomic.Int64
	s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: w.SignIn(&signIns)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.Revoke()
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if _, err := s.Call(t.Context(), "echo", map[string]any{"text": "x"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if n := signIns.Load(); n != 2 {
		t.Errorf("%d sign-ins, want 2", n)
	}
}

func TestACallThatIsGivenUpDuringSignInAsksNobodyAgain(t *testing.T) {
	w := newWorld(t, modern)
	asked := make(chan struct{}, 9)
	first := true
	s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: signInFunc(
		func(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
			if first {
				first = false
				return oauth2.StaticTokenSource(w.Issue(r.Resource.Resource)), nil
			}
			asked <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		})})
	if err != nil {
		t.Fatal(err)
	}
	w.Revoke()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := s.Call(ctx, "echo", map[string]any{"text": "x"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	s.Close()
	if len(asked) != 0 {
		t.Error("asked again for a call that nobody waits for")
	}
}

func TestTooLittleScopeIsAScopeErrorWithItsChallenge(t *testing.T) {
	w := newWorld(t, modern)
	w.Needs["echo"] = "admin"
	s, err := client.Connect(t.Context(), w.URL, client.Options{Token: oauth2.StaticTokenSource(w.Issue(w.URL, "execute"))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Call(t.Context(), "echo", map[string]any{"text": "x"}, nil)
	var scope *client.ScopeError
	if !errors.As(err, &scope) || strings.Join(scope.Challenge.Scopes, " ") != "execute admin" || scope.Challenge.Error != "insufficient_scope" {
		t.Fatalf("error %v", err)
	}
	if _, err := s.Tools(t.Context()); err != nil {
		t.Errorf("the session does not go on: %v", err)
	}
}

func TestC18_TheTokenGoesOnlyToTheServerItWasIssuedFor(t *testing.T) {
	t.Run("C-18 no token is sent to the authorization server or for metadata", func(t *testing.T) {
		w := newWorld(t, modern)
		leak := func(h http.HandlerFunc) http.HandlerFunc {
			return func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					t.Errorf("%s got a token", r.URL.Path)
				}
				h(rw, r)
			}
		}
		w.Documents["/.well-known/oauth-protected-resource/mcp"] = leak(document(w.Resource))
		w.ASPaths["/.well-known/oauth-authorization-server/tenant"] = leak(document(w.Metadata))
		var n atomic.Int64
		s, err := client.Connect(t.Context(), w.URL, client.Options{Token: oauth2.StaticTokenSource(w.Issue("https://other.example")), SignIn: w.SignIn(&n)})
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	})
	t.Run("C-18 a redirect is not followed", func(t *testing.T) {
		var reached atomic.Bool
		other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
		defer other.Close()
		from := httptest.NewServer(http.RedirectHandler(other.URL+"/mcp", http.StatusTemporaryRedirect))
		defer from.Close()
		_, err := client.Connect(t.Context(), from.URL+"/mcp", client.Options{Token: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "secret"})})
		var redirect *client.RedirectError
		if !errors.As(err, &redirect) || redirect.To != other.URL+"/mcp" || reached.Load() {
			t.Errorf("error %v, reached %v", err, reached.Load())
		}
	})
	t.Run("C-18 a token is not sent in the clear to another machine", func(t *testing.T) {
		// A name below localhost is looked up, and goes through a proxy, as any other.
		for _, host := range []string{"mcp.example.com", "mcp.localhost", "localhost.", "127.0.0.1.example.com", "0.0.0.0"} {
			_, err := client.Connect(t.Context(), "http://"+host+"/mcp", client.Options{Token: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "secret"})})
			if err == nil || !strings.Contains(err.Error(), "https only") {
				t.Errorf("%s: error %v", host, err)
			}
		}
	})
	t.Run("C-18 the token stands in the Authorization header and nowhere else", func(t *testing.T) {
		w := newWorld(t, modern)
		w.connect(t)
		for _, h := range w.headers[1:] {
			token := strings.TrimPrefix(h.Get("Authorization"), "Bearer ")
			h.Del("Authorization")
			if b, _ := json.Marshal(h); token == "" || strings.Contains(string(b), token) {
				t.Errorf("token %q, headers %s", token, b)
			}
		}
	})
}

func TestAServerURLThatIsNoneIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for _, server := range []string{"", "mcp.example.com", "ftp://mcp.example.com", "https://user:pw@mcp.example.com/mcp", "https://mcp.example.com/#mcp"} {
		if _, err := client.Connect(t.Context(), server, client.Options{}); err == nil || !strings.Contains(err.Error(), "is not an http or https URL") {
			t.Errorf("%q: error %v", server, err)
		}
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	endless := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for r.Context().Err() == nil {
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	_, err := client.Connect(t.Context(), endless.URL, client.Options{})
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v", err)
	}
}

// connect opens a session that is signed in.
func (w *world) connect(t *testing.T) *client.Session {
	t.Helper()
	var n atomic.Int64
	s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: w.SignIn(&n)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestWhoWaitsForASignInThatWasGivenUpSignsInHimself(t *testing.T) {
	w := newWorld(t, modern)
	var asked atomic.Int64
	signingIn, giveUp := make(chan struct{}), make(chan struct{})
	s, err := client.Connect(t.Context(), w.URL, client.Options{SignIn: signInFunc(
		func(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
			if asked.Add(1) == 2 {
				close(signingIn)
				<-ctx.Done()
				<-giveUp
				return nil, ctx.Err()
			}
			return oauth2.StaticTokenSource(w.Issue(r.Resource.Resource)), nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	w.Revoke()
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := s.Call(ctx, "echo", map[string]any{"text": "x"}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("the first: error %v", err)
		}
	})
	<-signingIn
	calls.Go(func() {
		if _, err := s.Call(t.Context(), "echo", map[string]any{"text": "x"}, nil); err != nil {
			t.Errorf("the second: error %v", err)
		}
	})
	cancel()
	close(giveUp)
	calls.Wait()
	if n := asked.Load(); n != 3 {
		t.Errorf("%d sign-ins, want 3", n)
	}
}

// tokenFunc is a source of tokens that wants a context.
type tokenFunc func(context.Context) (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) {
	return nil, errors.New("the source was asked without a context")
}
func (f tokenFunc) TokenContext(ctx context.Context) (*oauth2.Token, error) { return f(ctx) }

func TestASourceOfTokens(t *testing.T) {
	broken := errors.New("no network")
	for _, row := range []struct {
		name    string
		source  func(*world) tokenFunc
		signIns int64
		is      error
	}{
		{"that gives a good token needs no sign-in", func(w *world) tokenFunc {
			good := w.Issue(w.URL)
			return func(context.Context) (*oauth2.Token, error) { return good, nil }
		}, 0, nil},
		{"that is over leads to a sign-in", func(*world) tokenFunc {
			return func(context.Context) (*oauth2.Token, error) { return nil, client.ErrSignInNeeded }
		}, 1, nil},
		{"that is empty leads to a sign-in", func(*world) tokenFunc {
			return func(context.Context) (*oauth2.Token, error) { return &oauth2.Token{}, nil }
		}, 1, nil},
		{"that is broken for a moment asks nobody", func(*world) tokenFunc {
			return func(context.Context) (*oauth2.Token, error) { return nil, broken }
		}, 0, broken},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, modern)
			var signIns atomic.Int64
			s, err := client.Connect(t.Context(), w.URL, client.Options{Token: row.source(w), SignIn: w.SignIn(&signIns)})
			if !errors.Is(err, row.is) || signIns.Load() != row.signIns {
				t.Errorf("%d sign-ins, error %v", signIns.Load(), err)
			}
			if err == nil {
				s.Close()
			}
		})
	}
}

func TestASignInIsToldWhatWasRefused(t *testing.T) {
	w := newWorld(t, modern)
	old := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "old"})
	var told *signin.Request
	s, err := client.Connect(t.Context(), w.URL, client.Options{Token: old, SignIn: signInFunc(
		func(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
			told = r
			return oauth2.StaticTokenSource(w.Issue(r.Resource.Resource)), nil
		})})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if told.Previous != old || told.Refused != "old" || told.Server != w.URL || told.Authorization.Issuer != w.Issuer ||
		told.Resource.Resource != w.URL || told.Challenge.Error != "invalid_token" {
		t.Errorf("told %+v", told)
	}
	if s.TokenSource() == old {
		t.Error("the session keeps the refused source")
	}
}

// TestAttack60AnAnswerWithoutEnd shows that neither an event nor a list may go on until the memory is full.
func TestAttack60AnAnswerWithoutEnd(t *testing.T) {
	piece := strings.Repeat(" ", 1<<20)
	page := func(w http.ResponseWriter, id json.RawMessage, cursor string, size int) {
		w.Header().Set("Content-Type", "application/json")
		for range size {
			io.WriteString(w, piece)
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","nextCursor":%q,"tools":[]}}`, id, cursor)
	}
	for _, row := range []struct {
		name   string
		answer func(w http.ResponseWriter, id json.RawMessage, n int)
		want   string
	}{
		{"an event", func(w http.ResponseWriter, _ json.RawMessage, _ int) {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "data: ")
			for _, err := io.WriteString(w, piece); err == nil; {
				_, err = io.WriteString(w, piece)
			}
		}, "event exceeded"},
		{"a list of small pages", func(w http.ResponseWriter, id json.RawMessage, n int) { page(w, id, fmt.Sprint(n), 0) }, "more than 10000 on 1000 pages"},
		{"a list of large pages", func(w http.ResponseWriter, id json.RawMessage, n int) { page(w, id, fmt.Sprint(n), 20) }, "the list is too large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var pages atomic.Int64
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var m struct {
					ID     json.RawMessage
					Method string
				}
				json.NewDecoder(r.Body).Decode(&m)
				switch m.Method {
				case "server/discover":
					w.Header().Set("Content-Type", "application/json")
					fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}}`, m.ID)
				case "tools/list":
					row.answer(w, m.ID, int(pages.Add(1)))
				}
			}))
			defer s.Close()
			session, err := client.Connect(t.Context(), s.URL, client.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			if _, err := session.Tools(t.Context()); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("after %d pages: %v", pages.Load(), err)
			}
			if n := pages.Load(); strings.Contains(row.name, "large") && n != 4 {
				t.Errorf("%d pages of 20 MiB were read", n)
			}
		})
	}
}
