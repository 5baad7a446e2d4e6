package bearer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// Explanation is what a token is, and what this guard says of it, rule by rule.
type Explanation struct {
	Description
	Rules    []Ruling
	Identity *identity.Identity // whom [Guard.Verify] lets in; nil where it refuses
	Refusal  *Error             // why it refuses; nil where it lets in
}

// Ruling is what one rule says of a token.
type Ruling struct {
	Rule    Rule
	Verdict Verdict
	Saw     string // what the token has
	Wants   string // what the rule asks for; may be empty
}

// Rule names one of the rules that a token must keep.
type Rule string

// The rules, in the order in which Verify asks them, except that a refusal by an earlier one keeps Verify from asking the
// rest.
const (
	RuleShape      Rule = "shape"
	RuleIssuer     Rule = "issuer"
	RuleTenant     Rule = "tenant"
	RuleAlgorithm  Rule = "algorithm"
	RuleAudience   Rule = "audience"
	RuleExpiry     Rule = "expiry"
	RuleNotBefore  Rule = "not before"
	RuleLifetime   Rule = "lifetime"
	RuleUse        Rule = "use"
	RuleSignature  Rule = "signature"
	RuleSubject    Rule = "subject"
	RuleGuest      Rule = "guests"
	RulePermission Rule = "scopes and roles"
	RuleAsked      Rule = "introspection" // for opaque tokens: what their issuer says
)

// Verdict is what a rule says.
type Verdict string

const (
	Holds   Verdict = "holds"
	Refuses Verdict = "refuses"
	Unasked Verdict = "not asked" // it cannot be answered
)

// Explain says what a token is and what each rule says of it, all of them even where one refuses. The verdict is that of
// [Guard.Verify], which it asks as well. It is for people who look for a fault, not for requests.
func (g *Guard) Explain(ctx context.Context, raw string) *Explanation {
	x := &Explanation{Description: Describe(raw)}
	id, err := g.Verify(ctx, raw)
	if x.Identity = id; err != nil {
		errors.As(err, &x.Refusal)
	}
	if x.Form != FormJWT {
		x.whole()
		return x
	}
	t, err := parseToken(raw)
	var malformed *Error
	if errors.As(err, &malformed) && malformed.Reason == ReasonAlgorithm {
		t, err = &token{raw: raw, alg: text(x.Header, "alg"), kid: text(x.Header, "kid"), typ: strings.TrimPrefix(strings.ToLower(text(x.Header, "typ")), "application/"), claims: x.Claims}, nil
	}
	if err != nil || len(raw) > g.cfg.MaxTokenBytes {
		x.whole()
		return x
	}
	x.add(RuleShape, nil, fmt.Sprintf("a JWT of %d bytes", len(raw)), "")
	g.rule(ctx, x, t)
	return x
}

// whole is the explanation of what is no readable JWT: there is one rule.
func (x *Explanation) whole() {
	rule, saw := RuleShape, map[Form]string{FormJWT: "a JWT that is not well formed", FormNone: "no token", FormEncrypted: "an encrypted token"}[x.Form]
	if x.Form == FormOpaque {
		rule, saw = RuleAsked, "an opaque token"
	}
	x.add(rule, x.Refusal, saw, "")
}

// rule asks each rule by itself, with the functions that Verify is made of.
func (g *Guard) rule(ctx context.Context, x *Explanation, t *token) {
	c, now := t.claims, g.now()
	p, s, refused := g.origin(t)
	x.origin(g, p, t, refused)
	if p == nil && len(g.providers) == 1 {
		p = g.providers[0] // what the one provider would say
	}
	if p == nil {
		for _, r := range []Rule{RuleAudience, RuleExpiry, RuleNotBefore, RuleLifetime, RuleUse, RuleSignature, RuleSubject, RuleGuest, RulePermission} {
			x.unasked(r, "", "an issuer that is known")
		}
		return
	}
	x.add(RuleAudience, g.audienceOf(p, c), "aud "+show(c["aud"]), strings.Join(p.audience, " or "))
	g.timesOf(x, c, now)
	x.add(RuleUse, g.kind(p, t), x.Why, "an access token")
	if s == nil {
		x.unasked(RuleSignature, "", "an issuer that is accepted")
	} else {
		_, refused := s.verify(ctx, t)
		saw := "no kid, " + orElse(t.alg, "no algorithm")
		if t.kid != "" {
			saw = fmt.Sprintf("kid %.100q, %s", t.kid, orElse(t.alg, "no algorithm"))
		}
		x.add(RuleSignature, refused, saw, "a key that "+c.text("iss")+" publishes")
	}
	g.whose(x, p, c)
}

// origin tells apart what [Guard.origin] decides together.
func (x *Explanation) origin(g *Guard, p *provider, t *token, refused *Error) {
	var issuers, tenants []string
	for _, q := range g.providers {
		for _, i := range q.Issuers {
			issuers = append(issuers, i.Name)
		}
		tenants = append(tenants, q.Tenants...)
	}
	by := func(reason Reason) *Error {
		if refused != nil && refused.Reason == reason {
			return refused
		}
		return nil
	}
	x.add(RuleIssuer, by(ReasonIssuer), "iss "+show(t.claims["iss"]), strings.Join(issuers, " or "))
	if refused != nil && refused.Reason == ReasonType { // the provider's access tokens are opaque
		x.add(RuleUse, refused, "a JWT", "an opaque token")
	}
	if p != nil && p.Claims.Tenant != nil {
		saw := p.Claims.Tenant.String() + " " + show(value0(t.claims.at(p.Claims.Tenant)))
		x.add(RuleTenant, by(ReasonTenant), saw, strings.Join(tenants, " or "))
	}
	algorithm := by(ReasonAlgorithm)
	if algorithm == nil && !slices.Contains(algorithms, t.alg) {
		algorithm = refusal(ReasonAlgorithm, nil)
	}
	x.add(RuleAlgorithm, algorithm, "alg "+show(x.Header["alg"]), "")
}

func (g *Guard) audienceOf(p *provider, c claims) *Error {
	audience, err := c.audience()
	switch {
	case err != nil:
		return refusal(ReasonAudience, err)
	case len(common(p.audience, audience)) == 0:
		return g.foreign(p, audience)
	}
	return nil
}

// timesOf asks [Guard.times] of each time alone.
func (g *Guard) timesOf(x *Explanation, c claims, now time.Time) {
	leeway := fmt.Sprintf("with %v for clocks that differ", g.cfg.Leeway)
	only := func(names ...string) claims {
		some := claims{}
		for _, n := range names {
			if v, ok := c[n]; ok {
				some[n] = v
			}
		}
		return some
	}
	by := func(e *Error, reasons ...Reason) *Error {
		if e != nil && slices.Contains(reasons, e.Reason) {
			return e
		}
		return nil
	}
	x.add(RuleExpiry, by(g.times(only("exp"), now), ReasonExpired), "exp "+at(c, "exp"), "the time now is "+now.UTC().Format(time.RFC3339)+", "+leeway)
	begin := only("nbf", "iat", "exp")
	x.add(RuleNotBefore, by(g.times(begin, now), ReasonNotYet, ReasonMalformed), "nbf "+at(c, "nbf")+", iat "+at(c, "iat"), leeway)
	x.add(RuleLifetime, by(g.times(only("exp", "iat"), now), ReasonLifetime), "exp "+at(c, "exp"), fmt.Sprintf("at most %v", g.cfg.MaxLifetime))
}

// whose asks who the token is about, and whether it carries anything that permits something.
func (g *Guard) whose(x *Explanation, p *provider, c claims) {
	audience, _ := c.audience()
	_, refused := c.identity(p, p.Claims, c.text("iss"), common(p.audience, audience))
	by := func(reasons ...Reason) *Error {
		if refused != nil && slices.Contains(reasons, refused.Reason) {
			return refused
		}
		return nil
	}
	x.add(RuleSubject, by(ReasonSubject, ReasonMalformed), "sub "+show(c["sub"]), "")
	id := &identity.Identity{}
	if by(ReasonSubject, ReasonMalformed) != nil || c.who(id, p.Claims) != nil || c.permissions(id, p.Claims, common(p.audience, audience)) != nil {
		x.unasked(RulePermission, "", "a subject and claims that can be read")
		return
	}
	x.add(RuleGuest, by(ReasonGuest), map[bool]string{true: "a guest", false: "no guest"}[c.guest(p, &identity.Identity{Issuer: c.text("iss"), Tenant: id.Tenant}, p.Claims)], "")
	x.add(RulePermission, by(ReasonPermission), "scopes "+list(id.Scopes)+", roles "+list(id.Roles), "")
}

// add says what a rule says: refused nil means that it holds.
func (x *Explanation) add(rule Rule, refused *Error, saw, wants string) {
	r := Ruling{Rule: rule, Verdict: Holds, Saw: saw, Wants: wants}
	switch {
	case refused == nil:
	case refused.Reason == ReasonUnavailable:
		r.Verdict = Unasked
		r.Saw += ": the provider cannot be asked"
	default:
		r.Verdict = Refuses
		r.Saw += ": " + refused.Description
	}
	x.Rules = append(x.Rules, r)
}

func (x *Explanation) unasked(rule Rule, saw, wants string) {
	x.Rules = append(x.Rules, Ruling{Rule: rule, Verdict: Unasked, Saw: saw, Wants: wants})
}

func value0(v any, _ bool) any { return v }

func text(o map[string]any, name string) string {
	s, _ := o[name].(string)
	return s
}

// at is a time of a token as people read it.
func at(c claims, name string) string {
	t, present, err := c.time(name)
	switch {
	case !present:
		return "absent"
	case err != nil:
		return "no time"
	}
	return t.UTC().Format(time.RFC3339)
}

// show is a claim's value in few words.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "absent"
	case string:
		return v
	case []any:
		var texts []string
		for _, e := range v {
			texts = append(texts, show(e))
		}
		return list(texts)
	}
	return fmt.Sprint(v)
}

func list(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, " ")
}
