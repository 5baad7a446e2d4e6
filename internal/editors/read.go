package editors

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
)

const (
	maxFile    = 16 << 20 // bytes; ~/.claude.json holds much besides
	maxServers = 1000
)

// Servers reads all files there are. One that cannot be read is passed over: it is its editor's affair.
func Servers(f Folders) []Server {
	all := []Server{}
	seen := map[string]bool{}
	for _, file := range f.files() {
		if seen[file.path] {
			continue
		}
		seen[file.path] = true
		raw, err := read(file.path)
		if err != nil {
			continue
		}
		all = append(all, file.servers(raw, f.Work)...)
		if len(all) > maxServers {
			return all[:maxServers]
		}
	}
	return all
}

func read(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrInvalid) // a folder may be a stranger's: a pipe would hold whoever opens it
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// entry is what editors write down of a server.
type entry struct {
	URL       string `json:"url"`
	ServerURL string `json:"serverUrl"` // Windsurf
	HTTPURL   string `json:"httpUrl"`   // Gemini CLI
	Command   string `json:"command"`
}

// servers reads the servers of a file, in the order of their names. Claude Code has more of them below the folder that
// they are for.
func (f file) servers(raw []byte, work string) []Server {
	var doc map[string]json.RawMessage
	if json.Unmarshal(withoutComments(raw), &doc) != nil {
		return nil
	}
	all := f.named(doc[f.key])
	var projects map[string]map[string]json.RawMessage
	if json.Unmarshal(doc["projects"], &projects) == nil {
		all = append(all, f.named(projects[work][f.key])...)
	}
	return all
}

func (f file) named(raw json.RawMessage) []Server {
	var entries map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &entries) != nil {
		return nil
	}
	var all []Server
	for name, raw := range entries {
		var e entry
		if json.Unmarshal(raw, &e) != nil {
			continue
		}
		s := Server{Name: name, File: f.path, Used: f.used, Found: f.found}
		for _, address := range []string{e.URL, e.ServerURL, e.HTTPURL} {
			if isURL(address) {
				s.URL = address
			}
		}
		if s.URL != "" || e.Command != "" {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b Server) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// isURL reports whether address is whole: editors fill in ${…} themselves.
func isURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == "" && !strings.Contains(address, "${")
}

// withoutComments makes JSON of what VS Code writes: comments and commas before a closing bracket become spaces.
func withoutComments(raw []byte) []byte {
	out := slices.Clone(raw)
	comma := -1 // the last comma that nothing followed yet
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			comma = -1
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '/':
			for ; i < len(out) && out[i] != '\n'; i++ {
				out[i] = ' '
			}
		case c == '/' && i+1 < len(out) && out[i+1] == '*':
			end := bytes.Index(out[i+2:], []byte("*/"))
			if end < 0 {
				return out
			}
			for last := i + 2 + end + 2; i < last; i++ {
				if out[i] != '\n' {
					out[i] = ' '
				}
			}
			i--
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				out[comma] = ' '
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\n' && c != '\r':
			comma = -1
		}
	}
	return out
}
