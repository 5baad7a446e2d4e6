//go:build unix

package keycloak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"testing"
)

// realm is one realm of Keycloak with what docs/providers/keycloak.md says to create in it.
type realm struct {
	*running
	Name     string
	Issuer   string
	Audience string            // the URL of the server that its tokens are for
	secrets  map[string]string // of confidential clients, by client id
	people   map[string]string // passwords, by user name

	described description
	scopes    map[string]string // ids, by name
	given     []string          // tokens
}

// description is testdata/realm.json.
type description struct {
	Realm  map[string]any
	Scopes []struct {
		Name    string
		OnlyFor string // the role of its tab Scope; empty means everybody
	}
	Clients []struct {
		Client      map[string]any
		Optional    []string // client scopes
		Without     []string // client scopes that it is not to have
		Roles       []string // realm roles of its service account
		ClientRoles []string // roles of its service account at the client that is named like the audience
		Audience    bool     // an audience mapper in its dedicated scope
	}
	Users []struct {
		User  map[string]any
		Roles []string // realm roles
	}
}

// newRealm makes a realm with its roles and nothing else: enough for a server to name it.
func (k *running) newRealm(ctx context.Context, name string) (*realm, error) {
	r := &realm{
		running: k, Name: name, Issuer: k.URL + "/realms/" + name,
		secrets: map[string]string{}, people: map[string]string{}, scopes: map[string]string{},
	}
	text, err := os.ReadFile("testdata/realm.json")
	if err == nil {
		err = json.Unmarshal(text, &r.described)
	}
	if err != nil {
		return nil, err
	}
	r.described.Realm["realm"] = name
	_, err = k.administer(ctx, http.MethodPost, "/realms", r.described.Realm, nil)
	return r, err
}

// furnish adds scopes, clients and people, for a server whose URL is audience.
func (r *realm) furnish(ctx context.Context, audience string) error {
	r.Audience = audience
	var own []struct{ ID, Name string } // the scopes that every realm has
	if _, err := r.admin(ctx, http.MethodGet, "/client-scopes", nil, &own); err != nil {
		return err
	}
	for _, s := range own {
		r.scopes[s.Name] = s.ID
	}
	for _, s := range r.described.Scopes {
		id, err := r.admin(ctx, http.MethodPost, "/client-scopes", map[string]any{
			"name": s.Name, "protocol": "openid-connect",
			"attributes":      map[string]string{"include.in.token.scope": "true"},
			"protocolMappers": []any{r.audienceMapper()},
		}, nil)
		if err != nil {
			return err
		}
		r.scopes[s.Name] = id
		if s.OnlyFor == "" {
			continue
		}
		if err := r.giveRoles(ctx, "/client-scopes/"+id+"/scope-mappings/realm", "/roles", []string{s.OnlyFor}); err != nil {
			return err
		}
	}
	// The API as a client, for those who keep its roles there, or ask Keycloak about tokens: its id is the audience.
	r.secrets[audience] = newSecret()
	api, err := r.admin(ctx, http.MethodPost, "/clients", map[string]any{"clientId": audience, "secret": r.secrets[audience], "standardFlowEnabled": false}, nil)
	if err != nil {
		return err
	}
	if _, err := r.admin(ctx, http.MethodPost, "/clients/"+api+"/roles", map[string]any{"name": "Tools.Execute"}, nil); err != nil {
		return err
	}
	for i := range r.described.Clients {
		if err := r.addClient(ctx, i, api); err != nil {
			return err
		}
	}
	for _, u := range r.described.Users {
		name, password := u.User["username"].(string), newSecret()
		r.people[name] = password
		u.User["credentials"] = []any{map[string]any{"type": "password", "value": password, "temporary": false}}
		id, err := r.admin(ctx, http.MethodPost, "/users", u.User, nil)
		if err != nil {
			return err
		}
		if err := r.giveRoles(ctx, "/users/"+id+"/role-mappings/realm", "/roles", u.Roles); err != nil {
			return err
		}
	}
	return nil
}

func (r *realm) addClient(ctx context.Context, i int, api string) error {
	c := r.described.Clients[i]
	if c.Client["publicClient"] != true {
		secret := newSecret()
		r.secrets[c.Client["clientId"].(string)] = secret
		c.Client["secret"] = secret
	}
	if c.Audience {
		c.Client["protocolMappers"] = []any{r.audienceMapper()}
	}
	id, err := r.admin(ctx, http.MethodPost, "/clients", c.Client, nil)
	if err != nil {
		return err
	}
	for _, name := range c.Optional {
		if _, err := r.admin(ctx, http.MethodPut, "/clients/"+id+"/optional-client-scopes/"+r.scopes[name], nil, nil); err != nil {
			return err
		}
	}
	for _, name := range c.Without {
		if _, err := r.admin(ctx, http.MethodDelete, "/clients/"+id+"/optional-client-scopes/"+r.scopes[name], nil, nil); err != nil {
			return err
		}
	}
	if len(c.Roles)+len(c.ClientRoles) == 0 {
		return nil
	}
	var account struct{ ID string }
	if _, err := r.admin(ctx, http.MethodGet, "/clients/"+id+"/service-account-user", nil, &account); err != nil {
		return err
	}
	of := "/users/" + account.ID + "/role-mappings"
	if err := r.giveRoles(ctx, of+"/realm", "/roles", c.Roles); err != nil {
		return err
	}
	return r.giveRoles(ctx, of+"/clients/"+api, "/clients/"+api+"/roles", c.ClientRoles)
}

// giveRoles maps the roles that stand at from.
func (r *realm) giveRoles(ctx context.Context, to, from string, names []string) error {
	var roles []any
	for _, name := range names {
		var role map[string]any
		if _, err := r.admin(ctx, http.MethodGet, from+"/"+url.PathEscape(name), nil, &role); err != nil {
			return err
		}
		roles = append(roles, role)
	}
	if len(roles) == 0 {
		return nil
	}
	_, err := r.admin(ctx, http.MethodPost, to, roles, nil)
	return err
}

// audienceMapper is the one step that cannot be left out.
func (r *realm) audienceMapper() map[string]any {
	return map[string]any{
		"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]string{"included.custom.audience": r.Audience, "access.token.claim": "true", "id.token.claim": "false"},
	}
}

// admin asks the admin interface about this realm.
func (r *realm) admin(ctx context.Context, method, at string, body, into any) (string, error) {
	id, err := r.administer(ctx, method, "/realms/"+r.Name+at, body, into)
	if err != nil {
		return "", fmt.Errorf("realm %s: %w", r.Name, err)
	}
	return id, nil
}

// programToken is a token for a program: client credentials.
func (r *realm) programToken(t *testing.T, client string, scopes string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {r.secrets[client]}}
	if scopes != "" {
		form.Set("scope", scopes)
	}
	granted, err := r.ask(within(t), r.Name, "token", form)
	if err != nil {
		t.Fatal(err)
	}
	r.given = append(r.given, granted.AccessToken)
	return granted.AccessToken
}

// allSecrets are what no log may show.
func (r *realm) allSecrets() func() []string {
	return func() []string {
		all := slices.Clone(r.given)
		for _, m := range []map[string]string{r.secrets, r.people} {
			for _, s := range m {
				all = append(all, s)
			}
		}
		return all
	}
}
