package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// scripted is a server of language models that says what stands in a file, a line for each time it is asked; the last line
// is said again and again.
//
//	say TEXT                 it speaks
//	call TOOL JSON [&& TOOL JSON]…   it asks for calls
//	obey                     it calls what the last tool says: call TOOL JSON
//	cut TEXT                 it breaks off in the middle of a call
//	status CODE TEXT         it refuses
type scripted struct {
	lets func(r *http.Request) (status int, words string) // 200 lets it pass

	mu    sync.Mutex
	lines []string
	asked int
}

// model starts one, and sets $OPENAI_BASE_URL, $OPENAI_MODEL and $OPENAI_API_KEY.
func model(ts *testscript.TestScript, _ bool, args []string) {
	s := &scripted{lines: strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")}
	s.lets = func(r *http.Request) (int, string) {
		if r.Header.Get("Authorization") != "Bearer hush-hush" {
			return http.StatusBadRequest, "not like that"
		}
		return http.StatusOK, ""
	}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Setenv("OPENAI_BASE_URL", server.URL+"/v1")
	ts.Setenv("OPENAI_MODEL", "scripted")
	ts.Setenv("OPENAI_API_KEY", "hush-hush")
}

// played starts a server that answers as another one did when agent/openai recorded it, and sets the same.
func played(ts *testscript.TestScript, _ bool, args []string) {
	body, err := os.ReadFile(filepath.Join("..", "..", "agent", "openai", "testdata", "cassettes", args[0]+".json"))
	ts.Check(err)
	var cassette struct {
		Model     string
		Exchanges []struct {
			Status int
			Header map[string]string
			Body   []string
		}
	}
	ts.Check(json.Unmarshal(body, &cassette))
	var next atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(next.Add(1)) - 1
		if i >= len(cassette.Exchanges) {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		e := cassette.Exchanges[i]
		for name, value := range e.Header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(e.Status)
		io.WriteString(w, strings.Join(e.Body, ""))
	}))
	ts.Defer(server.Close)
	ts.Setenv("OPENAI_BASE_URL", server.URL+"/v1")
	ts.Setenv("OPENAI_MODEL", cassette.Model)
	ts.Setenv("OPENAI_API_KEY", "hush-hush")
}

// azureAudience is what tokens for a model at Azure are asked for.
const azureAudience = "https://cognitiveservices.azure.com"

// azure starts one that answers as a deployment at Azure does, and sets the names that Azure's own programs use.
func azure(ts *testscript.TestScript, _ bool, args []string) {
	s := &scripted{lines: strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")}
	issuer := here(ts).provider.Issuer()
	s.lets = func(r *http.Request) (status int, words string) {
		var claims struct{ Iss, Aud string }
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if parts := strings.Split(token, "."); len(parts) == 3 {
			body, _ := base64.RawURLEncoding.DecodeString(parts[1])
			json.Unmarshal(body, &claims)
		}
		switch {
		case claims.Iss != issuer || claims.Aud != devidp.EntraAPI || r.Header.Get("Api-Key") != "":
			return http.StatusUnauthorized, "not with that"
		case r.URL.RequestURI() != "/openai/deployments/scripted/chat/completions?api-version=2024-10-21":
			return http.StatusNotFound, "not there"
		}
		return http.StatusOK, ""
	}
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	login, tenant, _ := strings.Cut(strings.TrimSuffix(issuer, "/v2.0"), devidp.EntraTenant)
	for name, value := range map[string]string{
		"AZURE_OPENAI_ENDPOINT": server.URL, "AZURE_OPENAI_DEPLOYMENT": "scripted", "AZURE_AUTHORITY_HOST": login, "AZURE_TENANT_ID": devidp.EntraTenant + tenant,
		"service": devidp.EntraService, "secret": devidp.ServiceSecret, "identity": machineIdentity(ts),
	} {
		ts.Setenv(name, value)
	}
}

// machineIdentity starts an endpoint as App Service has it, and returns its URL. It gives tokens of the world's provider to
// whoever knows the header hush-hush.
func machineIdentity(ts *testscript.TestScript) string {
	issuer := here(ts).provider.Issuer()
	suite.Learn("key of a model", "hush-hush")
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.Header.Get("X-IDENTITY-HEADER") != "hush-hush" || q.Get("resource") != azureAudience || q.Get("client_id") != devidp.EntraService {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		res, err := http.PostForm(strings.TrimSuffix(issuer, "/v2.0")+"/oauth2/v2.0/token", url.Values{"grant_type": {"client_credentials"},
			"client_id": {devidp.EntraService}, "client_secret": {devidp.ServiceSecret}, "scope": {azureAudience + "/.default"}})
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
		io.Copy(w, res.Body)
	}))
	ts.Defer(s.Close)
	return s.URL + "/msi/token"
}

// elsewhere opens the only conversation in a folder until the script ends.
func elsewhere(ts *testscript.TestScript, _ bool, args []string) {
	dir := filepath.Join(ts.MkAbs(args[0]), "conversations")
	all, err := agent.Transcripts(dir)
	ts.Check(err)
	if len(all) != 1 {
		ts.Fatalf("%s holds %d conversations", args[0], len(all))
	}
	open, err := agent.OpenTranscript(dir, all[0].ID)
	ts.Check(err)
	ts.Defer(func() { open.Close() })
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Messages []struct{ Role, Content string } `json:"messages"`
		Tools    []any                            `json:"tools"`
	}
	status, words := s.lets(r)
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		status, words = http.StatusBadRequest, err.Error()
	}
	if status != http.StatusOK {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":%q}}`, words)
		return
	}
	s.mu.Lock()
	line := s.lines[min(s.asked, len(s.lines)-1)]
	s.asked++
	s.mu.Unlock()
	verb, rest, _ := strings.Cut(line, " ")
	last := q.Messages[len(q.Messages)-1].Content
	if verb == "obey" {
		var e struct{ Data string }
		json.Unmarshal([]byte(last), &e)
		verb, rest = "say", "I was told nothing"
		if _, order, found := strings.Cut(e.Data, "call "); found {
			verb, rest = "call", strings.TrimSuffix(strings.ReplaceAll(order, `\"`, `"`), `"}`)
		}
	}
	if verb == "status" {
		code, text := 0, ""
		fmt.Sscan(rest, &code)
		_, text, _ = strings.Cut(rest, " ")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"message":%q}}`, text)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	piece := func(delta any, finish any) {
		raw, _ := json.Marshal(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}})
		fmt.Fprintf(w, "data: %s\n\n", raw)
	}
	finish := "stop"
	switch verb {
	case "say":
		for word := range strings.SplitAfterSeq(strings.ReplaceAll(rest, "$LAST", last), " ") {
			piece(map[string]any{"content": word}, nil)
		}
	case "call", "cut":
		finish = "tool_calls"
		for i, call := range strings.Split(rest, " && ") {
			tool, arguments, _ := strings.Cut(call, " ")
			piece(map[string]any{"tool_calls": []any{map[string]any{"index": i, "id": fmt.Sprintf("c%d", i), "type": "function", "function": map[string]any{"name": tool, "arguments": arguments}}}}, nil)
		}
		if verb == "cut" {
			return
		}
	}
	piece(map[string]any{}, finish)
	io.WriteString(w, "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":10}}\n\ndata: [DONE]\n\n")
}
