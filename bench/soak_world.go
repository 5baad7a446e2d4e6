package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

const (
	people  = 200 // callers, each with a token that is sent again and again
	settles = 20 * time.Second
)

// world is the program under load, its provider, and what is true now: which tokens are good and what the policy says.
type world struct {
	idp                *devidp.Running
	server             *child
	url, addr, admin   string
	rules              string // the policy file
	strangers, expired []string
	elsewhere, narrow  []string // for another audience, and of too little scope
	fresh              int      // tokens that were minted to be sent once

	mu        sync.Mutex
	tokens    []string
	gone      []string // tokens of keys that were withdrawn; nil before the first
	goneFor   bool     // the program knows that they are
	closed    bool     // the policy denies the dice
	unsettled bool     // it is being changed
	revoking  bool     // the keys of tokens are being withdrawn
	slices    int      // answered so far
	another   *sync.Cond

	rolled, withdrawn, reloaded, broken, downs int
}

const (
	looseRules  = "rules:\n  - name: all\n    tools: [\"*\"]\n    kind: person\n    scopes: [execute]\n"
	strictRules = "rules:\n  - name: no dice\n    effect: deny\n    tools: [random_number_tool]\n" +
		"  - name: all but dice\n    tools: [\"*\"]\n    kind: person\n    scopes: [execute]\n"
	brokenRules = "rules:\n  - name: all\n    tools: everything\n"
)

// newWorld starts the program with a policy file, a record and metrics.
func newWorld(ctx context.Context, o soakOptions, idp *devidp.Running, dir string) (*world, error) {
	w := &world{idp: idp, rules: filepath.Join(dir, "policy.yaml")}
	w.another = sync.NewCond(&w.mu)
	if err := os.WriteFile(w.rules, []byte(looseRules), 0o600); err != nil {
		return nil, err
	}
	var ready struct{ MCP, Addr, Admin string }
	var err error
	w.server, err = start(ctx, &ready, []string{
		"FASTMCP_AUTH_ADDR=127.0.0.1:0", "FASTMCP_AUTH_ADMIN_ADDR=127.0.0.1:0", "FASTMCP_AUTH_LOG_LEVEL=error",
		"FASTMCP_AUTH_REVERSE_DURATION=0s", "FASTMCP_AUTH_PROVIDER_KIND=dev", "FASTMCP_AUTH_PROVIDER_ISSUER=" + idp.Issuer(),
		"FASTMCP_AUTH_POLICY_FILE=" + w.rules,
		"FASTMCP_AUTH_AUDIT_FILE_PATH=" + filepath.Join(dir, "audit.jsonl"), "FASTMCP_AUTH_AUDIT_FILE_MAX_SIZE=16MiB", "FASTMCP_AUTH_AUDIT_FILE_KEEP=2",
		fmt.Sprintf("FASTMCP_AUTH_LIMITS_SESSIONS=%d", o.streams+o.connections+1000),
		// Tokens of keys that were withdrawn ask for keys in vain, which for this long keeps younger keys from being found.
		"FASTMCP_AUTH_TOKENS_UNKNOWN_KEY_INTERVAL=1s",
		"FASTMCP_AUTH_LIMITS_CALLER_RATE=1000000", "FASTMCP_AUTH_LIMITS_ADDRESS_RATE=1000000", // all callers share one address here
	}, o.binary, "serve")
	if err != nil {
		return nil, err
	}
	w.url, w.addr, w.admin = ready.MCP, ready.Addr, ready.Admin
	if err := w.sign(); err != nil {
		w.server.stop()
		return nil, err
	}
	return w, nil
}

// mint returns a token of one caller.
func (w *world) mint(caller int, change func(*devidp.TokenRequest)) (string, error) {
	r := devidp.TokenRequest{
		User: devidp.UserAdmin, Audience: []string{w.url}, Scopes: []string{"execute"}, Lifetime: time.Hour, Algorithm: "RS256",
		Claims: map[string]any{"sub": fmt.Sprintf("caller-%d", caller)},
	}
	if change != nil {
		change(&r)
	}
	return w.idp.MintToken(r)
}

// sign mints a token for each caller, and those that are wrong, with the provider's keys of now.
func (w *world) sign() error {
	var faults error
	all := func(n int, change func(*devidp.TokenRequest)) (tokens []string) {
		for caller := range n {
			token, err := w.mint(caller, change)
			faults = errors.Join(faults, err)
			tokens = append(tokens, token)
		}
		return tokens
	}
	tokens := all(people, nil)
	expired := all(4, func(r *devidp.TokenRequest) { r.Lifetime = -10 * time.Minute })
	elsewhere := all(4, func(r *devidp.TokenRequest) { r.Audience = []string{"https://elsewhere.example.com/mcp"} })
	narrow := all(4, func(r *devidp.TokenRequest) { r.Scopes = []string{"time:read"} })
	if faults != nil {
		return faults
	}
	var strangers []string
	for i, token := range tokens[:4] {
		// Another's claims under this signature.
		head, _, _ := strings.Cut(token, ".")
		_, body, _ := strings.Cut(tokens[i+4], ".")
		body, _, _ = strings.Cut(body, ".")
		strangers = append(strangers, head+"."+body+token[strings.LastIndexByte(token, '.'):])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tokens, w.expired, w.elsewhere, w.narrow, w.strangers = tokens, expired, elsewhere, narrow, strangers
	return nil
}

// The answers that are right.
var (
	reversed = reply{Status: 200, Has: want}
	diced    = reply{Status: 200, Has: "random_number"}
	unknown  = reply{Status: 400, Has: "-32602"}
	invalid  = reply{Status: 401, Challenge: `error="invalid_token"`}
)

// slice is the next second of requests, with the answers that are right now.
func (w *world) slice(o soakOptions) (slice, error) {
	const freshes = 20
	var fresh []string
	w.mu.Lock()
	revoking := w.revoking
	w.mu.Unlock()
	for range freshes {
		if revoking {
			break
		}
		w.fresh++
		token, err := w.mint(w.fresh%people, func(r *devidp.TokenRequest) {
			r.Algorithm, r.Claims["jti"] = "ES256", fmt.Sprintf("fresh-%d", w.fresh)
		})
		if err != nil {
			return slice{}, err
		}
		fresh = append(fresh, token)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	call := message(modern, false)
	good := func(a ask) ask {
		a.Good = true
		if w.revoking { // good until the program learns that its key is gone
			a.Good, a.Want = false, append(a.Want, invalid)
		}
		return a
	}
	asks := []ask{
		good(ask{Name: "calls", Share: 60, Tool: tool, Body: call, Signed: true, Want: []reply{reversed}}),
		good(ask{Name: "calls in a session", Share: 12, Legacy: true, Tool: tool, Body: message(legacy, false), Want: []reply{reversed}}),
		{Name: "calls with a tool that is not there", Share: 3, Tool: "none", Body: messageTo("none", "{}", modern, false), Signed: true, Want: []reply{unknown}, Bad: true},
		{Name: "calls without a token", Share: 3, Tool: tool, Body: call, Want: []reply{{Status: 401, Challenge: "resource_metadata="}}, Bad: true},
		{Name: "calls under another's signature", Share: 3, Tool: tool, Body: call, Tokens: w.strangers, Want: []reply{invalid}, Bad: true},
		{Name: "calls with a token that expired", Share: 3, Tool: tool, Body: call, Tokens: w.expired, Want: []reply{invalid}, Bad: true},
		{Name: "calls with a token for another server", Share: 3, Tool: tool, Body: call, Tokens: w.elsewhere, Want: []reply{invalid}, Bad: true},
		{Name: "calls that lack a scope", Share: 3, Tool: tool, Body: call, Tokens: w.narrow, Want: []reply{{Status: 403, Challenge: `error="insufficient_scope"`}}, Bad: true},
		{Name: "messages that are no JSON", Share: 2, Tool: tool, Body: []byte(`{"jsonrpc":"2.0",`), Signed: true, Want: []reply{{Status: 400, Has: "-32700"}}, Bad: true},
	}
	if w.revoking {
		for i := range asks {
			asks[i].Want = append(asks[i].Want, invalid)
		}
	}
	if fresh != nil {
		asks = append(asks, good(ask{Name: "calls with a token never seen", Share: 2, Tool: tool, Body: call, Tokens: fresh, Want: []reply{reversed}}))
	}
	dice := ask{Name: "calls that the policy lets pass now and then", Share: 4, Tool: "random_number_tool",
		Body: messageTo("random_number_tool", `{"min":1,"max":6}`, modern, false), Signed: true}
	switch {
	case w.unsettled || w.revoking:
		dice.Want = []reply{diced, unknown, invalid}
	case w.closed:
		dice.Want, dice.Bad = []reply{unknown}, true
	default:
		dice.Want, dice.Good = []reply{diced}, true
	}
	asks = append(asks, dice)
	if w.goneFor {
		asks = append(asks, ask{Name: "calls with a token of a withdrawn key", Share: 2, Tool: tool, Body: call, Tokens: w.gone, Want: []reply{invalid}, Bad: true})
	}
	return slice{Addr: w.addr, Requests: o.rate, Every: time.Second / time.Duration(o.rate), Connections: o.connections, Asks: asks, Tokens: w.tokens}, nil
}

// sliced says that a slice was answered.
func (w *world) sliced() {
	w.mu.Lock()
	w.slices++
	w.mu.Unlock()
	w.another.Broadcast()
}

// nobodyExpects returns when every slice that was put together before now has been answered. It reports false when ctx
// ended first: then the last slice may still expect what was, and nothing must change under it.
func (w *world) nobodyExpects(ctx context.Context) bool {
	defer context.AfterFunc(ctx, w.another.Broadcast)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for until := w.slices + 2; w.slices < until && ctx.Err() == nil; {
		w.another.Wait()
	}
	return ctx.Err() == nil
}

func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// change changes the world again and again until ctx ends: a cycle of all changes, each in its turn.
func (w *world) change(ctx context.Context, duration time.Duration) error {
	pause := min(max(duration/28, 250*time.Millisecond), 5*time.Second) // four cycles of seven changes, or more
	for cycle := 0; ; cycle++ {
		for _, change := range []func(context.Context) error{
			w.roll,
			func(ctx context.Context) error { return w.decide(ctx, strictRules, true) },
			func(context.Context) error { return w.down(cycle, true) },
			w.breakPolicy,
			func(context.Context) error { return w.down(cycle, false) },
			func(ctx context.Context) error { return w.decide(ctx, looseRules, false) },
			w.withdraw,
		} {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			if err := change(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// roll has the provider sign with other keys. What the old ones signed stays good.
func (w *world) roll(ctx context.Context) error {
	w.set(func() { w.goneFor = false })
	for range 2 { // longer than unknown keys are not asked for
		if !w.nobodyExpects(ctx) {
			return nil
		}
	}
	w.idp.Faults().RollKeys()
	w.rolled++
	return w.sign()
}

// withdraw has the provider sign with other keys and take the old ones away: what they signed is worthless as soon as
// the program learns of it, which it does when the first new token comes.
func (w *world) withdraw(ctx context.Context) error {
	w.set(func() { w.revoking, w.goneFor = true, false })
	if !w.nobodyExpects(ctx) {
		return nil
	}
	old := w.tokens
	w.idp.Faults().ReplaceKeys()
	if err := w.sign(); err != nil {
		return err
	}
	w.withdrawn++
	if err := w.until(ctx, tool, message(modern, false), w.tokens[0], reversed); err != nil {
		return fmt.Errorf("a token of the keys that replaced others: %w", err)
	}
	if !w.nobodyExpects(ctx) {
		return nil
	}
	w.set(func() { w.revoking = false })
	if err := w.until(ctx, tool, message(modern, false), old[0], invalid); err != nil {
		return fmt.Errorf("a token of a key that was withdrawn: %w", err)
	}
	w.set(func() { w.gone, w.goneFor = old[:8], true })
	return nil
}

// decide puts another policy in the place of the one that is used.
func (w *world) decide(ctx context.Context, rules string, closed bool) error {
	w.set(func() { w.unsettled = true })
	if !w.nobodyExpects(ctx) {
		return nil
	}
	if err := w.rewrite(rules); err != nil {
		return err
	}
	right := diced
	if closed {
		right = unknown
	}
	if err := w.until(ctx, "random_number_tool", messageTo("random_number_tool", `{"min":1,"max":6}`, modern, false), w.tokens[0], right); err != nil {
		return fmt.Errorf("another policy: %w", err)
	}
	w.reloaded++
	w.set(func() { w.closed, w.unsettled = closed, false })
	return nil
}

// breakPolicy writes a policy that is wrong. The one in use must stay, so that nothing else is expected afterwards.
func (w *world) breakPolicy(context.Context) error {
	w.broken++
	return w.rewrite(brokenRules)
}

// rewrite replaces the policy file at once and has it read.
func (w *world) rewrite(rules string) error {
	if err := os.WriteFile(w.rules+".next", []byte(rules), 0o600); err != nil {
		return err
	}
	if err := os.Rename(w.rules+".next", w.rules); err != nil {
		return err
	}
	return w.hangup()
}

// down takes the provider down in one of three ways, or brings it up. Keys that are known serve meanwhile.
func (w *world) down(cycle int, on bool) error {
	f := w.idp.Faults()
	switch cycle % 3 {
	case 0:
		f.SetDown(on)
	case 1:
		f.SetUnreachable(on)
	case 2:
		f.SetDelay(map[bool]time.Duration{true: 10 * time.Second}[on])
	}
	if on {
		w.downs++
	}
	return nil
}

// until asks again and again until the answer is right, which it must be soon.
func (w *world) until(ctx context.Context, name string, body []byte, token string, right reply) error {
	c, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for deadline := time.Now().Add(settles); ; time.Sleep(50 * time.Millisecond) {
		status, said, err := c.exchange(modern, name, token, body)
		if err != nil {
			return err
		}
		if right.fits(answered{status: status, body: said, challenge: c.challenge}) || ctx.Err() != nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %v the answer is still %d %.200s", settles, status, said)
		}
	}
}

// Of the metrics of the Go runtime.
const (
	heapBytes  = "go_memstats_heap_alloc_bytes"
	idleBytes  = "go_memstats_heap_idle_bytes"
	stackBytes = "go_memstats_stack_inuse_bytes"
)

// metric asks the program for one of its metrics.
func (w *world) metric(ctx context.Context, name string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("the metrics have no %s", name)
}

// idleStreams holds streams open at the program that was under load.
func (w *world) idleStreams(ctx context.Context, n int) ([]budget, error) {
	if n == 0 {
		return nil, nil
	}
	token, err := w.mint(0, nil)
	if err != nil {
		return nil, err
	}
	if err := w.until(ctx, tool, message(modern, false), token, reversed); err != nil {
		return nil, err
	}
	holder, err := holdStreams(ctx, w.addr, n, func(caller int) (string, error) { return w.mint(people+caller, nil) })
	if err != nil {
		return nil, err
	}
	defer holder.stop()
	resident, _, err := memory(w.server.cmd.Process.Pid)
	for _, name := range []string{heapBytes, idleBytes, stackBytes} {
		bytes, fault := w.metric(ctx, name)
		err = errors.Join(err, fault)
		fmt.Printf("# with %d idle streams: %s %.0f MB\n", n, name, bytes/1e6)
	}
	return []budget{{fmt.Sprintf("idle_streams_%d", n), float64(resident) / 1e6, "MB", 1000, true}}, err
}
