package config

import (
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// The names of an earlier demonstration, which people still have in their environment and .env. They describe an
// application at Microsoft Entra ID.
const (
	oldTenant   = "TENANT_ID"
	oldClient   = "CLIENT_ID"
	oldScope    = "API_SCOPE"
	oldAudience = "API_AUDIENCE"
)

var oldNames = []string{oldTenant, oldClient, oldScope, oldAudience}

// legacy reads the old names, one layer for the environment and one for .env, each of which lies directly below its
// FASTMCP_AUTH_ names. The names belong together, so a name is looked up in the environment, then in .env, and what is
// derived from several stands where its name stands. An empty one counts as not set, since other programs use the
// same names.
//
//	TENANT_ID     provider.kind is entra, and provider.tenant
//	API_AUDIENCE  provider.audience; an app's GUID and api://<GUID> name the same app, so either means both
//	API_SCOPE     api://<app>/execute: provider.scope_prefix and scopes.execute, and without API_AUDIENCE the audience
//	CLIENT_ID     provider.client_id; alone with TENANT_ID it is the API's own, and so the audience and scope prefix too
func (l *loader) legacy(environ, dotenv map[string]variable, others ...layer) (oldEnv, oldDotenv layer) {
	o := &oldReader{loader: l, vars: map[string]variable{}, env: layer{}, dotenv: layer{}}
	if !byKey("provider.kind").usedBy(l.src.Command) {
		return o.env, o.dotenv
	}
	for _, name := range oldNames {
		v := environ[name]
		if v.value == "" {
			v = dotenv[name]
		}
		if v.value != "" {
			o.vars[name] = v
			l.old = append(l.old, v)
		}
	}
	if o.conflict(others) {
		return o.env, o.dotenv
	}
	o.tenant()
	o.scope()
	o.audience()
	o.client()
	return o.env, o.dotenv
}

// oldReader turns old names into settings.
type oldReader struct {
	*loader
	vars        map[string]variable
	env, dotenv layer
}

// set gives the setting key the values that v means.
func (o *oldReader) set(key string, v variable, values ...string) {
	into := o.env
	if v.place != "" {
		into = o.dotenv
	}
	o.take(into, byKey(key), said{name: v.name, place: v.place, origin: v.origin()}, values)
}

// conflict names another provider that is set beside the old names.
func (o *oldReader) conflict(others []layer) bool {
	for _, other := range others {
		kind, set := other["provider.kind"]
		if !set || kind.value == "entra" {
			continue
		}
		for _, v := range o.old {
			o.faults.add(v.name, v.place, "describes an application at Entra ID, but %s says %v; leave one of them out", kind.name, kind.value)
		}
		return len(o.old) > 0
	}
	return false
}

// refuse says what is wrong with v, which was to name the API.
func (o *oldReader) refuse(v variable, problem string, args ...any) {
	o.refused["provider.audience"] = true
	o.faults.add(v.name, v.place, problem, args...)
}

func (o *oldReader) tenant() {
	if v, set := o.vars[oldTenant]; set {
		o.set("provider.kind", v, "entra")
		o.set("provider.tenant", v, v.value)
	}
}

func (o *oldReader) scope() {
	v, set := o.vars[oldScope]
	if !set {
		return
	}
	app, name, _ := cutLast(v.value, "/")
	switch {
	case strings.ContainsAny(v.value, " ,"):
		o.refuse(v, "%s is more than one scope; write the one that opens every tool", show(v.value))
	case !strings.Contains(app, "://") || strings.HasSuffix(app, "/") || name == "":
		o.refuse(v, "%s is no full scope; write api://<app>/execute", show(v.value))
	case name == ".default":
		o.refuse(v, "%s asks for every scope and names none; write api://<app>/execute", show(v.value))
	default:
		o.set("provider.scope_prefix", v, app+"/")
		o.set("scopes.execute", v, name)
		if _, set := o.vars[oldAudience]; !set {
			o.set("provider.audience", v, sameApp(app)...)
		}
	}
}

func (o *oldReader) audience() {
	v, set := o.vars[oldAudience]
	if !set {
		return
	}
	o.set("provider.audience", v, sameApp(v.value)...)
	scope, set := o.vars[oldScope]
	app, _, full := cutLast(scope.value, "/")
	if set && full && !strings.ContainsAny(scope.value, " ,") && strings.Contains(app, "://") && !slices.Contains(sameApp(v.value), app) {
		o.refuse(v, "%s and %s of %s are two applications; name one", show(v.value), show(app), oldScope)
	}
}

func (o *oldReader) client() {
	v, set := o.vars[oldClient]
	if !set {
		return
	}
	o.set("provider.client_id", v, v.value)
	_, audience := o.vars[oldAudience]
	_, scope := o.vars[oldScope]
	switch {
	case audience || scope:
	case !idp.IsGUID(v.value):
		o.refuse(v, "%s is no application (client) ID; write the GUID in lower case", show(v.value))
	default:
		o.set("provider.audience", v, sameApp(v.value)...)
		o.set("provider.scope_prefix", v, "api://"+v.value+"/")
	}
}

// sameApp is every audience that Entra writes for the app that is named: version 2 tokens have the GUID, version 1
// tokens the GUID or the App ID URI. Only for api://<GUID> is the one known from the other.
func sameApp(audience string) []string {
	guid := strings.TrimPrefix(audience, "api://")
	if !idp.IsGUID(guid) {
		return []string{audience}
	}
	return []string{guid, "api://" + guid}
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", s, false
	}
	return s[:i], s[i+len(sep):], true
}
