package config

import (
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

// TestAFolderSendsNoKeyElsewhere is attack 59: a .env or a settings file that came with a folder names an address for the key that the
// person has in the environment.
func TestAFolderSendsNoKeyElsewhere(t *testing.T) {
	key := []string{"OPENAI_API_KEY=hush"}
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
