package entra_test

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"strings"
)

type object = map[string]any

// graph is the part of Microsoft Graph that the script uses. It keeps the rules that the script must know:
// an enabled scope or role is neither removed nor renamed (CannotDeleteOrUpdateEnabledEntitlement), an App ID URI holds
// the application's id, a list in a PATCH replaces the list, and a grant names scopes that the API has.
type graph struct {
	Made    int // how many ids were given out
	Objects map[string][]object
}

const graphAppID = "00000003-0000-0000-c000-000000000000"

func newGraph() *graph {
	return &graph{Objects: map[string][]object{
		"applications":           {},
		"oauth2PermissionGrants": {},
		"servicePrincipals": {{"id": "graph-sp", "appId": graphAppID, "oauth2PermissionScopes": []any{
			object{"value": "openid"}, object{"value": "profile"}, object{"value": "offline_access"}, object{"value": "User.Read"}}}},
	}}
}

type refusal struct{ status, code, message string }

func bad(code, format string, args ...any) *refusal {
	return &refusal{"Bad Request", code, fmt.Sprintf(format, args...)}
}

func (g *graph) serve(method, path string, parameters url.Values, body object) (any, *refusal) {
	collection, id, single := strings.Cut(path, "/")
	if _, ok := g.Objects[collection]; !ok {
		return nil, bad("BadRequest", "Resource not found for the segment %q", collection)
	}
	switch {
	case method == "GET" && !single:
		return g.list(collection, parameters)
	case method == "POST" && !single:
		return g.create(collection, body)
	}
	found := g.one(collection, "id", id)
	if found == nil {
		return nil, &refusal{"Not Found", "Request_ResourceNotFound", "Resource '" + id + "' does not exist"}
	}
	switch method {
	case "GET":
		return found, nil
	case "PATCH":
		return nil, g.patch(collection, found, body)
	case "DELETE":
		g.remove(collection, found)
		return nil, nil
	}
	return nil, bad("BadRequest", "%s %s", method, path)
}

var filterForm = regexp.MustCompile(`^(displayName|appId|clientId) eq '([^']*)'$`)

func (g *graph) list(collection string, parameters url.Values) (any, *refusal) {
	filter := filterForm.FindStringSubmatch(parameters.Get("$filter"))
	if filter == nil {
		return nil, bad("Request_UnsupportedQuery", "filter %q", parameters.Get("$filter"))
	}
	value := []any{}
	for _, o := range g.Objects[collection] {
		if o[filter[1]] != filter[2] {
			continue
		}
		shown := o
		if fields := parameters.Get("$select"); fields != "" {
			shown = object{}
			for _, f := range strings.Split(fields, ",") {
				shown[f] = o[f]
			}
		}
		value = append(value, shown)
	}
	return object{"value": value}, nil
}

func (g *graph) create(collection string, body object) (any, *refusal) {
	g.Made++
	o := object{"id": fmt.Sprintf("%08d-0000-4000-8000-00000000000d", g.Made)}
	switch collection {
	case "applications":
		maps.Copy(o, object{
			"appId": fmt.Sprintf("%08d-0000-4000-8000-0000000000aa", g.Made), "identifierUris": []any{}, "appRoles": []any{},
			"isFallbackPublicClient": nil, "publicClient": object{"redirectUris": []any{}}, "requiredResourceAccess": []any{},
			"optionalClaims": nil, "tags": []any{},
			"api": object{"requestedAccessTokenVersion": nil, "oauth2PermissionScopes": []any{}, "preAuthorizedApplications": []any{}},
		})
		if name, _ := body["displayName"].(string); name == "" {
			return nil, bad("Request_BadRequest", "displayName is missing")
		}
	case "servicePrincipals":
		app := g.one("applications", "appId", body["appId"])
		if app == nil {
			return nil, bad("NoBackingApplicationObject", "appId %v", body["appId"])
		}
		if g.one(collection, "appId", body["appId"]) != nil {
			return nil, bad("Request_MultipleObjectsWithSameKeyValue", "the service principal exists")
		}
	case "oauth2PermissionGrants":
		for _, other := range g.Objects[collection] {
			if other["clientId"] == body["clientId"] && other["resourceId"] == body["resourceId"] {
				return nil, bad("Request_BadRequest", "Permission entry already exists.")
			}
		}
	}
	if r := g.patch(collection, o, body); r != nil {
		return nil, r
	}
	g.Objects[collection] = append(g.Objects[collection], o)
	return o, nil
}

func (g *graph) patch(collection string, o, body object) *refusal {
	merged := maps.Clone(o)
	maps.Copy(merged, body)
	switch collection {
	case "applications":
		if r := keepsEnabled(scopesOf(o), scopesOf(merged)); r != nil {
			return r
		}
		if r := keepsEnabled(listOf(o["appRoles"]), listOf(merged["appRoles"])); r != nil {
			return r
		}
		for _, uri := range listOf(merged["identifierUris"]) {
			if !strings.Contains(uri.(string), merged["appId"].(string)) {
				return bad("Request_BadRequest", "App ID URI %q: verified domain, tenant id or app id required", uri)
			}
		}
	case "oauth2PermissionGrants":
		for _, scope := range strings.Fields(merged["scope"].(string)) {
			if !g.offers(merged["resourceId"], scope) {
				return bad("Request_BadRequest", "the resource has no scope %q", scope)
			}
		}
	}
	maps.Copy(o, body)
	return nil
}

// keepsEnabled refuses to remove, rename or repeat scopes and roles as Graph does.
func keepsEnabled(before, after []any) *refusal {
	ids, values := map[any]object{}, map[any]bool{}
	for _, item := range after {
		e := item.(object)
		if ids[e["id"]] != nil || values[e["value"]] {
			return bad("DuplicateValue", "Request contains a property with duplicate values.")
		}
		ids[e["id"]], values[e["value"]] = e, true
	}
	for _, item := range before {
		e := item.(object)
		if now := ids[e["id"]]; e["isEnabled"] == true && (now == nil || now["value"] != e["value"]) {
			return bad("CannotDeleteOrUpdateEnabledEntitlement", "Permission (scope or role) cannot be deleted or updated unless disabled first.")
		}
	}
	return nil
}

// offers reports whether the API behind a service principal has the scope.
func (g *graph) offers(sp any, scope string) bool {
	principal := g.one("servicePrincipals", "id", sp)
	if principal == nil {
		return false
	}
	scopes := listOf(principal["oauth2PermissionScopes"])
	if app := g.one("applications", "appId", principal["appId"]); app != nil {
		scopes = scopesOf(app)
	}
	for _, item := range scopes {
		if item.(object)["value"] == scope {
			return true
		}
	}
	return false
}

func (g *graph) remove(collection string, o object) {
	keep := func(name string, stays func(object) bool) {
		kept := []object{}
		for _, other := range g.Objects[name] {
			if stays(other) {
				kept = append(kept, other)
			}
		}
		g.Objects[name] = kept
	}
	sp := g.one("servicePrincipals", "appId", o["appId"])
	keep(collection, func(other object) bool { return !reflect.DeepEqual(other["id"], o["id"]) })
	if collection != "applications" || sp == nil {
		return
	}
	keep("servicePrincipals", func(other object) bool { return other["id"] != sp["id"] })
	keep("oauth2PermissionGrants", func(other object) bool { return other["clientId"] != sp["id"] && other["resourceId"] != sp["id"] })
}

// one returns the object whose field is value, or nil.
func (g *graph) one(collection, field string, value any) object {
	for _, o := range g.Objects[collection] {
		if o[field] == value {
			return o
		}
	}
	return nil
}

func scopesOf(app object) []any {
	api, _ := app["api"].(object)
	return listOf(api["oauth2PermissionScopes"])
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}
