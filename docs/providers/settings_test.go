// Package providers_test holds the pages of this folder against the program: the settings they show are the program's.
package providers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// TestThePagesSettingsAreAccepted gives each page's lines for .env to the server, as a reader does: what is in angle
// brackets is filled in, and the lines are read with those before them.
func TestThePagesSettingsAreAccepted(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil || len(pages) < 8 {
		t.Fatalf("the pages are %q, %v", pages, err)
	}
	block := regexp.MustCompile("(?s)```sh\n(FASTMCP_AUTH_.*?)```")
	for _, page := range pages {
		kind := strings.TrimSuffix(page, ".md")
		if kind == "README" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			secret := filepath.Join(dir, "introspection")
			if err := os.WriteFile(secret, []byte("a secret for this test\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			blocks := block.FindAllStringSubmatch(string(text), -1)
			if len(blocks) == 0 {
				t.Fatal("the page shows no settings")
			}
			var env string
			for _, b := range blocks {
				env += regexp.MustCompile(`<[^>]*>`).ReplaceAllString(b[1], "11111111-1111-4111-8111-111111111111")
				env = strings.ReplaceAll(env, "/run/secrets/introspection", secret)
				if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(env), 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: []string{}})
				if err != nil {
					t.Fatalf("the server refuses\n%s\n%v", env, err)
				}
				if s.Provider.Kind != kind {
					t.Errorf("the provider is %q", s.Provider.Kind)
				}
				if _, err := s.Providers(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestThePagesNameSettingsThatExist finds each FASTMCP_AUTH_ name of the pages on the settings page, which is made from
// the program's own table.
func TestThePagesNameSettingsThatExist(t *testing.T) {
	reference, err := os.ReadFile("../reference/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	known := regexp.MustCompile("FASTMCP_AUTH_[A-Z_]+").FindAllString(string(reference), -1)
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile("FASTMCP_AUTH_[A-Z_]+").FindAllString(string(text), -1) {
			if seen++; !slices.Contains(known, name) {
				t.Errorf("%s names %s, which the settings page does not", page, name)
			}
		}
	}
	if seen == 0 {
		t.Error("the pages name no setting")
	}
}
