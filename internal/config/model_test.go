package config

import (
	"slices"
	"strings"
	"testing"
)

func TestTheModelHasTheNamesThatOthersUse(t *testing.T) {
	s, err := place{command: Agent, files: dotenv("OPENAI_MODEL=tiny\nOPENAI_BASE_URL=https://m.example/v1\nOPENAI_API_KEY=hush\nOPENAI_ORG=x")}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	if m := s.Model; m.Name != "tiny" || m.URL != "https://m.example/v1" || string(m.Key) != "hush" || m.IsAzure() {
		t.Errorf("%+v", m)
	}
	if s, err = (place{command: Agent, environ: []string{"OPENAI_MODEL=tiny", "FASTMCP_AUTH_MODEL_NAME=small", "OPENAI_API_KEY="}}).load(t); err != nil || s.Model.Name != "small" || s.Model.Key != "" {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := (place{command: Call, environ: []string{"OPENAI_BASE_URL=no url"}}).load(t); err != nil {
		t.Errorf("a command without a model minds: %v", err)
	}
}

func TestAzureIsKnownByItsName(t *testing.T) {
	for address, want := range map[string]bool{
		"https://a.openai.azure.com": true, "https://a.cognitiveservices.azure.com/": true,
		"https://openai.azure.com.evil.example": false, "https://api.openai.com/v1": false, "": false,
	} {
		if m := (Model{URL: address, Kind: "auto"}); m.IsAzure() != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
	if m := (Model{Kind: "azure"}); !m.IsAzure() {
		t.Error("who says azure is not believed")
	}
}

// TestAzureHasTheNamesThatOthersUse: where its endpoint is said, its names count, and OpenAI's key stays out.
func TestAzureHasTheNamesThatOthersUse(t *testing.T) {
	t.Setenv("IDENTITY_ENDPOINT", "")
	openai := []string{"OPENAI_API_KEY=for-openai", "OPENAI_BASE_URL=https://m.example/v1", "OPENAI_MODEL=tiny"}
	azure := []string{"AZURE_OPENAI_ENDPOINT=https://a.example", "OPENAI_API_VERSION=v9"}
	entra := []string{"AZURE_TENANT_ID=t.example", "AZURE_CLIENT_ID=c"}
	for _, row := range []struct {
		name    string
		environ [][]string
		want    Model // of which these fields count: Name, URL, Key, AzureVersion, and Kind
		proof   string
	}{
		{"no endpoint, no Azure", [][]string{openai, {"AZURE_OPENAI_API_KEY=for-azure"}, entra}, Model{Name: "tiny", URL: "https://m.example/v1", Key: "for-openai", Kind: "auto"}, ""},
		{"a key", [][]string{openai, azure, entra, {"AZURE_OPENAI_API_KEY=for-azure", "AZURE_OPENAI_DEPLOYMENT=d"}}, Model{Name: "d", URL: "https://a.example", Key: "for-azure", AzureVersion: "v9", Kind: "azure"}, ""},
		{"OpenAI's name for the deployment, and a person", [][]string{openai, azure, entra}, Model{Name: "tiny", URL: "https://a.example", AzureVersion: "v9", Kind: "azure"}, ByPerson},
		{"a secret", [][]string{azure, entra, {"AZURE_CLIENT_SECRET=hush"}}, Model{URL: "https://a.example", AzureVersion: "v9", Kind: "azure"}, BySecret},
		{"a workload", [][]string{azure, entra, {"AZURE_FEDERATED_TOKEN_FILE=/run/token"}}, Model{URL: "https://a.example", AzureVersion: "v9", Kind: "azure"}, ByWorkload},
		{"the machine's identity, when that is said", [][]string{azure, {"FASTMCP_AUTH_MODEL_SIGN_IN=identity"}}, Model{URL: "https://a.example", AzureVersion: "v9", Kind: "azure"}, ByIdentity},
		{"nothing to show", [][]string{azure}, Model{URL: "https://a.example", AzureVersion: "v9", Kind: "azure"}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := place{command: Agent, environ: slices.Concat(row.environ...)}.load(t)
			if err != nil {
				t.Fatal(err)
			}
			m := s.Model
			if got := (Model{Name: m.Name, URL: m.URL, Key: m.Key, AzureVersion: m.AzureVersion, Kind: m.Kind}); got != row.want || m.Proof() != row.proof {
				t.Errorf("%+v by %q", got, m.Proof())
			}
		})
	}
	t.Setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/token")
	if s, err := (place{command: Agent, environ: slices.Concat(azure, entra)}).load(t); err != nil || s.Model.Proof() != ByIdentity {
		t.Errorf("App Service's identity is not used: %v", err)
	}
}

// TestAFolderSendsNoKeyElsewhere is attack 59: a .env or a settings file that came with a folder names an address for the key that the
// person has in the environment.
func TestAFolderSendsNoKeyElsewhere(t *testing.T) {
	t.Setenv("IDENTITY_ENDPOINT", "")
	key := []string{"OPENAI_API_KEY=hush"}
	entra := []string{"AZURE_TENANT_ID=t.example", "AZURE_CLIENT_ID=c", "AZURE_CLIENT_SECRET=hush-hush"}
	for _, row := range []struct {
		name string
		p    place
		says string
	}{
		{"attack 59: the address in .env", place{environ: key, files: dotenv("OPENAI_BASE_URL=https://evil.example/v1")}, "OPENAI_BASE_URL"},
		{"the address in the settings file", place{environ: key, files: yamlFile("model:\n  url: https://evil.example/v1\n")}, "model.url"},
		{"attack 59: a file of the person for a key", place{files: yamlFile("model:\n  url: https://evil.example/v1\n  key_file: /etc/hostname\n")}, "model.key_file"},
		{"both in .env", place{files: dotenv("OPENAI_API_KEY=hush\nOPENAI_BASE_URL=https://m.example/v1")}, ""},
		{"both in the environment", place{environ: append(key, "OPENAI_BASE_URL=https://m.example/v1")}, ""},
		{"the address in a flag", place{environ: key, args: []string{"--model-url", "https://m.example/v1"}}, ""},
		{"no key, no harm", place{files: dotenv("OPENAI_BASE_URL=https://m.example/v1")}, ""},
		{"attack 59: Azure's address in .env, its key in the environment", place{environ: []string{"FASTMCP_AUTH_MODEL_KEY=hush"}, files: dotenv("AZURE_OPENAI_ENDPOINT=https://evil.example")}, "AZURE_OPENAI_ENDPOINT"},
		{"attack 59: Azure's address in .env, and a secret of the person", place{environ: entra, files: dotenv("AZURE_OPENAI_ENDPOINT=https://evil.example")}, "a token of Entra that is yours"},
		{"attack 59: the same with tenant and client in .env", place{environ: entra[2:], files: dotenv("AZURE_OPENAI_ENDPOINT=https://evil.example\nAZURE_TENANT_ID=t.example\nAZURE_CLIENT_ID=c")}, "a token of Entra that is yours"},
		{"attack 59: Azure's address in .env, and a person", place{files: dotenv("AZURE_OPENAI_ENDPOINT=https://evil.example\nAZURE_TENANT_ID=t.example\nAZURE_CLIENT_ID=c")}, "a token of Entra that is yours"},
		{"attack 59: Azure's address in .env, and this machine's identity", place{files: dotenv("AZURE_OPENAI_ENDPOINT=https://evil.example\nFASTMCP_AUTH_MODEL_SIGN_IN=identity")}, "a token of Entra that is yours"},
		{"attack 59: an authority in .env", place{environ: append(entra, "AZURE_OPENAI_ENDPOINT=https://m.example"), files: dotenv("AZURE_AUTHORITY_HOST=https://evil.example")}, "AZURE_AUTHORITY_HOST"},
		{"attack 59: a token file in .env", place{environ: []string{"AZURE_OPENAI_ENDPOINT=https://m.example"}, files: dotenv("AZURE_FEDERATED_TOKEN_FILE=/etc/hostname")}, "AZURE_FEDERATED_TOKEN_FILE"},
		{"all of Azure in .env", place{files: dotenv("AZURE_OPENAI_ENDPOINT=https://m.example\n" + strings.Join(entra, "\n"))}, ""},
		{"all of Azure in the environment", place{environ: append(entra, "AZURE_OPENAI_ENDPOINT=https://m.example")}, ""},
		{"a secret without a tenant", place{environ: append(entra[1:], "AZURE_OPENAI_ENDPOINT=https://m.example")}, "AUTH_MODEL_ENTRA_TENANT"},
		{"a tenant that is a path", place{environ: []string{"AZURE_TENANT_ID=../evil"}}, "AZURE_TENANT_ID"},
		{"one price alone", place{environ: []string{"FASTMCP_AUTH_MODEL_PRICE_IN=1"}}, "needs the other price"},
		{"a price that is none", place{environ: []string{"FASTMCP_AUTH_MODEL_PRICE_IN=NaN", "FASTMCP_AUTH_MODEL_PRICE_OUT=1"}}, "is no amount"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.p.command = Agent
			_, err := row.p.load(t)
			if (err != nil) != (row.says != "") || err != nil && !strings.Contains(err.Error(), row.says) {
				t.Errorf("%v, want %q", err, row.says)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the key is told: %v", err)
			}
		})
	}
}
