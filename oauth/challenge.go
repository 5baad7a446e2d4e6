package oauth

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Challenge is one challenge of a WWW-Authenticate header: a scheme and what it asks for (RFC 9110, section 11.6.1;
// RFC 6750, section 3; RFC 9728, section 5.1).
type Challenge struct {
	Scheme  string // as written, such as "Bearer"; compare it with [Challenge.Is]. Empty is written as Bearer.
	Token68 string // the one word some schemes carry instead of parameters; empty means none

	Realm            string
	Error            string   // such as "invalid_token"; empty where no token came
	ErrorDescription string   // for people
	ErrorURI         string   // a page about the error
	Scopes           []string // what the request needs, all of it
	ResourceMetadata string   // the URL of the protected resource metadata
	Claims           string   // base64 of what else the token must hold (Microsoft's claims challenge)

	// Params are the parameters that have no field here, in the order they stand. Parsed names are in lower case.
	Params []Param
}

// Param is one parameter of a challenge.
type Param struct{ Name, Value string }

// ErrMalformedChallenge is wrapped by every error of [ParseChallenges].
var ErrMalformedChallenge = errors.New("oauth: malformed WWW-Authenticate")

// Bounds of what [ParseChallenges] reads from a stranger.
const (
	maxChallengeBytes  = 16 << 10 // of all header lines together
	maxChallenges      = 16
	maxChallengeParams = 32 // of one challenge
)

// Is reports whether the challenge has this scheme. Schemes compare without regard to case (RFC 9110, section 11.1).
func (c Challenge) Is(scheme string) bool {
	own := c.Scheme
	if own == "" {
		own = "Bearer"
	}
	return strings.EqualFold(own, scheme)
}

// Get returns the parameter of this name, in lower case, whether it has a field or not; empty means absent.
func (c Challenge) Get(name string) string {
	if text := c.field(name); text != nil {
		return *text
	}
	if name == "scope" {
		return strings.Join(c.Scopes, " ")
	}
	for _, p := range c.Params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// field is where the parameter of this name is kept, or nil.
func (c *Challenge) field(name string) *string {
	switch name {
	case "realm":
		return &c.Realm
	case "error":
		return &c.Error
	case "error_description":
		return &c.ErrorDescription
	case "error_uri":
		return &c.ErrorURI
	case "resource_metadata":
		return &c.ResourceMetadata
	case "claims":
		return &c.Claims
	}
	return nil
}

// String writes the challenge as the value of one WWW-Authenticate line. Fields come first in a fixed order, then
// Params; empty fields are left out; every value is a quoted string. What a header or RFC 6750, section 3 does not
// allow is replaced, so that no value can add a parameter, a challenge or a line: control characters become spaces,
// characters beyond ASCII "?", and quotes in ErrorDescription become apostrophes. Params whose name is not a token
// are left out.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Bearer")
	if isToken(c.Scheme) {
		b.Reset()
		b.WriteString(c.Scheme)
	}
	if c.Token68 != "" && isToken68(c.Token68) {
		b.WriteString(" " + c.Token68)
		return b.String()
	}
	separator := " "
	write := func(name, value string) {
		b.WriteString(separator + name + `="`)
		quote(&b, value)
		b.WriteByte('"')
		separator = ", "
	}
	scopes := make([]string, 0, len(c.Scopes))
	for _, s := range c.Scopes {
		if ValidScope(s) {
			scopes = append(scopes, s)
		}
	}
	for _, p := range []Param{
		{"realm", c.Realm},
		{"error", c.Error},
		{"error_description", strings.NewReplacer(`"`, "'", `\`, "'").Replace(c.ErrorDescription)},
		{"error_uri", c.ErrorURI},
		{"scope", strings.Join(scopes, " ")},
		{"resource_metadata", c.ResourceMetadata},
		{"claims", c.Claims},
	} {
		if p.Value != "" {
			write(p.Name, p.Value)
		}
	}
	for _, p := range c.Params {
		if isToken(p.Name) && p.Name != "scope" && c.field(p.Name) == nil {
			write(p.Name, p.Value)
		}
	}
	return b.String()
}

// quote writes the inside of a quoted-string (RFC 9110, section 5.6.4).
func quote(b *strings.Builder, value string) {
	for _, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case r > 0x7f:
			b.WriteByte('?')
		default:
			b.WriteRune(r)
		}
	}
}

// ValidScope reports whether s is one scope-token of RFC 6749, section 3.3: printable ASCII without space, quote and
// backslash.
func ValidScope(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// ParseChallenges reads the values of all WWW-Authenticate lines of an answer, in order. Several challenges may share a
// line. It is strict: what RFC 9110, section 11.6.1 does not allow, a parameter that comes twice in a challenge,
// invalid UTF-8, or more than 16 KiB, 16 challenges or 32 parameters is an error that wraps [ErrMalformedChallenge],
// and nothing is returned with it. No line means no challenge and no error.
func ParseChallenges(header []string) ([]Challenge, error) {
	var all []Challenge
	size := 0
	for _, line := range header {
		if size += len(line); size > maxChallengeBytes {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrMalformedChallenge, maxChallengeBytes)
		}
		p := challengeParser{rest: line}
		if err := p.line(&all); err != nil {
			return nil, fmt.Errorf("%w: %w at byte %d", ErrMalformedChallenge, err, len(line)-len(p.rest))
		}
	}
	return all, nil
}

// challengeParser walks through one line. Its methods take from the front of rest.
type challengeParser struct{ rest string }

func (p *challengeParser) line(all *[]Challenge) error {
	if !utf8.ValidString(p.rest) {
		return errors.New("invalid UTF-8")
	}
	for {
		p.skip(" \t,")
		if p.rest == "" {
			return nil
		}
		if len(*all) == maxChallenges {
			return fmt.Errorf("more than %d challenges", maxChallenges)
		}
		c, err := p.challenge()
		if err != nil {
			return err
		}
		*all = append(*all, c)
	}
}

// challenge takes a scheme and what belongs to it. A comma may be followed by a further parameter or by the next
// challenge; only a parameter has an equals sign after its name.
func (p *challengeParser) challenge() (Challenge, error) {
	var c Challenge
	if c.Scheme = p.token(); c.Scheme == "" {
		return c, errors.New("no scheme")
	}
	if p.rest == "" || p.rest[0] == ',' {
		return c, nil
	}
	if p.rest[0] != ' ' {
		return c, errors.New("no space after the scheme")
	}
	p.skip(" ")
	if word, ok := p.token68(); ok {
		c.Token68 = word
		return c, nil
	}
	seen := map[string]bool{}
	for p.rest != "" {
		before := p.rest
		p.skip(" \t,")
		at := p.rest
		name := strings.ToLower(p.token())
		p.skip(" \t")
		if name != "" && strings.HasPrefix(p.rest, "=") {
			if len(seen) > 0 && !strings.Contains(before[:len(before)-len(at)], ",") {
				return c, errors.New("no comma between parameters")
			}
			if seen[name] || len(seen) == maxChallengeParams {
				return c, fmt.Errorf("parameter %.40q comes twice, or there are too many", name)
			}
			seen[name] = true
			value, err := p.value()
			if err != nil {
				return c, err
			}
			c.set(name, value)
			continue
		}
		// Not a parameter: the next challenge, or the end, or something that line will refuse.
		if at != "" && !strings.Contains(before[:len(before)-len(at)], ",") {
			return c, errors.New("neither a parameter nor a comma")
		}
		p.rest = at
		return c, nil
	}
	return c, nil
}

func (c *Challenge) set(name, value string) {
	if text := c.field(name); text != nil {
		*text = value
	} else if name == "scope" {
		c.Scopes = strings.Fields(value)
	} else {
		c.Params = append(c.Params, Param{name, value})
	}
}

func (p *challengeParser) skip(cutset string) { p.rest = strings.TrimLeft(p.rest, cutset) }

func (p *challengeParser) token() string {
	n := 0
	for n < len(p.rest) && tokenChar(p.rest[n]) {
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

// token68 takes a single word that ends the challenge. "a=" is one, "a=b" is a parameter.
func (p *challengeParser) token68() (string, bool) {
	word, after := p.rest, ""
	if i := strings.IndexAny(p.rest, " \t,"); i >= 0 {
		word, after = p.rest[:i], strings.TrimLeft(p.rest[i:], " \t")
	}
	if !isToken68(word) || after != "" && after[0] != ',' {
		return "", false
	}
	p.rest = after
	return word, true
}

// value takes an equals sign and the token or quoted-string behind it.
func (p *challengeParser) value() (string, error) {
	p.rest = p.rest[1:]
	p.skip(" \t")
	if !strings.HasPrefix(p.rest, `"`) {
		word := p.token()
		if word == "" {
			return "", errors.New("no value")
		}
		return word, nil
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch ch := p.rest[i]; {
		case ch == '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case ch == '\\':
			if i++; i == len(p.rest) || control(p.rest[i]) {
				return "", errors.New("a backslash before nothing that may be quoted")
			}
			b.WriteByte(p.rest[i])
		case control(ch):
			return "", errors.New("a control character in a quoted string")
		default:
			b.WriteByte(ch)
		}
	}
	return "", errors.New("a quoted string without end")
}

func control(c byte) bool { return c < ' ' && c != '\t' || c == 0x7f }

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenChar(s[i]) {
			return false
		}
	}
	return s != ""
}

// tokenChar is tchar of RFC 9110, section 5.6.2.
func tokenChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68 is token68 of RFC 9110, section 11.2.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/", c) >= 0) {
			return false
		}
	}
	return s != ""
}
