package editors

import (
	"errors"
	"path/filepath"
)

// ErrUnknown means that no editor knows the name.
var ErrUnknown = errors.New("no editor knows a server of this name")

// Folders is where editors keep their files. An empty one is not looked into.
type Folders struct {
	Work   string // the working directory; folders above it are looked into too
	Home   string
	Config string // of the user's programs, such as ~/.config
}

// file is one place where servers are written down.
type file struct {
	path string
	used string
	key  string // the object that holds the servers

	found bool // in the working directory or above it
}

const maxUp = 16 // folders above the working directory

// files are all places, the nearest first.
func (f Folders) files() []file {
	var all []file
	for dir, i := f.Work, 0; dir != "" && i < maxUp; i++ {
		found := dir != f.Home
		all = append(all,
			file{filepath.Join(dir, ".vscode", "mcp.json"), "VS Code", "servers", found},
			file{filepath.Join(dir, ".cursor", "mcp.json"), "Cursor", "mcpServers", found},
			file{filepath.Join(dir, ".mcp.json"), "Claude Code", "mcpServers", found},
			file{filepath.Join(dir, ".gemini", "settings.json"), "Gemini CLI", "mcpServers", found})
		up := filepath.Dir(dir)
		if up == dir || dir == f.Home {
			break
		}
		dir = up
	}
	if f.Config != "" {
		all = append(all,
			file{filepath.Join(f.Config, "Code", "User", "mcp.json"), "VS Code", "servers", false},
			file{filepath.Join(f.Config, "Claude", "claude_desktop_config.json"), "Claude Desktop", "mcpServers", false})
	}
	if f.Home != "" {
		all = append(all,
			file{filepath.Join(f.Home, ".cursor", "mcp.json"), "Cursor", "mcpServers", false},
			file{filepath.Join(f.Home, ".claude.json"), "Claude Code", "mcpServers", false},
			file{filepath.Join(f.Home, ".codeium", "windsurf", "mcp_config.json"), "Windsurf", "mcpServers", false},
			file{filepath.Join(f.Home, ".gemini", "settings.json"), "Gemini CLI", "mcpServers", false})
	}
	return all
}
