package bearer

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Introspection asks an authorization server about opaque tokens (RFC 7662). URL, ClientID and ClientSecret are required.
type Introspection struct {
	URL          string // https, or http on loopback
	ClientID     string // this resource server's credentials there, sent by HTTP Basic
	ClientSecret string
	// Issuer is whose tokens the endpoint describes: one of the providers' issuers. Empty means the only provider's
	// first issuer; with several providers it is required.
	Issuer string
	// CacheFor is how long an active answer is believed, never past the token's expiry. Zero means 30 seconds, which is
	// also the most; a negative value means that each request asks. An inactive answer is believed for a sixth of it.
	CacheFor time.Duration
	// Concurrency bounds the questions under way. Zero means 32. Tokens beyond it wait; where more than sixteen times as
	// many wait already, they are answered 503 at once, so that a flood of junk cannot fill the memory.
	Concurrency int
}

const (
	maxDescribe  = 30 * time.Second
	maxAnswer    = 256 << 10 // bytes of an introspection answer
	askTimeout   = 10 * time.Second
	maxQuestions = 32
	maxWaiting   = 16 // for each question that may be under way
)

// describer answers what an opaque token says, by asking.
type describer struct {
	provider *provider
	issuer   string
	ask      func(ctx context.Context, token string) (claims, error) // nil claims: inactive
	spelling idp.Claims

	cacheFor time.Duration
	active   *cache
	inactive *cache // of its own, so that a flood of junk does not push good tokens out
	flights  singleflight.Group
	slots    chan struct{}
	waiting  atomic.Int64 // tokens with a question under way or waiting for a slot
}

// describers sets up introspection and the providers' own endpoints for opaque tokens.
func (g *Guard) describers(f *faults) {
	if in := g.cfg.Introspection; in != nil {
		g.introspection(f, in)
	}
	for _, p := range g.providers {
		if p.TokenInfo == "" {
			continue
		}
		if _, err := idp.CheckURL(p.TokenInfo); err != nil {
			f.add("Providers", "TokenInfo of %s: %w", p.Name, err)
		}
		g.opaque = append(g.opaque, g.describer(p, p.Issuers[0].Name, maxDescribe, maxQuestions, p.Claims, g.tokenInfo(p.TokenInfo)))
	}
	if len(g.opaque) > 1 {
		f.add("Introspection", "only one place can describe opaque tokens, since nothing in them names their issuer")
	}
}

func (g *Guard) introspection(f *faults, in *Introspection) {
	if _, err := idp.CheckURL(in.URL); err != nil {
		f.add("Introspection.URL", "%w", err)
	}
	if in.ClientID == "" {
		f.add("Introspection.ClientID", "it is needed")
	}
	if in.ClientSecret == "" {
		f.add("Introspection.ClientSecret", "it is needed")
	}
	if in.CacheFor > maxDescribe {
		f.add("Introspection.CacheFor", "%v is more than %v", in.CacheFor, maxDescribe)
	}
	if in.Concurrency < 0 {
		f.add("Introspection.Concurrency", "%d is negative", in.Concurrency)
	}
	issuer, owner := in.Issuer, (*provider)(nil)
	for _, p := range g.providers {
		if issuer == "" && len(g.providers) == 1 && !templated(p.Issuers[0]) {
			issuer = p.Issuers[0].Name
		}
		if slices.ContainsFunc(p.Issuers, func(i idp.Issuer) bool { return i.Name == issuer }) {
			owner = p
		}
	}
	if owner == nil {
		f.add("Introspection.Issuer", "%q is not the issuer of one of Providers", issuer)
		return
	}
	spelling := owner.Claims // RFC 7662, section 2.2 has spellings of its own
	spelling.Scopes = append([]idp.Path{{"scope"}}, spelling.Scopes...)
	spelling.ClientID = append([]idp.Path{{"client_id"}}, spelling.ClientID...)
	spelling.Username = append([]idp.Path{{"username"}}, spelling.Username...)
	cacheFor, slots := in.CacheFor, in.Concurrency
	if cacheFor == 0 {
		cacheFor = maxDescribe
	}
	if slots == 0 {
		slots = maxQuestions
	}
	g.opaque = append(g.opaque, g.describer(owner, issuer, cacheFor, slots, spelling, g.introspect(*in)))
}

func (g *Guard) describer(p *provider, issuer string, cacheFor time.Duration, slots int, spelling idp.Claims, ask func(context.Context, string) (claims, error)) *describer {
	return &describer{
		provider: p, issuer: issuer, ask: ask, spelling: spelling, cacheFor: cacheFor,
		active: newCache(g.cfg.CacheSize), inactive: newCache(max(g.cfg.CacheSize, 1)), slots: make(chan struct{}, max(slots, 1)),
	}
}

// describe verifies a token that is no JWT. All requests with the same token share one question; it belongs to none of
// them, so that no one's leaving cancels it for the others.
func (g *Guard) describe(ctx context.Context, raw string, sum [sha256.Size]byte) (*identity.Identity, *Error) {
	if len(g.opaque) == 0 {
		return nil, refusal(ReasonOpaque, nil)
	}
	d := g.opaque[0]
	if id, refused := d.remembered(sum, g.now()); id != nil || refused != nil {
		return id, refused
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	flight := d.flights.DoChan(string(sum[:]), func() (any, error) {
		id, refused := d.remembered(sum, g.now()) // another flight may have ended since the first look
		if id == nil && refused == nil {
			id, refused = g.question(d, raw, sum)
		}
		if refused != nil {
			return nil, by(d.provider, refused)
		}
		return id, nil
	})
	select {
	case <-ctx.Done():
		return nil, by(d.provider, unavailable(time.Second, fmt.Errorf("wait for introspection: %w", ctx.Err())))
	case result := <-flight:
		if result.Err != nil {
			return nil, result.Err.(*Error)
		}
		return result.Val.(*identity.Identity), nil
	}
}

// remembered returns what an earlier answer said of the token; nil and nil where there is none.
func (d *describer) remembered(sum [sha256.Size]byte, now time.Time) (*identity.Identity, *Error) {
	if id, known := d.active.look(sum, now); known {
		return id, nil
	}
	if _, known := d.inactive.look(sum, now); known {
		return nil, by(d.provider, refusal(ReasonInactive, errors.New("remembered")))
	}
	return nil, nil
}

// question asks, judges the answer, and remembers it.
func (g *Guard) question(d *describer, raw string, sum [sha256.Size]byte) (*identity.Identity, *Error) {
	defer d.waiting.Add(-1)
	if d.waiting.Add(1) > int64(maxWaiting*cap(d.slots)) {
		return nil, unavailable(time.Second, errors.New("too many introspections wait"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, unavailable(time.Second, errors.New("too many introspections under way"))
	}
	answer, err := d.ask(ctx, raw)
	if err != nil {
		return nil, unavailable(time.Second, fmt.Errorf("introspect: %w", err))
	}
	now := g.now()
	if answer == nil {
		if d.cacheFor > 0 {
			d.inactive.put(sum, nil, now.Add(d.cacheFor/6), nil)
		}
		return nil, refusal(ReasonInactive, nil)
	}
	id, refused := g.judge(d, answer, now)
	if refused == nil && d.cacheFor > 0 {
		until := now.Add(d.cacheFor)
		if id.Expiry.Before(until) {
			until = id.Expiry
		}
		d.active.put(sum, id, until, nil)
	}
	return id, refused
}

// judge binds an active answer to this resource: the endpoint answers for every client's tokens, so that issuer,
// audience and times are checked as in a JWT, and a refresh token, which is active too, is refused.
func (g *Guard) judge(d *describer, c claims, now time.Time) (*identity.Identity, *Error) {
	p := d.provider
	iss, err := c.plain("iss")
	if err != nil || iss != "" && iss != d.issuer {
		return nil, refusal(ReasonIssuer, fmt.Errorf("the answer names iss %.200q, not %q", iss, d.issuer))
	}
	if len(p.Tenants) > 0 && !p.admits(c.text(p.Claims.Tenant...)) {
		return nil, refusal(ReasonTenant, nil)
	}
	if refused := g.check(p, c, now); refused != nil {
		return nil, refused
	}
	if kind, has := c["token_type"]; has {
		if s, _ := kind.(string); !strings.EqualFold(s, "bearer") {
			return nil, refusal(ReasonType, fmt.Errorf("token_type %.40q", s))
		}
	}
	if use, has := c["token_use"]; has && use != "access" && use != "access_token" {
		return nil, refusal(ReasonType, errors.New("token_use is not access"))
	}
	if own, has := c[p.TypeClaim]; has && p.TypeClaim != "" && own != p.AccessTokenType {
		return nil, refusal(ReasonType, fmt.Errorf("claim %s is not %s", p.TypeClaim, p.AccessTokenType))
	}
	if _, bound := c["cnf"]; bound {
		return nil, refusal(ReasonType, errors.New("bound to a proof of possession"))
	}
	audience, _ := c.audience()
	id, refused := c.identity(p, d.spelling, d.issuer, common(p.audience, audience))
	if refused != nil {
		return nil, refused
	}
	id.Expiry, _, _ = c.time("exp")
	return id, nil
}

// introspect asks as RFC 7662, section 2.1 says.
func (g *Guard) introspect(in Introspection) func(context.Context, string) (claims, error) {
	return func(ctx context.Context, token string) (claims, error) {
		status, answer, err := g.post(ctx, in.URL, url.Values{"token": {token}, "token_type_hint": {"access_token"}}, func(r *http.Request) {
			r.SetBasicAuth(url.QueryEscape(in.ClientID), url.QueryEscape(in.ClientSecret)) // RFC 6749, section 2.3.1
		})
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("%s answered %d", in.URL, status)
		}
		switch answer["active"] {
		case true:
			return answer, nil
		case false:
			return nil, nil
		}
		return nil, errors.New("the answer has no active of true or false")
	}
}

// tokenInfo asks Google's endpoint, which needs no credentials, has no active, and answers 400 for a token it does not
// know. Its numbers are texts.
func (g *Guard) tokenInfo(place string) func(context.Context, string) (claims, error) {
	return func(ctx context.Context, token string) (claims, error) {
		status, answer, err := g.post(ctx, place, url.Values{"access_token": {token}}, nil)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusBadRequest:
			return nil, nil
		case status != http.StatusOK:
			return nil, fmt.Errorf("%s answered %d", place, status)
		}
		if exp, ok := answer["exp"].(string); ok {
			answer["exp"] = json.Number(exp)
		}
		return answer, nil
	}
}

// post sends a form and reads the JSON object that comes. It follows no redirect: the form holds a token.
func (g *Guard) post(ctx context.Context, place string, form url.Values, sign func(*http.Request)) (int, claims, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, place, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, errors.New("the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if sign != nil {
		sign(req)
	}
	client := *g.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", place, err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, nil, nil
	}
	if len(body) > maxAnswer {
		return 0, nil, fmt.Errorf("%s answered more than %d bytes", place, maxAnswer)
	}
	answer, err := object(body)
	if err != nil {
		return 0, nil, fmt.Errorf("%s answered: %w", place, err)
	}
	return http.StatusOK, answer, nil
}
