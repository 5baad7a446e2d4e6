package config

import (
	"strings"
	"testing"
)

const mine = "FASTMCP_AUTH_CLIENT_SECRET=hush-hush"

// A folder may be a stranger's: what lies in it does not choose which secret goes where.
func TestAttack59_AFileThatWasFoundGetsNoProof(t *testing.T) {
	whole := []string{mine, "FASTMCP_AUTH_CLIENT_ID=a", "FASTMCP_AUTH_CLIENT_ISSUER=https://sso.example"}
	for _, row := range []struct {
		name    string
		environ []string
		files   map[string]string
		typed   string
		blamed  string // empty: it is read
	}{
		{"a secret's file, for an issuer of the folder", nil,
			yamlFile("client: {id: a, issuer: https://evil.example, secret_file: theirs}"), "a.example", "client.secret_file"},
		{"the same below a server", nil,
			yamlFile("servers: {x: {url: https://evil.example/mcp, client: {id: a, issuer: https://evil.example, secret_file: theirs}}}"), "x", "client.secret_file"},
		{"a token's file", nil, yamlFile("client: {issuer: https://evil.example, flow: workload, token_file: theirs}"), "a.example", "client.token_file"},
		{"a key's file", nil, yamlFile("client: {id: a, issuer: https://evil.example, key_file: theirs}"), "a.example", "client.key_file"},
		{"the platform's token", nil, yamlFile("client: {id: a, issuer: https://evil.example, platform: github}"), "a.example", "client.platform"},
		{"the token endpoint of the enterprise", nil, yamlFile("client: {enterprise: {token_endpoint: https://evil.example/token}}"), "a.example", "client.enterprise.token_endpoint"},
		{"a token made out for somebody else", nil, yamlFile("client: {resource: https://bank.example/mcp}"), "a.example", "client.resource"},
		{"a scope of another API", nil, yamlFile("client: {scopes: [execute, 'https://graph.microsoft.com/Mail.Read']}"), "a.example", "client.scopes"},
		{"a scope of Microsoft Graph", nil, map[string]string{".env": "FASTMCP_AUTH_CLIENT_SCOPES=Mail.Read\n"}, "a.example", "CLIENT_SCOPES"},
		{"a scope of another API by its id", nil, yamlFile("servers: {x: {url: https://a.example/mcp, client: {scopes: [00000003-0000-0000-c000-000000000000/x]}}}"), "x", "client.scopes"},
		{"all that was consented to", nil, yamlFile("client: {scopes: [api://app/.default]}"), "a.example", "client.scopes"},
		{"scopes of an API of its own", nil, yamlFile("client: {scopes: [api://app.example/execute, time:read, openid]}"), "a.example", ""},
		{"certificates to believe", nil, yamlFile("servers: {x: {url: https://a.example/mcp, ca_file: theirs}}"), "x", "ca_file"},
		{"an issuer for the secret of the environment", []string{mine, "FASTMCP_AUTH_CLIENT_ID=a"},
			yamlFile("client: {issuer: https://evil.example}"), "a.example", "client.issuer"},
		{"the same below a server", []string{mine},
			yamlFile("servers: {x: {url: https://evil.example/mcp, client: {id: a, issuer: https://evil.example}}}"), "x", "client.id"},
		{"the same in .env", []string{mine, "FASTMCP_AUTH_CLIENT_ID=a"},
			map[string]string{".env": "FASTMCP_AUTH_CLIENT_ISSUER=https://evil.example\n"}, "a.example", "CLIENT_ISSUER"},
		{"a file that .env names", nil, map[string]string{".env": "FASTMCP_AUTH_CONFIG=other.yaml\n",
			"other.yaml": "client: {id: a, issuer: https://evil.example, secret_file: theirs}\n"}, "a.example", "client.secret_file"},
		{"a server for a client with a proof", whole, yamlFile("servers: {x: {url: https://evil.example/mcp}}"), "x", "server"},
		{"a server and a public client", nil, yamlFile("servers: {x: {url: https://a.example/mcp, client: {id: a, issuer: https://sso.example, scopes: [b]}}}"), "x", ""},
		{"other servers than the one that is called", whole, yamlFile("servers: {x: {url: https://x.example/mcp, client: {id: b}}}"), "a.example", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.files["theirs"] = "what-stands-in-a-file\n"
			_, err := call(t, place{environ: row.environ, files: row.files}, row.typed)
			switch {
			case row.blamed == "":
				if err != nil {
					t.Error(err)
				}
			case err == nil || !strings.Contains(err.Error(), row.blamed) || !strings.Contains(err.Error(), "found in the working directory"):
				t.Errorf("%v, want a fault of %s", err, row.blamed)
			case strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "what-stands"):
				t.Errorf("the secret is shown: %v", err)
			}
		})
	}
}

func TestAttack59_AFileThatWasFoundMovesNoSignIns(t *testing.T) {
	for key, file := range map[string]string{"store_dir": "store_dir: here", "insecure_storage": "insecure_storage: true", "ca_file": "ca_file: nowhere.pem"} {
		_, err := place{command: Call, files: yamlFile(file)}.load(t)
		if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "found in the working directory") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestAFileThatIsNamedIsTrusted(t *testing.T) {
	files := yamlFile("store_dir: here\nclient: {id: a, issuer: https://sso.example, secret_file: secret, resource: omit}")
	files["secret"] = "hush-hush\n"
	for name, p := range map[string]place{
		"by a flag":          {args: named, files: files},
		"by the environment": {environ: []string{"FASTMCP_AUTH_CONFIG=" + defaultFile}, files: files},
		"a flag counts more": {args: []string{"--client-secret-file=secret", "--client-id=a", "--client-issuer=https://sso.example"}, files: map[string]string{"secret": "hush-hush\n", ".env": "FASTMCP_AUTH_CLIENT_SECRET_FILE=theirs\n"}},
	} {
		c, err := call(t, p, "a.example")
		if err != nil || c.Client.Secret != "hush-hush" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A model's key is a proof like any other: a folder that names the address and the file would be sent what stands there.
func TestAttack59_AFileThatWasFoundNamesNoFileForAModelsKey(t *testing.T) {
	files := yamlFile("model: {name: m, url: https://evil.example/v1, key_file: theirs}")
	files["theirs"] = "what-stands-in-a-file\n"
	_, err := place{command: Agent, files: files}.load(t)
	if err == nil || !strings.Contains(err.Error(), "model.key_file") || strings.Contains(err.Error(), "what-stands") {
		t.Error(err)
	}
	if _, err := (place{command: Agent, args: named, files: files}).load(t); err != nil {
		t.Error(err)
	}
}
