package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// ruled is a policy with a rule of each sort about the built-in tools.
const ruled = `implies:
  execute: ["*"]
rules:
  - name: numbers are for administrators
    effect: deny
    tools: [random_number_tool]
    when: '!("Tools.Admin" in identity.roles)'
  - name: short texts
    tools: [reverse_tool]
    scopes: [execute]
    when: arguments.query.size() < 10
  - name: clock
    tools: [get_current_time]
    resources: ["time://*"]
    scopes: [time:read]
  - name: numbers
    tools: [random_number_tool]
    scopes: [execute]
`

// written writes a policy into a file of its own.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// book is a log that may be read while it is written.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take returns what was logged since it was last asked.
func (b *book) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.buf.String()
	b.buf.Reset()
	return s
}

func (b *book) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(b, nil)) }

// TestThePolicyFileDecides reads every sort of decision on the wire.
func TestThePolicyFileDecides(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_POLICY_FILE="+written(t, ruled))
	admin := h.token(t, h.provider.Server, devidp.UserAdmin, "execute")
	reader := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	call := func(token, tool, arguments string) *answer {
		t.Helper()
		a, err := h.call(token, "tools/call", tool, `"name":"`+tool+`","arguments":`+arguments+`,`)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := call(admin, "reverse_tool", `{"query":"abc"}`); a.status != http.StatusOK || !strings.Contains(a.body, "cba") {
		t.Errorf("a call that a rule allows is answered %d %s", a.status, a.body)
	}
	if a := call(admin, "random_number_tool", `{"min":1,"max":1}`); a.status != http.StatusOK || !strings.Contains(a.body, "random_number") {
		t.Errorf("a call that a rule allows is answered %d %s", a.status, a.body)
	}
	a := call(reader, "reverse_tool", `{"query":"abc"}`)
	if challenge := a.header.Get("WWW-Authenticate"); a.status != http.StatusForbidden || !strings.Contains(challenge, `error="insufficient_scope"`) || !strings.Contains(challenge, `scope="execute"`) {
		t.Errorf("RS-13 a call that lacks a scope is answered %d %s", a.status, challenge)
	}
	const listed, hidden = `the policy does not let you call the tool`, "unknown tool"
	for name, row := range map[string]struct {
		*answer
		says string
	}{
		"arguments that the condition does not let in": {call(admin, "reverse_tool", `{"query":"abcdefghijkl"}`), listed},
		"a wrong argument":     {call(admin, "reverse_tool", `{"query":7}`), listed},
		"a forgotten argument": {call(admin, "reverse_tool", `{}`), listed},
		"no arguments":         {call(admin, "reverse_tool", `null`), listed},
		"a denied caller":      {call(reader, "random_number_tool", `{"min":1,"max":1}`), hidden},
		"a tool of no rule":    {call(admin, "convert_time", `{}`), hidden},
		"a tool there is not":  {call(admin, "no_such_tool", `{}`), hidden},
	} {
		if row.status != http.StatusBadRequest || !strings.Contains(row.body, `"code":-32602`) || !strings.Contains(row.body, row.says) || row.header.Get("WWW-Authenticate") != "" {
			t.Errorf("attack 44 attack 54 %s is answered %d %s", name, row.status, row.body)
		}
	}
	for _, row := range []struct {
		token   string
		visible []string
		hidden  []string
	}{
		{admin, []string{"reverse_tool", "get_current_time", "random_number_tool"}, []string{"convert_time"}},
		{reader, []string{"reverse_tool", "get_current_time"}, []string{"random_number_tool", "convert_time"}},
	} {
		a, err := h.call(row.token, "tools/list", "", "")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(a.body, `"cacheScope":"private"`) {
			t.Errorf("RS-21 the list is not private: %s", a.body)
		}
		for _, name := range row.visible {
			if !strings.Contains(a.body, `"name":"`+name+`"`) {
				t.Errorf("RS-20 %s is not listed", name)
			}
		}
		for _, name := range row.hidden {
			if strings.Contains(a.body, name) {
				t.Errorf("attack 44 RS-20 %s is listed", name)
			}
		}
	}
}

// TestThePolicyFileDecidesInBothEras walks with a client of each, so that the arguments reach the rules on every path: the
// plain answer and the stream with progress.
func TestThePolicyFileDecidesInBothEras(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_POLICY_FILE="+written(t, ruled))
	for _, version := range []string{"2026-07-28", "2025-11-25", "2025-03-26"} {
		session := h.signInAs(t, devidp.UserUser, h.at.MCP, version, "execute")
		for name, hear := range map[string]func(client.Progress){"plain": nil, "with progress": func(client.Progress) {}} {
			if _, err := session.Call(t.Context(), "reverse_tool", map[string]any{"query": "abc"}, hear); err != nil {
				t.Errorf("%s, %s: what a rule allows is answered %v", version, name, err)
			}
			_, err := session.Call(t.Context(), "reverse_tool", map[string]any{"query": "abcdefghijkl"}, hear)
			if err == nil || !strings.Contains(err.Error(), "the policy does not let you call") {
				t.Errorf("%s, %s: what no rule allows is answered %v", version, name, err)
			}
			_, err = session.Call(t.Context(), "random_number_tool", map[string]any{"min": 1, "max": 1}, hear)
			if err == nil || !strings.Contains(err.Error(), "unknown tool") {
				t.Errorf("attack 44 %s, %s: what a rule denies is answered %v", version, name, err)
			}
		}
		tools, err := session.Tools(t.Context())
		if err != nil || len(tools) != 2 {
			t.Errorf("RS-20 %s: %d tools are listed, %v", version, len(tools), err)
		}
	}
}

// TestAttack44UnknownAndDeniedLookAlike compares the two answers byte for byte, apart from the name and the request id.
func TestAttack44UnknownAndDeniedLookAlike(t *testing.T) {
	h := open(t, Options{}, "FASTMCP_AUTH_POLICY_FILE="+written(t, ruled))
	reader := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	look := func(tool string) (int, string) {
		a, err := h.call(reader, "tools/call", tool, `"name":"`+tool+`","arguments":{"min":1,"max":2},`)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.NewReplacer(tool, "TOOL", a.header.Get("X-Request-Id"), "ID").Replace(a.body)
		a.header.Del("Date")
		a.header.Del("X-Request-Id")
		a.header.Del("Content-Length")
		var header strings.Builder
		if err := a.header.Write(&header); err != nil {
			t.Fatal(err)
		}
		return a.status, header.String() + body
	}
	deniedStatus, denied := look("random_number_tool")
	unknownStatus, unknown := look("xxxxxxxx_xxxxxxxxx")
	if deniedStatus != unknownStatus || denied != unknown {
		t.Errorf("denied: %d %s\nunknown: %d %s", deniedStatus, denied, unknownStatus, unknown)
	}
}

// TestThePolicyIsReadAgain: a good file is taken over by the calls that follow, a bad one is refused with all its faults
// and the old one stays.
func TestThePolicyIsReadAgain(t *testing.T) {
	var log book
	path := written(t, ruled)
	h := open(t, Options{Logger: log.logger()}, "FASTMCP_AUTH_POLICY_FILE="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	for i, row := range []struct {
		text   string
		status int
		says   []string
	}{
		{ruled, http.StatusOK, []string{`"policy unchanged"`}},
		{"rules: []\n", http.StatusBadRequest, []string{`"policy reloaded"`}},
		{"rules:\n  - nme: x\n    tools: [revers_tool]\n", http.StatusBadRequest, []string{`"policy refused, the one in use stays"`, "policy.yaml:2:5: ", `\"nme\" is no key`, "policy.yaml:3:13: ", "names nothing that is there"}},
		{"", http.StatusBadRequest, []string{"is empty"}},
		{strings.Repeat("#", policy.MaxFile+1), http.StatusBadRequest, []string{"is larger than 256 KiB"}},
		{ruled, http.StatusOK, []string{`"policy reloaded"`}},
	} {
		rewrite(t, path, row.text)
		log.take()
		h.ReloadPolicy(t.Context())
		said := log.take()
		for _, want := range row.says {
			if !strings.Contains(said, want) {
				t.Errorf("%d: the log %s lacks %s", i, said, want)
			}
		}
		if a, err := h.reverse(token, "abc"); err != nil || a.status != row.status {
			t.Errorf("attack 54 %d: answered %+v, %v", i, a, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	h.ReloadPolicy(t.Context())
	if a, err := h.reverse(token, "abc"); err != nil || a.status != http.StatusOK || !strings.Contains(log.take(), "is not there") {
		t.Errorf("attack 54 without its file it answers %+v, %v", a, err)
	}
}

// TestAChangedPolicyFileIsNoticed: nobody has to ask, and what is wrong is said once.
func TestAChangedPolicyFileIsNoticed(t *testing.T) {
	path := written(t, "rules: []\n")
	synctest.Test(t, func(t *testing.T) {
		var log book
		var used int
		s := &Server{policyFiles: []*policyFile{{path: path, what: "policy", log: log.logger(), inUse: []byte("rules: []\n"), use: func(*policy.Policy) { used++ }}}}
		ctx, cancel := context.WithCancel(t.Context())
		go s.watchPolicies(ctx)
		pass := func() string {
			time.Sleep(3 * policyInterval) // in the bubble's time
			synctest.Wait()
			return log.take()
		}
		if said := pass(); said != "" || used != 0 {
			t.Errorf("nothing changed, and it says %s", said)
		}
		rewrite(t, path, ruled)
		if said := pass(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "policy reloaded") || used != 1 {
			t.Errorf("a change is told as %s", said)
		}
		// Half of a file may be a policy that opens more.
		whole := "rules:\n  - name: r\n    tools: [reverse_tool]\n    roles: [Tools.Admin]\n"
		rewrite(t, path, strings.TrimSuffix(whole, "    roles: [Tools.Admin]\n"))
		time.Sleep(policyInterval)
		synctest.Wait()
		if said := log.take(); said != "" || used != 1 {
			t.Errorf("attack 54 a file that is being written is told as %s, and used", said)
		}
		rewrite(t, path, whole)
		if said := pass(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "policy reloaded") || used != 2 {
			t.Errorf("the whole of it is told as %s", said)
		}
		rewrite(t, path, ruled)
		pass()
		used = 1
		rewrite(t, path, "rules: {}\n")
		if said := pass(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "policy refused") || used != 1 {
			t.Errorf("a bad change is told as %s", said)
		}
		rewrite(t, path, ruled)
		if said := pass(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "policy unchanged") || used != 1 {
			t.Errorf("the old text is told as %s", said)
		}
		cancel()
	})
}

// TestTheShadowPolicyOnlySpeaks: the log says where it differs, without caller and arguments, and nobody acts on it.
func TestTheShadowPolicyOnlySpeaks(t *testing.T) {
	var log book
	path := written(t, ruled)
	h := open(t, Options{Logger: log.logger()}, "FASTMCP_AUTH_POLICY_SHADOW="+path)
	token := h.token(t, h.provider.Server, devidp.UserUser, "execute")
	log.take()
	for text, differs := range map[string]bool{"abc": false, "a-very-long-secret": true} {
		if a, err := h.reverse(token, text); err != nil || a.status != http.StatusOK {
			t.Fatalf("%s is answered %+v, %v", text, a, err)
		}
		said := log.take()
		if (strings.Count(said, "shadow policy differs") == 1) != differs {
			t.Errorf("%s is told as %s", text, said)
		}
		if differs && (!strings.Contains(said, `"operation":"reverse_tool","decision":"allow","rule":"broad scope","request_id":"`) || !strings.Contains(said, `"would_be":"deny","would_be_rule":"no rule"`)) {
			t.Errorf("the difference is told as %s", said)
		}
		if strings.Contains(said, "secret") || strings.Contains(said, devidp.UserUser+"@") || strings.Contains(said, token) {
			t.Errorf("the log holds what it may not: %s", said)
		}
	}
	// One that only lacks a scope is refused before the call begins, and told once too.
	reader := h.token(t, h.provider.Server, devidp.UserReader, "time:read")
	if a, err := h.call(reader, "tools/call", "convert_time", `"name":"convert_time","arguments":{},`); err != nil || a.status != http.StatusForbidden {
		t.Fatalf("answered %+v, %v", a, err)
	}
	if said := log.take(); strings.Count(said, "shadow policy differs") != 1 || !strings.Contains(said, `"decision":"needs_scope"`) {
		t.Errorf("a refusal is told as %s", said)
	}
	rewrite(t, path, "rules: {}\n")
	h.ReloadPolicy(t.Context())
	if said := log.take(); !strings.Contains(said, `"shadow policy refused, the one in use stays"`) {
		t.Errorf("a bad shadow is told as %s", said)
	}
}

// TestABadPolicyStopsTheStart with the faults of both files.
func TestABadPolicyStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	rewrite(t, filepath.Join(dir, "shadow.yaml"), "rules: 7\n")
	s, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: []string{"FASTMCP_AUTH_ADDR=127.0.0.1:0",
		"FASTMCP_AUTH_POLICY_FILE=none.yaml", "FASTMCP_AUTH_POLICY_SHADOW=shadow.yaml"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Listen(t.Context(), s, Options{})
	var faults *policy.Faults
	if !errors.As(err, &faults) || len(faults.List) != 2 || !strings.Contains(err.Error(), "none.yaml is not there") || !strings.Contains(err.Error(), "shadow.yaml:1:8: rules is") {
		t.Errorf("answered %v", err)
	}
	if _, err := LoadPolicy(s); !errors.As(err, &faults) {
		t.Errorf("answered %v", err)
	}
}

// TestIdentify verifies as the server does: what it would refuse is nobody.
func TestIdentify(t *testing.T) {
	p := provider(t, devidp.Options{})
	load := func(more ...string) *config.Settings {
		t.Helper()
		s, err := config.Load(config.Source{Command: config.Show, Dir: t.TempDir(), Environ: append(more, "FASTMCP_AUTH_PUBLIC_URL=http://127.0.0.1:8000")})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	mint := func(audience string) string {
		t.Helper()
		token, err := p.MintToken(devidp.TokenRequest{User: devidp.UserReader, Audience: []string{audience}, Scopes: []string{"time:read"}})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	s := load(trusting(p)...)
	id, err := Identify(t.Context(), s, mint("http://127.0.0.1:8000/mcp"))
	if err != nil || !id.HasScope("time:read") {
		t.Errorf("answered %+v, %v", id, err)
	}
	if id, err := Identify(t.Context(), s, mint("https://other.example.com/mcp")); err == nil || id != nil {
		t.Errorf("a token for another resource is %+v", id)
	}
	if _, err := Identify(t.Context(), load(), "x"); err == nil || !strings.Contains(err.Error(), "provider.kind") {
		t.Errorf("without a provider: %v", err)
	}
	if _, err := Identify(t.Context(), load("FASTMCP_AUTH_NO_AUTH=true"), "x"); err == nil {
		t.Error("a server without sign-in reads a token")
	}
}

// TestAttack28_Entra22_GroupsThatDoNotFitDeny signs people in at a provider that behaves like Entra ID: one has more groups
// than fit into a token, and the log says that this is why.
func TestAttack28_Entra22_GroupsThatDoNotFitDeny(t *testing.T) {
	var log book
	h := open(t, Options{Logger: log.logger()}, "FASTMCP_AUTH_IDP_CHARACTER=entra", "FASTMCP_AUTH_POLICY_FILE="+written(t, `rules:
  - name: nobody of the outside
    tools: [random_number_tool]
    groups: [outside]
  - name: not the outside
    tools: [reverse_tool]
    when: '!("outside" in identity.groups)'
    scopes: [execute]
`))
	for user, denied := range map[string]string{
		devidp.UserAdmin: "the groups of the caller are not in the token, because there are too many",
		devidp.UserUser:  "",
	} {
		session := h.signInAs(t, user, h.at.MCP, "", "execute")
		log.take()
		_, err := session.Call(t.Context(), "reverse_tool", map[string]any{"query": "abc"}, nil)
		said := log.take()
		if (err != nil) != (denied != "") || denied != "" && (strings.Count(said, `"call denied"`) != 1 || !strings.Contains(said, denied) || !strings.Contains(said, `"rule":"not the outside"`)) {
			t.Errorf("%s is answered %v and told as %s", user, err, said)
		}
		if _, err := session.Call(t.Context(), "random_number_tool", map[string]any{"min": 1, "max": 1}, nil); err == nil {
			t.Errorf("%s is taken for a member of a group", user)
		}
	}
}
