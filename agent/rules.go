package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// Verdict is what a rule says.
type Verdict string

// The verdicts.
const (
	Allow Verdict = "allow"
	Deny  Verdict = "deny"
	Ask   Verdict = "ask"
	none  Verdict = ""
)

// Rule decides about calls of one tool, or of several. In its texts * stands for anything, and \* for itself.
type Rule struct {
	Decision Verdict `json:"decision"`
	Server   string  `json:"server"` // its URL
	Tool     string  `json:"tool"`   // as the server names it
	// Arguments are patterns, by name: for a text of the text, for all else of its JSON. A text that would read as JSON, such
	// as false, is held against an allowing pattern with its quotes, so that it is not taken for the other. nil takes any
	// arguments. Otherwise a call without an argument that is named here is not meant, and what allows means no call that has
	// one more; what denies or asks does.
	Arguments map[string]string `json:"arguments,omitzero"`
	Reason    string            `json:"reason,omitempty"` // of a deny, for the model
}

// Rules decide about calls: the first deny counts, then the first ask, then the first allow. The zero value decides
// nothing. They are safe for concurrent use.
type Rules struct {
	path string

	mu       sync.Mutex
	readOnly Verdict
	rules    []Rule
}

// rulesFile is how they are kept.
type rulesFile struct {
	ReadOnly Verdict `json:"read_only,omitempty"` // for tools that change nothing, says their server: allow, or ask
	Rules    []Rule  `json:"rules"`
}

const maxRules = 1 << 20 // bytes of a file

// ErrRulesExposed means that others than the owner may write a file with rules.
var ErrRulesExposed = errors.New("others may write it: chmod 600")

// LoadRules reads the rules in a file; one that is missing holds none, and Keep makes it.
func LoadRules(path string) (*Rules, error) {
	r := &Rules{path: path}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("agent: read rules: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("agent: rules in %s: %w", path, ErrRulesExposed)
	}
	if info.Size() > maxRules {
		return nil, fmt.Errorf("agent: rules in %s: it is larger than %d bytes", path, maxRules)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("agent: read rules: %w", err)
	}
	parsed, err := ParseRules(body)
	if err != nil {
		return nil, fmt.Errorf("agent: rules in %s: %w", path, err)
	}
	r.readOnly, r.rules = parsed.readOnly, parsed.rules
	return r, nil
}

// ParseRules reads rules from JSON: {"read_only": "allow", "rules": [{"decision": "allow", "server": …, "tool": …}]}. What
// it does not know is an error.
func ParseRules(body []byte) (*Rules, error) {
	var f rulesFile
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the rules")
	}
	if f.ReadOnly != none && f.ReadOnly != Allow && f.ReadOnly != Ask {
		return nil, fmt.Errorf("read_only: %q is neither allow nor ask", f.ReadOnly)
	}
	for i, rule := range f.Rules {
		if rule.Decision != Allow && rule.Decision != Deny && rule.Decision != Ask {
			return nil, fmt.Errorf("rule %d: decision: %q is not one of allow, deny, ask", i+1, rule.Decision)
		}
		if rule.Server == "" || rule.Tool == "" {
			return nil, fmt.Errorf("rule %d: server and tool are needed; * stands for any", i+1)
		}
	}
	return &Rules{readOnly: f.ReadOnly, rules: f.Rules}, nil
}

// decide asks the rules about c.
func (r *Rules) decide(c Call) (Verdict, string) {
	if r == nil {
		return none, ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, wanted := range []Verdict{Deny, Ask, Allow} {
		for _, rule := range r.rules {
			if rule.Decision != wanted || !rule.means(c) {
				continue
			}
			switch {
			case wanted == Deny && rule.Reason != "":
				return Deny, "a rule refuses it: " + rule.Reason
			case wanted == Deny:
				return Deny, "a rule refuses it"
			case wanted == Ask:
				return Ask, "a rule wants a person to be asked"
			}
			return Allow, "a rule allows it"
		}
	}
	return none, ""
}

// trusts reports whether a server is believed that says its tool changes nothing.
func (r *Rules) trusts() bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.readOnly != Ask
}

func (r *Rules) add(rule Rule) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = append(r.rules, rule)
}

// Keep adds a rule to those in the file, which somebody may have changed meanwhile, and writes it, for its owner alone,
// before the rule counts.
func (r *Rules) Keep(rule Rule) error {
	if r == nil || r.path == "" {
		return errors.New("agent: there is no file for rules")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.keep(rule); err != nil {
		return fmt.Errorf("agent: keep a rule: %w", err)
	}
	return nil
}

func (r *Rules) keep(rule Rule) error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return err
	}
	l := flock.New(r.path+".lock", flock.SetPermissions(0o600))
	if err := l.Lock(); err != nil { // nobody holds it for long
		return err
	}
	defer l.Unlock()
	now, err := LoadRules(r.path)
	if err != nil {
		return err
	}
	rules := append(now.rules, rule)
	body, err := json.MarshalIndent(rulesFile{now.readOnly, rules}, "", "  ")
	if err != nil {
		return err
	}
	if err := replace(r.path, append(body, '\n')); err != nil {
		return err
	}
	r.readOnly, r.rules = now.readOnly, rules
	return nil
}

// replace writes a file whole, or not at all.
func replace(path string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".rules-*") // made for the owner alone
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// means reports whether the rule is about c. What allows means no more than it says; what denies or asks cannot be got
// around by another argument, or by a text in place of a number.
func (r *Rule) means(c Call) bool {
	if !like(r.Server, c.Tool.Server) || !like(r.Tool, c.Tool.ServerTool) {
		return false
	}
	if r.Arguments == nil {
		return true
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(c.Arguments, &given) != nil || r.Decision == Allow && len(given) != len(r.Arguments) {
		return false
	}
	for name, pattern := range r.Arguments {
		value, there := given[name]
		if !there || !like(pattern, plain(value)) && (r.Decision == Allow || !like(pattern, bare(value))) {
			return false
		}
	}
	return true
}

// plain is what a pattern is held against: a text itself, where it cannot be taken for something else, of all else its JSON.
func plain(value json.RawMessage) string {
	if text := bare(value); !json.Valid([]byte(text)) {
		return text
	}
	return string(value)
}

// bare is a text itself, of all else its JSON.
func bare(value json.RawMessage) string {
	var text string
	if len(value) > 0 && value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return text
	}
	return string(value)
}

// exactly is the pattern of these arguments.
func exactly(arguments json.RawMessage) map[string]string {
	patterns := map[string]string{}
	var given map[string]json.RawMessage
	if json.Unmarshal(arguments, &given) != nil {
		return patterns
	}
	for name, value := range given {
		patterns[name] = literally(plain(value))
	}
	return patterns
}

// literally is the pattern that only text is like.
func literally(text string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`).Replace(text)
}

// like reports whether text is what pattern says.
func like(pattern, text string) bool {
	parts := pieces(pattern)
	if len(parts) == 1 {
		return parts[0] == text
	}
	rest, found := strings.CutPrefix(text, parts[0])
	if !found {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// pieces cuts a pattern at each *. A backslash takes the meaning from what follows it.
func pieces(pattern string) []string {
	parts, last := []string{""}, 0
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			parts[last] += pattern[i : i+1]
		case pattern[i] == '*':
			parts, last = append(parts, ""), last+1
		default:
			parts[last] += pattern[i : i+1]
		}
	}
	return parts
}
