package config

import (
	"strings"
	"testing"
)

func TestTheOldNamesAreUnderstood(t *testing.T) {
	const api, client = "22222222-2222-3333-4444-555555555555", "33333333-2222-3333-4444-555555555555"
	tenant := "TENANT_ID=" + guid
	for _, tt := range []struct {
		name string
		place
		want map[string]string // key: value < origin
	}{
		{"TENANT_ID with CLIENT_ID is the API itself", place{environ: []string{tenant, "CLIENT_ID=" + api}}, map[string]string{
			"provider.kind":         "entra < environment TENANT_ID",
			"provider.tenant":       guid + " < environment TENANT_ID",
			"provider.client_id":    api + " < environment CLIENT_ID",
			"provider.audience":     api + ",api://" + api + " < environment CLIENT_ID",
			"provider.scope_prefix": "api://" + api + "/ < environment CLIENT_ID",
			"scopes.execute":        "execute < default",
		}},
		{"API_SCOPE names the API, and CLIENT_ID the client", place{environ: []string{tenant, "CLIENT_ID=" + client, "API_SCOPE=api://" + api + "/run"}}, map[string]string{
			"provider.client_id":    client + " < environment CLIENT_ID",
			"provider.audience":     api + ",api://" + api + " < environment API_SCOPE",
			"provider.scope_prefix": "api://" + api + "/ < environment API_SCOPE",
			"scopes.execute":        "run < environment API_SCOPE",
		}},
		{"API_AUDIENCE names the API by its App ID URI", place{environ: []string{tenant, "CLIENT_ID=" + client, "API_AUDIENCE=api://" + api}}, map[string]string{
			"provider.client_id":    client + " < environment CLIENT_ID",
			"provider.audience":     api + ",api://" + api + " < environment API_AUDIENCE",
			"provider.scope_prefix": "api://" + api + "/ < from provider.audience",
		}},
		{"an App ID URI of one's own says nothing of the GUID", place{environ: []string{tenant, "API_AUDIENCE=api://reverse"}}, map[string]string{
			"provider.audience":     "api://reverse < environment API_AUDIENCE",
			"provider.scope_prefix": "api://reverse/ < from provider.audience",
			"provider.client_id":    " < default",
		}},
		{"all four, as the demonstration had them", place{files: dotenv(tenant + "\nCLIENT_ID=" + client + "\nAPI_SCOPE=api://" + api + "/execute\nAPI_AUDIENCE=" + api + "\n")}, map[string]string{
			"provider.kind":         "entra < .env:1 TENANT_ID",
			"provider.tenant":       guid + " < .env:1 TENANT_ID",
			"provider.client_id":    client + " < .env:2 CLIENT_ID",
			"provider.scope_prefix": "api://" + api + "/ < .env:3 API_SCOPE",
			"scopes.execute":        "execute < .env:3 API_SCOPE",
			"provider.audience":     api + ",api://" + api + " < .env:4 API_AUDIENCE",
		}},
		{"the FASTMCP_AUTH_ name wins in the same place", place{environ: []string{tenant, "FASTMCP_AUTH_PROVIDER_TENANT=" + other, "API_AUDIENCE=" + api}}, map[string]string{
			"provider.kind":   "entra < environment TENANT_ID",
			"provider.tenant": other + " < environment FASTMCP_AUTH_PROVIDER_TENANT",
		}},
		{"an old name in the environment wins over the FASTMCP_AUTH_ name in .env", place{environ: []string{tenant, "API_AUDIENCE=" + api}, files: dotenv("FASTMCP_AUTH_PROVIDER_TENANT=" + other)}, map[string]string{
			"provider.tenant": guid + " < environment TENANT_ID",
		}},
		{"an old name in .env wins over the file", place{files: map[string]string{".env": tenant + "\nAPI_AUDIENCE=" + api, "fastmcp-auth.yaml": "provider:\n  kind: entra\n  tenant: " + other}}, map[string]string{
			"provider.tenant": guid + " < .env:1 TENANT_ID",
		}},
		{"the names may stand in two places", place{environ: []string{tenant}, files: dotenv("TENANT_ID=" + other + "\nAPI_AUDIENCE=" + api)}, map[string]string{
			"provider.tenant":   guid + " < environment TENANT_ID",
			"provider.audience": api + ",api://" + api + " < .env:2 API_AUDIENCE",
		}},
		{"an empty one counts as not set", place{environ: []string{tenant, "API_AUDIENCE=" + api, "API_SCOPE="}, files: dotenv("CLIENT_ID=\n")}, map[string]string{
			"provider.client_id": " < default",
		}},
		{"a half set is whole with a name of ours", place{environ: []string{"API_AUDIENCE=" + api, "FASTMCP_AUTH_PROVIDER_KIND=entra", "FASTMCP_AUTH_PROVIDER_TENANT=" + guid}}, map[string]string{
			"provider.audience": api + ",api://" + api + " < environment API_AUDIENCE",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := tt.load(t)
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range tt.want {
				if r := row(t, s, key); r.Value+" < "+r.Origin != want {
					t.Errorf("%s is %s < %s, want %s", key, r.Value, r.Origin, want)
				}
			}
		})
	}
}

func TestHalfOrContradictingOldNamesAreRefused(t *testing.T) {
	const api = "22222222-2222-3333-4444-555555555555"
	tenant := "TENANT_ID=" + guid
	for _, tt := range []struct {
		name string
		place
		want []string
	}{
		{"TENANT_ID alone", place{environ: []string{tenant}}, []string{
			`provider.audience: Entra ID writes the API's client id or App ID URI into its tokens (API_AUDIENCE, API_SCOPE or CLIENT_ID beside TENANT_ID will do): set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`}},
		{"CLIENT_ID and API_SCOPE without TENANT_ID", place{files: dotenv("CLIENT_ID=" + api + "\nAPI_SCOPE=api://" + api + "/execute\n")}, []string{
			`.env:1: CLIENT_ID: is set, but TENANT_ID is not, so no provider is named: set TENANT_ID too, or leave CLIENT_ID out`,
			`.env:2: API_SCOPE: is set, but TENANT_ID is not, so no provider is named: set TENANT_ID too, or leave API_SCOPE out`}},
		{"a tenant that is none", place{environ: []string{"TENANT_ID=mine", "API_AUDIENCE=" + api}}, []string{
			`TENANT_ID: "mine" is no directory (tenant) ID; write the GUID in lower case, or common, organizations or consumers`}},
		{"a client that is none", place{environ: []string{tenant, "CLIENT_ID=mine"}}, []string{
			`CLIENT_ID: "mine" is no application (client) ID; write the GUID in lower case`}},
		{"a short scope", place{environ: []string{tenant, "API_SCOPE=execute"}}, []string{
			`API_SCOPE: "execute" is no full scope; write api://<app>/execute`}},
		{"a scope without a name", place{environ: []string{tenant, "API_SCOPE=api://x/"}}, []string{
			`API_SCOPE: "api://x/" is no full scope; write api://<app>/execute`}},
		{"Entra 13 .default", place{environ: []string{tenant, "API_SCOPE=api://x/.default"}}, []string{
			`API_SCOPE: "api://x/.default" asks for every scope and names none; write api://<app>/execute`}},
		{"several scopes", place{environ: []string{tenant, "API_SCOPE=api://x/a api://x/b"}}, []string{
			`API_SCOPE: "api://x/a api://x/b" is more than one scope; write the one that opens every tool`}},
		{"two applications", place{environ: []string{tenant, "API_SCOPE=api://" + api + "/execute", "API_AUDIENCE=api://" + other}}, []string{
			`API_AUDIENCE: "api://` + other + `" and "api://` + api + `" of API_SCOPE are two applications; name one`}},
		{"another provider in a flag", place{args: []string{"--provider-kind=google", "--provider-audience=x"}, environ: []string{tenant}}, []string{
			`TENANT_ID: describes an application at Entra ID, but --provider-kind says google; leave one of them out`}},
		{"another provider in the file", place{environ: []string{tenant, "API_AUDIENCE=" + api}, files: yamlFile("provider: {kind: google}")}, []string{
			`TENANT_ID: describes an application at Entra ID, but provider.kind says google; leave one of them out`,
			`API_AUDIENCE: describes an application at Entra ID, but provider.kind says google; leave one of them out`,
			`provider.audience: Google's tokens are for an OAuth client, so its client id is needed: set --provider-audience, FASTMCP_AUTH_PROVIDER_AUDIENCE or provider.audience in the file`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := faultsOf(t, tt.place)
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			if extra := strings.Count(got, "\n") + 1 - len(tt.want); extra != 0 {
				t.Errorf("there are %d faults more:\n%s", extra, got)
			}
		})
	}
}
