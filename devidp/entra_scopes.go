package devidp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ask is one scope that was asked for.
type ask struct {
	api   *api   // nil for OpenID Connect's own scopes
	named string // how the API was named: an App ID URI or its client id
	name  string // the scope's name; ".default" means all that was consented
}

// readScope takes a scope apart. Without a resource it belongs to Microsoft Graph (scopes-oidc).
func (s *Server) readScope(raw string) (ask, error) {
	if slices.Contains(oidcScopes, raw) {
		return ask{name: raw}, nil
	}
	found := ask{}
	if !strings.Contains(raw, "/") {
		found = ask{api: s.apiNamed(EntraGraph), named: EntraGraphURI, name: raw}
	}
	for _, a := range s.apis {
		for _, named := range append([]string{a.id}, a.uris...) {
			if name, ok := strings.CutPrefix(raw, named+"/"); ok && !strings.Contains(name, "/") {
				found = ask{api: a, named: named, name: name}
			}
		}
	}
	switch {
	case found.api == nil:
		return ask{}, refuseTarget.of(raw[:strings.LastIndexByte(raw, '/')], EntraTenant)
	case found.name != ".default" && !slices.Contains(found.api.scopes, found.name):
		return ask{}, refuseScopeUnknown.of(found.name, found.api.id)
	}
	return found, nil
}

func (s *Server) apiNamed(name string) *api {
	for _, a := range s.apis {
		if a.id == name || slices.Contains(a.uris, name) {
			return a
		}
	}
	return nil
}

// granted are the scopes that this asks for and that the client and the person may have.
func (a ask) granted(c *client, u *user) []string {
	names := []string{a.name}
	if a.name == ".default" {
		names = a.api.scopes
	}
	if !a.api.main {
		return names
	}
	return c.may(u.may(names))
}

// asks is a list of scopes, by kind.
type asks struct {
	oidc []string
	apis []ask
}

// readScopes takes a list apart. The scope .default stands alone for its resource (scopes-oidc).
func (s *Server) readScopes(raw []string) (asks, error) {
	var all asks
	for _, sc := range raw {
		a, err := s.readScope(sc)
		if err != nil {
			return all, err
		}
		if a.api == nil {
			all.oidc = append(all.oidc, sc)
		} else {
			all.apis = append(all.apis, a)
		}
	}
	for _, a := range all.apis {
		for _, b := range all.apis {
			if a.api == b.api && a.name == ".default" && b.name != ".default" {
				return all, refuseDefaultMixed.of(strings.Join(raw, " "))
			}
		}
	}
	return all, nil
}

// several reports whether scopes of more than one API are asked for.
func (a asks) several() bool {
	return slices.ContainsFunc(a.apis, func(one ask) bool { return one.api != a.apis[0].api })
}

// checkAsked checks the scopes of an authorization or device request, and its resource parameter.
func (s *Server) checkAsked(r *http.Request, form url.Values, raw []string) error {
	all, err := s.readScopes(raw)
	if err != nil {
		return err
	}
	return s.checkResource(r, form, all)
}

// checkResource looks at RFC 8707's parameter as Entra does since March 2026: it is accepted when it names the very app
// whose scopes are asked for, and refused with 9010010 otherwise. Before that it was refused at all times, with 901002.
func (s *Server) checkResource(r *http.Request, form url.Values, all asks) error {
	if firstVersion(r) {
		return nil // there it is the way to name the API
	}
	for _, res := range form["resource"] {
		if s.faults.resourceRefused() {
			return refuseResource.of()
		}
		named := s.apiNamed(res)
		if named == nil || !slices.ContainsFunc(all.apis, func(a ask) bool { return a.api == named }) {
			return refuseResourceOther.of()
		}
	}
	return nil
}

// entraTarget works out what a token of g is for. One token is for one API; which one must be said as soon as there is
// more than one to choose from. Where refreshing is set the request is a refresh.
func (s *Server) entraTarget(r *http.Request, g *grant, form url.Values, refreshing bool) (target, error) {
	var t target
	raw, err := s.rawScopes(r, form)
	if err != nil {
		return t, err
	}
	if capable, stepped, err := readClaimsParameter(form.Get("claims")); err != nil {
		return t, err
	} else if g.user != nil {
		g.capable, g.stepped = g.capable || capable, g.stepped || stepped
	}
	if refreshing && g.device && s.faults.deviceFlowBlocked() {
		return t, refuseBlocked.of()
	}
	all, err := s.readScopes(orAll(raw, g.scopes))
	if err != nil {
		return t, err
	}
	if err := s.checkResource(r, form, all); err != nil {
		return t, err
	}
	switch {
	case len(raw) == 0 && refreshing && s.apiNamed(g.client.ID) != nil:
		return t, refuseSelf.of(g.client.ID)
	case len(raw) == 0 && all.several():
		return t, refuseScopeEmpty.of()
	case all.several() && refreshing:
		return t, refuseScopesSeveral.of(strings.Join(raw, " "))
	case all.several():
		return t, refuseScopesMany.of(strings.Join(raw, " "))
	}
	return s.targetOf(g, all)
}

func orAll(raw, granted []string) []string {
	if len(raw) == 0 {
		return granted
	}
	return raw
}

// targetOf makes the target of scopes that belong to one API. OpenID Connect's alone mean Microsoft Graph.
func (s *Server) targetOf(g *grant, all asks) (target, error) {
	t := target{api: s.apiNamed(EntraGraph), asked: EntraGraphURI, openid: slices.Contains(g.scopes, "openid"), capable: g.capable, stepped: g.stepped}
	for _, a := range all.apis {
		t.api, t.asked = a.api, a.named
		for _, name := range a.granted(g.client, g.user) {
			if !slices.Contains(t.scopes, name) {
				t.scopes = append(t.scopes, name)
				t.said = append(t.said, a.named+"/"+name)
			}
		}
	}
	if len(all.apis) > 0 && len(t.scopes) == 0 {
		return t, refuseScopeWide.of(all.apis[0].name)
	}
	if t.api.id == g.client.ID && t.asked != t.api.id {
		return t, refuseSelf.of(g.client.ID)
	}
	if t.api.graph() { // only Graph's answers name OpenID Connect's scopes
		t.scopes = append(t.scopes, without(all.oidc, "offline_access")...)
		t.said = t.scopes
	}
	t.audience = []string{t.api.id}
	if t.api.version == 1 {
		t.audience = []string{t.asked}
	}
	return t, nil
}

func without(list []string, drop string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(sc string) bool { return sc == drop })
}

// entraServiceTarget works out what an app's token for itself is for: a resource's .default and nothing else, in a
// tenant that is named (v2-oauth2-client-creds-grant-flow).
func (s *Server) entraServiceTarget(r *http.Request, g *grant, form url.Values) (target, error) {
	var t target
	tid, _ := tenantOf(r.PathValue("tenant"))
	if tid == anyTenant {
		return t, refuseNoTenant.of()
	}
	g.tenant = tid
	raw, err := s.rawScopes(r, form)
	if err != nil {
		return t, err
	}
	if firstVersion(r) {
		raw = slices.DeleteFunc(raw, func(sc string) bool { return slices.Contains(oidcScopes, sc) })
	}
	if len(raw) == 0 {
		return t, refuseMissing.of("scope")
	}
	for _, sc := range raw {
		if !strings.HasSuffix(sc, "/.default") {
			return t, refuseNotDefault.of(strings.Join(raw, " "))
		}
	}
	all, err := s.readScopes(raw)
	if err != nil {
		return t, err
	}
	if err := s.checkResource(r, form, all); err != nil {
		return t, err
	}
	if all.several() {
		return t, refuseScopesSeveral.of(strings.Join(raw, " "))
	}
	t.api, t.asked = all.apis[0].api, all.apis[0].named
	t.audience = []string{t.api.id}
	if t.api.version == 1 {
		t.audience = []string{t.asked}
	}
	return t, nil
}
