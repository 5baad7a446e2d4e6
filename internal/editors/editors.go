// Package editors finds the MCP servers that a person has written down for an editor.
//
// It reads their files and changes none. It takes names and URLs from them and nothing else: tokens and headers in such
// a file are its editor's. A file in the working directory may come from a stranger, so a name that means two things is
// refused, and whoever calls says which file a name was found in.
//
//	.vscode/mcp.json          VS Code, in the working directory and above, and its own for the user
//	.cursor/mcp.json          Cursor, likewise and in the home directory
//	.mcp.json, ~/.claude.json  Claude Code
//	claude_desktop_config.json  Claude Desktop
//	mcp_config.json           Windsurf
//	settings.json             Gemini CLI
//
// files.go says where they are, read.go what stands in them.
package editors

import (
	"fmt"
	"slices"
	"strings"
)

// Server is one server in one file.
type Server struct {
	Name string
	URL  string // empty for one that an editor starts as a program
	File string
	Used string // by which editor
	// Found says that the file stands in the working directory or above it, and not in the home directory: it may be a
	// stranger's.
	Found bool
}

// Find returns the server called name. The error says that there is none, that it is a program, or that the name means
// several servers.
func Find(all []Server, name string) (Server, error) {
	var found []Server
	programs := 0
	for _, s := range all {
		switch {
		case s.Name != name:
		case s.URL == "":
			programs++
		default:
			i := slices.IndexFunc(found, func(f Server) bool { return f.URL == s.URL })
			if i < 0 {
				found = append(found, s)
			} else if found[i].Found && !s.Found {
				found[i] = s // the person has written it down, too
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var places []string
		for _, s := range found {
			places = append(places, fmt.Sprintf("%s in %s", s.URL, s.File))
		}
		return Server{}, fmt.Errorf("%q means several servers: %s; write the URL", name, strings.Join(places, ", "))
	case programs > 0:
		return Server{}, fmt.Errorf("%q is a program that an editor starts, and not a server with a URL", name)
	}
	return Server{}, ErrUnknown
}
