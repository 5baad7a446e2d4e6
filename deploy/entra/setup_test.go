// Package entra_test runs setup.sh against a stand-in for the Azure CLI that keeps its state, answers queries with
// JMESPath as az does, and records every call.
package entra_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jmespath/go-jmespath"
)

func TestTheFirstRun(t *testing.T) {
	d := newDesk(t)
	r := d.run()
	r.want(t, 0, `set: application "fastmcp-auth API": access tokens of version 2`, "set: consent to the API: time:read")
	r.wantSettings(t, settings...)
	r.wantCalls(t,
		"account show",
		"cloud show",
		"GET applications where displayName eq 'fastmcp-auth API'",
		"POST applications",
		"GET applications where displayName eq 'fastmcp-auth Client'",
		"POST applications",
		"GET applications/"+apiID,
		"GET applications/"+apiID,
		"PATCH applications/"+apiID,
		"GET servicePrincipals where appId eq '"+apiApp+"'",
		"POST servicePrincipals",
		"GET applications/"+apiID,
		"GET applications/"+cliID,
		"GET applications/"+cliID,
		"PATCH applications/"+cliID,
		"GET servicePrincipals where appId eq '"+cliApp+"'",
		"POST servicePrincipals",
		"GET servicePrincipals where appId eq '"+graphAppID+"'",
		"GET oauth2PermissionGrants where clientId eq '"+cliSP+"'",
		"POST oauth2PermissionGrants",
		"GET oauth2PermissionGrants where clientId eq '"+cliSP+"'",
		"POST oauth2PermissionGrants",
	)
}

func TestTheFirstRunWithBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	if err := os.Remove(filepath.Join(d.tools, "sh")); err != nil {
		t.Fatal(err)
	}
	d.link(bash, "sh")
	r := d.run()
	r.want(t, 0)
	r.wantSettings(t, settings...)
	r = d.run()
	r.want(t, 0, "nothing changed")
	r.wantCalls(t, reads...)
}

func TestTheSecondRunOnlyReads(t *testing.T) {
	d := newDesk(t)
	d.run().want(t, 0)
	for _, action := range []string{"apply", "check"} {
		r := d.run(action)
		r.want(t, 0, map[string]string{"apply": "nothing changed", "check": "nothing differs"}[action])
		r.wantCalls(t, reads...)
		r.wantSettings(t, settings...)
	}
}

func TestWhatIsRegistered(t *testing.T) {
	d := newDesk(t)
	d.run("--redirect-uri", "http://127.0.0.1:33418/", "--redirect-uri", "https://vscode.dev/redirect").want(t, 0)
	api, client := d.app("fastmcp-auth API"), d.app("fastmcp-auth Client")
	for _, row := range []struct {
		name, query string
		app         object
		want        any
	}{
		{"Entra 1 the API asks for version 2 tokens", "api.requestedAccessTokenVersion", api, 2.0},
		{"Entra 11 the App ID URI holds the app id", "identifierUris[]", api, []any{"api://" + apiApp}},
		{"the scopes are enabled and people may consent", "api.oauth2PermissionScopes[?isEnabled && type=='User'].value", api, []any{"execute", "time:read", "time:convert"}},
		{"people and programs may hold Tools.Admin", "appRoles[?value=='Tools.Admin'].allowedMemberTypes[]", api, []any{"User", "Application"}},
		{"only programs may hold Tools.Execute", "appRoles[?value=='Tools.Execute'].allowedMemberTypes[]", api, []any{"Application"}},
		{"Entra 5 idtyp comes for people too", "optionalClaims.accessToken[?name=='idtyp'].additionalProperties[]", api, []any{"include_user_token"}},
		{"Entra 18 the client may use the device flow", "isFallbackPublicClient", client, true},
		{"the client's redirects are those of the desktop platform", "publicClient.redirectUris", client, []any{"http://localhost", "http://localhost/callback",
			"http://127.0.0.1", "http://127.0.0.1/callback", "http://127.0.0.1:33418/", "https://vscode.dev/redirect"}},
		{"the client asks for the API and for sign-in", "requiredResourceAccess[].[resourceAppId, length(resourceAccess)][]", client, []any{apiApp, 3.0, graphAppID, 3.0}},
		{"neither holds a secret", "passwordCredentials || keyCredentials", client, nil},
	} {
		t.Run(row.name, func(t *testing.T) { wantQuery(t, row.app, row.query, row.want) })
	}
	grants := d.state().Directory.Objects["oauth2PermissionGrants"]
	if len(grants) != 2 || grants[0]["scope"] != "execute time:read time:convert" || grants[1]["scope"] != "openid profile offline_access" || grants[0]["consentType"] != "AllPrincipals" {
		t.Errorf("the grants are %v", grants)
	}
}

func wantQuery(t *testing.T, o object, query string, want any) {
	t.Helper()
	got, err := jmespath.Search(query, o)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is %v (%v), want %v", query, got, err, want)
	}
}

func TestDriftIsReportedAndRepaired(t *testing.T) {
	for _, row := range []struct {
		name  string
		drift func(api, client object, g *graph)
		says  string
		write string // the one call that mends it
	}{
		{"tokens of version 1", func(api, _ object, _ *graph) { api["api"].(object)["requestedAccessTokenVersion"] = nil },
			`"fastmcp-auth API": access tokens of version 2`, "PATCH applications/" + apiID},
		{"a scope that is switched off", func(api, _ object, _ *graph) { scopesOf(api)[1].(object)["isEnabled"] = false },
			`"fastmcp-auth API": scope time:read`, "PATCH applications/" + apiID},
		{"a role that is gone", func(api, _ object, _ *graph) { api["appRoles"] = listOf(api["appRoles"])[1:] },
			`"fastmcp-auth API": role Tools.Admin`, "PATCH applications/" + apiID},
		{"an App ID URI that is gone", func(api, _ object, _ *graph) { api["identifierUris"] = []any{} },
			`"fastmcp-auth API": App ID URI api://` + apiApp, "PATCH applications/" + apiID},
		{"an API open to other tenants", func(api, _ object, _ *graph) { api["signInAudience"] = "AzureADMultipleOrgs" },
			`"fastmcp-auth API": people of AzureADMyOrg may sign in`, "PATCH applications/" + apiID},
		{"a device flow that is switched off", func(_, client object, _ *graph) { client["isFallbackPublicClient"] = false },
			"public client flows (device flow) are allowed", "PATCH applications/" + cliID},
		{"a redirect URI that is gone", func(_, client object, _ *graph) {
			client["publicClient"] = object{"redirectUris": []any{"http://localhost"}}
		}, "redirect URI http://127.0.0.1", "PATCH applications/" + cliID},
		{"a permission that is gone", func(_, client object, _ *graph) {
			client["requiredResourceAccess"] = listOf(client["requiredResourceAccess"])[1:]
		}, "permission execute", "PATCH applications/" + cliID},
		{"a consent that lacks a scope", func(_, _ object, g *graph) {
			g.Objects["oauth2PermissionGrants"][0]["scope"] = " execute time:convert"
		}, "consent to the API: time:read", "PATCH oauth2PermissionGrants/" + grant1},
		{"a consent that was withdrawn", func(_, _ object, g *graph) {
			g.Objects["oauth2PermissionGrants"] = g.Objects["oauth2PermissionGrants"][:1]
		}, "consent to Microsoft Graph: offline_access", "POST oauth2PermissionGrants"},
		{"a service principal that is gone", func(_, _ object, g *graph) {
			g.Objects["servicePrincipals"] = slices.DeleteFunc(g.Objects["servicePrincipals"], func(o object) bool { return o["id"] == apiSP })
			g.Objects["oauth2PermissionGrants"][0]["resourceId"] = "gone"
		}, `"fastmcp-auth API": it has a service principal`, "POST servicePrincipals"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			d.run().want(t, 0)
			d.change(func(s *state) {
				row.drift(s.Directory.one("applications", "id", apiID), s.Directory.one("applications", "id", cliID), s.Directory)
			})

			r := d.run("check")
			r.want(t, 5, "differs: ", row.says, `run "setup.sh apply"`)
			r.wantOnlyReads(t)

			r = d.run("--dry-run")
			r.want(t, 0, "would set: ", row.says, "nothing was changed")
			r.wantOnlyReads(t)

			r = d.run()
			r.want(t, 0, "set: ", row.says)
			if !slices.Contains(r.calls, row.write) {
				t.Errorf("no call %q in %q", row.write, r.calls)
			}
			r = d.run()
			r.want(t, 0, "nothing changed")
			r.wantOnlyReads(t)
		})
	}
}

func TestWhatOthersAddedIsKept(t *testing.T) {
	d := newDesk(t)
	d.run().want(t, 0)
	d.change(func(s *state) {
		api, client := s.Directory.one("applications", "id", apiID), s.Directory.one("applications", "id", cliID)
		api["tags"] = append(listOf(api["tags"]), "team:platform")
		inner := api["api"].(object)
		inner["oauth2PermissionScopes"] = append(scopesOf(api), object{"id": "x", "value": "pay:read", "isEnabled": true})
		inner["preAuthorizedApplications"] = []any{object{"appId": "editor"}}
		api["appRoles"] = append(listOf(api["appRoles"]), object{"id": "y", "value": "Payer", "isEnabled": true})
		api["optionalClaims"] = object{"idToken": []any{object{"name": "email"}}, "accessToken": []any{object{"name": "ipaddr"}}}
		client["publicClient"] = object{"redirectUris": []any{"https://vscode.dev/redirect"}}
		client["requiredResourceAccess"] = []any{
			object{"resourceAppId": graphAppID, "resourceAccess": []any{object{"id": "user-read", "type": "Scope"}}},
			object{"resourceAppId": "other", "resourceAccess": []any{object{"id": "z", "type": "Role"}}},
		}
		s.Directory.Objects["oauth2PermissionGrants"][1]["scope"] = "User.Read openid"
	})
	d.run().want(t, 0)
	api, client := d.app("fastmcp-auth API"), d.app("fastmcp-auth Client")
	wantQuery(t, api, "tags", []any{"fastmcp-auth-setup", "team:platform"})
	wantQuery(t, api, "api.oauth2PermissionScopes[].value", []any{"pay:read", "execute", "time:read", "time:convert"})
	wantQuery(t, api, "api.preAuthorizedApplications[].appId", []any{"editor"})
	wantQuery(t, api, "appRoles[].value", []any{"Payer", "Tools.Admin", "Tools.Execute"})
	wantQuery(t, api, "optionalClaims.idToken[].name", []any{"email"})
	wantQuery(t, api, "optionalClaims.accessToken[].name", []any{"ipaddr", "idtyp", "acct"})
	wantQuery(t, client, "publicClient.redirectUris | [0]", "https://vscode.dev/redirect")
	wantQuery(t, client, "requiredResourceAccess[?resourceAppId=='other'].resourceAccess[].id", []any{"z"})
	wantQuery(t, client, "requiredResourceAccess[?resourceAppId=='"+graphAppID+"'].resourceAccess[].id | [0]", "user-read")
	if scope := d.state().Directory.Objects["oauth2PermissionGrants"][1]["scope"]; scope != "User.Read openid profile offline_access" {
		t.Errorf("the consent is %q", scope)
	}
	d.run().want(t, 0, "nothing changed")
}

func TestAScopeMadeByHandKeepsItsID(t *testing.T) {
	d := newDesk(t)
	d.run("--scopes", "time:read").want(t, 0)
	d.change(func(s *state) {
		api := s.Directory.one("applications", "id", apiID)
		api["api"].(object)["oauth2PermissionScopes"] = append(scopesOf(api), object{"id": "made-by-hand", "value": "execute", "isEnabled": true})
	})
	d.run().want(t, 0)
	wantQuery(t, d.app("fastmcp-auth API"), "api.oauth2PermissionScopes[?value=='execute'].id", []any{"made-by-hand"})
	wantQuery(t, d.app("fastmcp-auth Client"), "length(requiredResourceAccess[].resourceAccess[?id=='made-by-hand'][])", 1.0)
}

func TestConsent(t *testing.T) {
	t.Run("refused: everything is registered, and the address for an administrator is printed", func(t *testing.T) {
		d := newDesk(t)
		d.change(func(s *state) { s.MayGrant = false })
		r := d.run()
		r.want(t, 4, "refused: consent to the API", "https://login.microsoftonline.com/"+home+"/adminconsent?client_id="+cliApp)
		r.wantSettings(t, settings...)
		if i := slices.Index(r.calls, "POST oauth2PermissionGrants"); i != len(r.calls)-1 {
			t.Errorf("after the refusal az was called again: %q", r.calls)
		}
		d.change(func(s *state) { s.MayGrant = true })
		d.run().want(t, 0, "set: consent to the API: execute", "set: consent to Microsoft Graph: openid")
	})
	t.Run("Entra 24 the administrator's address is of the same cloud", func(t *testing.T) {
		d := newDesk(t)
		d.change(func(s *state) { s.MayGrant, s.Cloud = false, "AzureChinaCloud" })
		d.run().want(t, 4, "https://login.partner.microsoftonline.cn/"+home+"/adminconsent?client_id="+cliApp)
	})
	t.Run("left to the people where they wish", func(t *testing.T) {
		d := newDesk(t)
		r := d.run("--no-consent")
		r.want(t, 0, "left out: consent to the API: execute time:read time:convert")
		if slices.Contains(r.calls, "POST oauth2PermissionGrants") {
			t.Error("consent was given")
		}
		d.run("check", "--no-consent").want(t, 0, "nothing differs")
	})
}

func TestNothingHereIsOurs(t *testing.T) {
	foreign := func(s *state) {
		s.Directory.create("applications", object{"displayName": "fastmcp-auth API", "tags": []any{"theirs"}})
	}
	for _, action := range []string{"apply", "check", "remove"} {
		t.Run("an application of the name that is not ours is left alone by "+action, func(t *testing.T) {
			d := newDesk(t)
			d.change(foreign)
			before := d.app("fastmcp-auth API")
			r := d.run(action, "--yes")
			r.want(t, 2, "did not make", "--name")
			r.wantOnlyReads(t)
			if after := d.app("fastmcp-auth API"); !reflect.DeepEqual(after, before) {
				t.Errorf("it became %v", after)
			}
		})
	}
	t.Run("another name works beside it", func(t *testing.T) {
		d := newDesk(t)
		d.change(foreign)
		d.run("--name", "tools (test)").want(t, 0)
		if d.app("tools (test) API") == nil || d.app("tools (test) Client") == nil {
			t.Error("the applications are missing")
		}
	})
	t.Run("two applications of the name are not chosen between", func(t *testing.T) {
		d := newDesk(t)
		for range 2 {
			d.change(func(s *state) {
				s.Directory.create("applications", object{"displayName": "fastmcp-auth API", "tags": []any{"fastmcp-auth-setup"}})
			})
		}
		r := d.run()
		r.want(t, 2, "several applications")
		r.wantOnlyReads(t)
	})
	t.Run("a dry run on an empty directory writes nothing and prints no settings", func(t *testing.T) {
		r := newDesk(t).run("--dry-run")
		r.want(t, 0, `would set: application "fastmcp-auth API": it is registered`)
		r.wantOnlyReads(t)
		if r.stdout != "" {
			t.Errorf("stdout is %q", r.stdout)
		}
	})
	t.Run("a check of an empty directory finds both missing", func(t *testing.T) {
		r := newDesk(t).run("check")
		r.want(t, 5, `differs: application "fastmcp-auth Client": it is registered`, "2 differences")
		r.wantOnlyReads(t)
	})
}

func TestRemove(t *testing.T) {
	found := []string{"account show", "cloud show", "GET applications where displayName eq 'fastmcp-auth Client'", "GET applications where displayName eq 'fastmcp-auth API'"}
	deleted := append(slices.Clone(found), "DELETE applications/"+cliID, "DELETE applications/"+apiID)
	for _, row := range []struct {
		name, keyboard string
		args           []string
		code           int
		calls          []string
		says           string
	}{
		{"yes deletes both, the client first", "yes\n", nil, 0, deleted, "30 days"},
		{"--yes does not ask", "", []string{"--yes"}, 0, deleted, `deleted: application "fastmcp-auth API"`},
		{"no deletes nothing", "no\n", nil, 3, found, "nothing was deleted"},
		{"y is not yes", "y\n", nil, 3, found, "nothing was deleted"},
		{"nobody at the keyboard deletes nothing", "", nil, 3, found, "nothing was deleted"},
		{"a dry run deletes nothing", "yes\n", []string{"--dry-run", "--yes"}, 0, found, "to be deleted"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			d.run().want(t, 0)
			d.keyboard = row.keyboard
			r := d.run(append([]string{"remove"}, row.args...)...)
			r.want(t, row.code, row.says)
			r.wantCalls(t, row.calls...)
			if gone := d.app("fastmcp-auth API") == nil; gone != (len(row.calls) == len(deleted)) {
				t.Errorf("gone is %v", gone)
			}
		})
	}
	t.Run("there is nothing to remove", func(t *testing.T) {
		r := newDesk(t).run("remove")
		r.want(t, 0, "nothing to remove")
		r.wantCalls(t, found...)
	})
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(*state)
		args []string
		code int
		says []string
		last string // the last call
	}{
		{"nobody is signed in", func(s *state) { s.SignedIn = false }, nil, 4, []string{"not signed in", "az login --allow-no-subscriptions"}, "account show"},
		{"somebody is signed in elsewhere", nil, []string{"--tenant", "22222222-2222-4222-8222-222222222222"}, 4,
			[]string{"signed in to the tenant " + home, "--tenant 22222222"}, "account show"},
		{"the cloud is unknown", func(s *state) { s.Cloud = "AzureBleuCloud" }, nil, 2, []string{"does not know the cloud AzureBleuCloud"}, "cloud show"},
		{"the directory is out of reach", func(s *state) { s.Down = true }, nil, 6, []string{"could not reach the directory", "Max retries exceeded"},
			"GET applications where displayName eq 'fastmcp-auth API'"},
		{"registering is not allowed", func(s *state) { s.MayCreate = false }, nil, 4, []string{"does not let you register", "Application Developer"}, "POST applications"},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			if row.set != nil {
				d.change(row.set)
			}
			r := d.run(row.args...)
			r.want(t, row.code, row.says...)
			if r.stdout != "" {
				t.Errorf("stdout is %q", r.stdout)
			}
			if len(r.calls) == 0 || r.calls[len(r.calls)-1] != row.last {
				t.Errorf("az was called %q, want %q last", r.calls, row.last)
			}
		})
	}
	t.Run("the Azure CLI is missing", func(t *testing.T) {
		d := newDesk(t)
		if err := os.Remove(filepath.Join(d.tools, "az")); err != nil {
			t.Fatal(err)
		}
		r := d.run()
		r.want(t, 6, "the Azure CLI (az) is not installed", "install-azure-cli")
		r.wantCalls(t)
	})
	t.Run("a fresh application that is not known everywhere yet is asked for again", func(t *testing.T) {
		d := newDesk(t)
		d.change(func(s *state) { s.Lag = 3 })
		r := d.run()
		r.want(t, 0)
		r.wantSettings(t, settings...)
	})
	t.Run("an application that stays unknown ends the run", func(t *testing.T) {
		d := newDesk(t)
		d.change(func(s *state) { s.Lag = 1000 })
		d.run().want(t, 1, "could not read the application", "Request_ResourceNotFound")
	})
}

func TestWrongUsage(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string
		says string
	}{
		{"an unknown argument", []string{"--nmae", "x"}, `unknown argument "--nmae"`},
		{"two actions", []string{"check", "remove"}, `unknown argument "remove"`},
		{"a value that is missing", []string{"--name"}, "--name needs a value"},
		{"a name with a quote", []string{"--name", "a'b"}, "may hold letters"},
		{"one name for both", []string{"--api-name", "x", "--client-name", "x"}, "different names"},
		{"a scope with a backtick", []string{"--scopes", "a`b"}, "may hold letters"},
		{"a scope that begins with a dot", []string{"--scopes", ".a"}, "may not begin with a dot"},
		{"a scope that is too long", []string{"--scopes", strings.Repeat("a", 121)}, "longer than 120"},
		{"no scope", []string{"--scopes", " "}, "names no scope"},
		{"a scope that is a pattern of file names", []string{"--scopes", "*"}, "may hold letters"},
		{"a redirect to another machine without TLS", []string{"--redirect-uri", "http://mcp.example.com/"}, "neither https nor http on loopback"},
		{"a redirect to a look-alike of loopback", []string{"--redirect-uri", "http://localhost.example.com/"}, "neither https nor http on loopback"},
		{"a redirect with a quote", []string{"--redirect-uri", "https://a/'"}, "does not support"},
	} {
		t.Run(row.name+" is refused before any call", func(t *testing.T) {
			r := newDesk(t).run(row.args...)
			r.want(t, 2, row.says, "--help")
			r.wantCalls(t)
		})
	}
	t.Run("--help lists the exit codes", func(t *testing.T) {
		r := newDesk(t).run("--help")
		r.want(t, 0)
		for _, line := range []string{"usage: setup.sh", "  5  check found differences"} {
			if !strings.Contains(r.stdout, line) {
				t.Errorf("the help does not say %q", line)
			}
		}
	})
}
