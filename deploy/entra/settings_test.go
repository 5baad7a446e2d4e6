package entra_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
)

// TestTheSettingsAreTheServers gives what the script prints to the server, as a person does who sends it to .env.
func TestTheSettingsAreTheServers(t *testing.T) {
	for _, row := range []struct {
		name string
		args []string
		set  func(*state)
		want []string
	}{
		{"for one tenant", nil, nil, settings},
		{"Entra 7 for several tenants, with an allow-list", []string{"--multi-tenant"}, nil,
			[]string{settings[0], "# Add the tenants to let in, with commas.", "FASTMCP_AUTH_PROVIDER_TENANT=organizations", "FASTMCP_AUTH_PROVIDER_TENANTS=" + home,
				settings[2], settings[3], settings[4]}},
		{"with scopes of one's own", []string{"--scopes", "Tools.Run time:read"}, nil, append(slices.Clone(settings), "FASTMCP_AUTH_SCOPES_EXECUTE=Tools.Run")},
		{"Entra 24 for the United States' cloud", nil, func(s *state) { s.Cloud = "AzureUSGovernment" },
			slices.Insert(slices.Clone(settings), 1, "FASTMCP_AUTH_PROVIDER_CLOUD=usgov")},
		{"Entra 24 for China's cloud", nil, func(s *state) { s.Cloud = "AzureChinaCloud" },
			slices.Insert(slices.Clone(settings), 1, "FASTMCP_AUTH_PROVIDER_CLOUD=china")},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			if row.set != nil {
				d.change(row.set)
			}
			r := d.run(row.args...)
			r.want(t, 0)
			r.wantSettings(t, row.want...)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(r.stdout), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := config.Load(config.Source{Command: config.Serve, Dir: dir, Environ: []string{}})
			if err != nil {
				t.Fatalf("the server refuses the settings: %v", err)
			}
			if s.Provider.Kind != "entra" || !slices.Equal(s.Provider.Audience, []string{apiApp}) || s.Provider.ScopePrefix != "api://"+apiApp+"/" {
				t.Errorf("the server reads %+v", s.Provider)
			}
		})
	}
}
