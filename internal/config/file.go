package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	defaultFile = "fastmcp-auth.yaml"
	maxFile     = 256 << 10 // bytes of a settings file, of .env, and of any file that a setting names
)

var (
	errMissing = errors.New("is not there")
	errFolder  = errors.New("is a folder, not a file")
)

// readFile reads a whole file of at most most bytes. The errors are ends of sentences that begin with the file's name.
func readFile(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, readProblem(path, err)
	}
	switch {
	case info.IsDir():
		return nil, errFolder
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > most:
		return nil, fmt.Errorf("is larger than %s", formatSize(most))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, readProblem(path, err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, readProblem(path, err)
	case int64(len(body)) > most:
		return nil, fmt.Errorf("is larger than %s", formatSize(most))
	}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
		return nil, errors.New("is not UTF-8 text")
	}
	return body, nil
}

func readProblem(path string, err error) error {
	var cause *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if target, linkErr := os.Readlink(path); linkErr == nil {
			return fmt.Errorf("is a symbolic link to %s, which is not there", show(target))
		}
		return errMissing
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read by this user; change its owner or its mode")
	case errors.As(err, &cause):
		return fmt.Errorf("cannot be read: %w", cause.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}

// inDir is where a path that a person typed leads to.
func (l *loader) inDir(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.src.Dir, path)
}

// file reads the settings file: the one that --config names, else FASTMCP_AUTH_CONFIG, else the default one if it is
// there.
func (l *loader) file(environ, dotenv map[string]variable) layer {
	path, name, place := defaultFile, "", ""
	if v, set := dotenv[envConfig]; set {
		path, name, place = v.value, v.name, v.place
	}
	if v, set := environ[envConfig]; set {
		path, name, place = v.value, v.name, ""
	}
	if v, set := l.configFlag(); set {
		path, name, place = v, "--"+configFlag, ""
	}
	if err := plain(path); err != nil {
		l.faults.add(name, place, "%v", err)
		return nil
	}
	body, err := readFile(l.inDir(path), maxFile)
	switch {
	case err == nil:
		return l.parseFile(path, body, name == "" || place != "")
	case name == "" && errors.Is(err, errMissing):
		return nil
	case name == "":
		l.faults.add(path, "", "%v", err)
	default:
		l.faults.add(name, place, "%s %v", path, err)
	}
	return nil
}

// parseFile reads the YAML in body. found says that nobody but the working directory named the file.
func (l *loader) parseFile(path string, body []byte, found bool) layer {
	r := &fileReader{loader: l, path: path, found: found, into: layer{}}
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return r.into
	case err != nil:
		l.faults.add(path, "", "is no YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return r.into
	case !errors.Is(decoder.Decode(&more), io.EOF):
		l.faults.add(path, "", "has more than one document; leave --- out")
	}
	if root := doc.Content[0]; root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return r.into
	} else {
		r.section("", root)
	}
	return r.into
}

// fileReader walks the YAML of one file.
type fileReader struct {
	*loader
	path  string
	found bool
	into  layer
}

func (r *fileReader) fault(n *yaml.Node, key, problem string, args ...any) {
	if key == "" {
		key = "the file"
	}
	r.faults.add(key, r.place(n), problem, args...)
}

func (r *fileReader) place(n *yaml.Node) string {
	return fmt.Sprintf("%s:%d:%d", r.path, n.Line, n.Column)
}

// pairs calls each for every key of a mapping, and refuses what makes a mapping mean something else than it shows.
func (r *fileReader) pairs(key string, n *yaml.Node, each func(name string, at, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fault(n, key, "is %s; write keys below it", shapeOf(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		at, value := n.Content[i], n.Content[i+1]
		switch line, twice := first[at.Value]; {
		case at.Kind != yaml.ScalarNode || at.ShortTag() != "!!str":
			r.fault(at, key, "has a key that is %s; write a name", shapeOf(at))
		case twice:
			r.fault(at, join(key, at.Value), "stands twice; the first is in line %d", line)
		default:
			first[at.Value] = at.Line
			each(at.Value, at, value)
		}
	}
}

// section reads the mapping n, whose settings begin with key.
func (r *fileReader) section(key string, n *yaml.Node) {
	r.pairs(key, n, func(name string, at, value *yaml.Node) {
		full := join(key, name)
		d := byKey(full)
		switch {
		case full == serversKey:
			r.servers(value)
		case strings.Contains(name, ".") && d != nil:
			r.fault(at, full, "is written with dots; write each part as a key of its own, one below the other")
		case strings.Contains(name, ".") || d == nil && !isSection(full):
			r.fault(at, full, "is no setting%s", nearKey(key, name))
		case d != nil:
			r.setting(d, at, value)
		case value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null": // all its keys are commented out
		default:
			r.section(full, value)
		}
	})
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

func isSection(key string) bool {
	for i := range table {
		if strings.HasPrefix(table[i].key, key+".") {
			return true
		}
	}
	return false
}

// nearKey is what may have been meant by name in section: a key like it there, or one of that very name elsewhere.
func nearKey(section, name string) string {
	below := []string{}
	if section == "" {
		below = append(below, serversKey)
	}
	for i := range table {
		rest, found := table[i].key, true
		if section != "" {
			rest, found = strings.CutPrefix(table[i].key, section+".")
		}
		first, _, _ := strings.Cut(rest, ".")
		if found && !slices.Contains(below, first) {
			below = append(below, first)
		}
	}
	if hint := didYouMean(name, below, join(section, "")); hint != "" {
		return hint
	}
	for i := range table {
		if strings.HasSuffix(table[i].key, "."+name) {
			return didYouMean(table[i].key, []string{table[i].key}, "")
		}
	}
	return ""
}

// setting reads the value n of d, whose key stands at.
func (r *fileReader) setting(d *setting, at, n *yaml.Node) {
	where := said{name: d.key, place: r.place(at), origin: fmt.Sprintf("%s:%d", r.path, at.Line), found: r.found}
	var err error
	switch d.kind {
	case list:
		var items []string
		if items, err = texts(n); err == nil {
			where.value, err = d.checkList(items)
		}
	case scopes:
		where.value, err = r.scopes(d.key, n)
	default:
		if err = scalar(d, n); err == nil {
			where.value, err = d.parse([]string{n.Value})
		}
	}
	if err != nil {
		r.refuse(d, where, err)
		return
	}
	r.into[d.key] = where
}

// scalar holds n to the one shape that d may have, so that YAML guesses nothing: 1e3 is no name, and "true" no boolean.
func scalar(d *setting, n *yaml.Node) error {
	tag := n.ShortTag()
	switch {
	case n.Kind == yaml.ScalarNode && tag == "!!null":
		return errEmpty
	case n.Kind != yaml.ScalarNode:
		return fmt.Errorf("is %s; write one value", shapeOf(n))
	case d.kind == yes && tag != "!!bool":
		return errors.New("is neither true nor false; write one of them, without quotes")
	case d.kind == number && tag != "!!int":
		return errors.New("is no whole number; write digits, without quotes")
	case (d.kind == text || d.kind == secret) && tag != "!!str":
		return fmt.Errorf("is %s to YAML; put quotes round it", shapeOf(n))
	}
	return nil
}

// texts reads a sequence of texts.
func texts(n *yaml.Node) ([]string, error) {
	if n.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("is %s; write a list, such as [one, two]", shapeOf(n))
	}
	items := make([]string, len(n.Content))
	for i, item := range n.Content {
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return nil, fmt.Errorf("has %s as item %d; write a text, in quotes if need be", shapeOf(item), i+1)
		}
		items[i] = item.Value
	}
	return items, nil
}

// scopes reads a mapping of tools to lists of scopes.
func (r *fileReader) scopes(key string, n *yaml.Node) (any, error) {
	table := map[string][]string{}
	before := len(r.faults.List)
	r.pairs(key, n, func(tool string, at, value *yaml.Node) {
		items, err := texts(value)
		if err != nil {
			r.fault(at, join(key, tool), "%v", err)
		}
		table[tool] = items
	})
	if len(r.faults.List) > before {
		return table, nil // named already
	}
	return checkScopes(table)
}

func shapeOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias, which is not read here"
	}
	switch n.ShortTag() {
	case "!!str":
		return "a text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	case "!!merge":
		return "a merge, which is not read here"
	case "!!timestamp":
		return "a date"
	}
	return "of an unknown type"
}
