package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/editors"
)

func serversCommand(s streams) *cobra.Command {
	c := &caller{streams: s}
	cmd := &cobra.Command{
		Use:   "servers",
		Short: "List the servers that have a name",
		Long: "Lists the servers that can be called by name: those of the settings, and those that are written down for VS Code, Cursor,\n" +
			"Claude Code, Claude Desktop, Windsurf and Gemini CLI, each with its URL and where it stands. Names of the settings win; a\n" +
			"name that means two servers must be written as a URL. Of the editors' files only names and URLs are used.",
		Example: "  fastmcp-auth servers\n  fastmcp-auth tools --server work",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Call)
	cmd.Flags().BoolVar(&c.asJSON, "json", false, "Print one JSON document.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if c.settings, err = config.Load(config.Source{Command: config.Call, Flags: cmd.Flags()}); err != nil {
			return err
		}
		return c.printServers()
	}
	return cmd
}

// knownServer is a server with a name.
type knownServer struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	From string `json:"from"`
}

func (c *caller) printServers() error {
	all := []knownServer{}
	for _, s := range c.settings.Servers() {
		all = append(all, knownServer{s.Name, s.URL, "settings"})
	}
	for _, s := range writtenDown() {
		if s.URL != "" {
			all = append(all, knownServer{s.Name, s.URL, s.File})
		}
	}
	if c.asJSON {
		raw, err := json.Marshal(map[string]any{"servers": all})
		if err != nil {
			return fmt.Errorf("print the servers: %w", err)
		}
		return (&paper{out: c.out}).document(raw)
	}
	if len(all) == 0 {
		return (&paper{err: c.err}).note("no server has a name: docs/reference/settings.md says how to give one")
	}
	for _, s := range all {
		if err := c.printLine(s.Name, s.URL, s.From); err != nil {
			return err
		}
	}
	return nil
}

// writtenDown are the servers that stand in the editors' files.
func writtenDown() []editors.Server {
	work, home, programs := config.Folders()
	return editors.Servers(editors.Folders{Work: work, Home: home, Config: programs})
}

// known looks a name that the settings do not know up in the editors' files, and says what it means: such a file may
// come from a stranger: foundIn is its name where it was found in the working directory or above it. Anything else stays as it is.
func (c *caller) known(typed string) (server, foundIn string, err error) {
	if !c.settings.IsUnknownName(typed) {
		return typed, "", nil
	}
	found, err := editors.Find(writtenDown(), typed)
	if errors.Is(err, editors.ErrUnknown) {
		return typed, "", nil // the settings say what they know
	}
	if err != nil {
		return "", "", err
	}
	if found.Found {
		foundIn = found.File
	}
	if c.asJSON {
		return found.URL, foundIn, nil
	}
	return found.URL, foundIn, (&paper{err: c.err}).note("%s is %s, says %s", typed, found.URL, found.File)
}
