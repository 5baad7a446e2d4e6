package arguments

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

const maxFile = 32 << 20 // bytes of a file with arguments

// Files is where words such as @file and - are read from.
type Files struct {
	Stdin io.Reader
	Open  func(name string) (io.ReadCloser, error)
}

// Faults is all that is wrong with the arguments of one call.
type Faults struct {
	Tool    string
	List    []string   // a sentence for each fault
	Missing []Property // required, and not given
	Given   map[string]any
}

// Error has a line for each fault.
func (f *Faults) Error() string { return strings.Join(f.List, "\n") }

func (f *Faults) add(format string, args ...any) {
	// A schema's names may have line ends, which would begin a line that nobody wrote.
	f.List = append(f.List, lineEnds.Replace(fmt.Sprintf(format, args...)))
}

var lineEnds = strings.NewReplacer("\n", " ", "\r", " ")

// OnlyMissing reports that nothing is wrong but that arguments are missing.
func (f *Faults) OnlyMissing() bool { return len(f.Missing) > 0 && len(f.List) == 1 }

// Parse reads the words after the name of tool into its arguments:
//
//	name=text     read as the schema says; again and again for an array; a.b=text reaches into an object
//	name:=json    taken as JSON
//	name=@file    the text of a file, name:=@file its JSON; @@ stands for one @
//	@file, -      all arguments from a file or from stdin, as a JSON object
//
// Words win over files. The error is a [*Faults] with everything that is wrong at once.
func Parse(tool string, s *Schema, words []string, files Files) (map[string]any, error) {
	p := newParsing(tool, s, files)
	for _, word := range words {
		p.word(word)
	}
	return p.finish()
}

// Check holds arguments that came whole, such as those of a file, against the names of the schema, as Parse does.
func Check(tool string, s *Schema, args map[string]any) (map[string]any, error) {
	p := newParsing(tool, s, Files{})
	p.whole = args
	return p.finish()
}

func sortedNames(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

type parsing struct {
	tool   string
	schema *Schema
	files  Files
	args   map[string]any
	whole  map[string]any // from @file and -
	seen   map[string]bool
	faults *Faults
	stdin  bool // was read
}

func newParsing(tool string, s *Schema, files Files) *parsing {
	return &parsing{tool: tool, schema: s, files: files, args: map[string]any{}, whole: map[string]any{}, seen: map[string]bool{},
		faults: &Faults{Tool: tool}}
}

// finish takes in the whole objects and says what is missing.
func (p *parsing) finish() (map[string]any, error) {
	for _, name := range sortedNames(p.whole) {
		if _, said := p.args[name]; !said && p.known(name) {
			p.args[name] = p.whole[name]
		}
	}
	var missing []string
	for _, property := range p.schema.Properties {
		if _, said := p.args[property.Name]; property.Required && !said && !p.seen[property.Name] {
			p.faults.Missing = append(p.faults.Missing, property)
			missing = append(missing, property.Name)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		p.faults.add("%s needs the argument %s", p.tool, missing[0])
	default:
		p.faults.add("%s needs the arguments %s", p.tool, strings.Join(missing, ", "))
	}
	if len(p.faults.List) > 0 {
		p.faults.Given = p.args
		return nil, p.faults
	}
	return p.args, nil
}

func (p *parsing) word(word string) {
	name, rest, found := strings.Cut(word, "=")
	switch {
	case word == "-" || strings.HasPrefix(word, "@"):
		p.all(word)
		return
	case !found || name == "" || name == ":":
		p.faults.add("%s is not name=value, name:=json, @file or -", quoted(word))
		return
	}
	name, asJSON := strings.CutSuffix(name, ":")
	path, at := p.find(strings.TrimSuffix(name, "[]"))
	p.seen[path[0]] = true
	if at == nil {
		return // a fault that find has named
	}
	v, err := p.value(at, rest, asJSON)
	if err != nil {
		p.faults.add("%s: %v", name, err)
		return
	}
	p.put(path, at, v)
}

// find follows name into the schema: a property of that name, or a path through objects. It returns nil for a name that
// is not there, and says so.
func (p *parsing) find(name string) ([]string, *Schema) {
	if property := p.schema.Property(name); property != nil {
		return []string{name}, property.Schema
	}
	first, _, nested := strings.Cut(name, ".")
	if !nested || p.schema.Property(first) == nil {
		if p.known(name) {
			return []string{name}, &Schema{Open: true}
		}
		return []string{name}, nil
	}
	path := strings.Split(name, ".")
	at := p.schema
	for i, part := range path {
		next := at.inside(part)
		if next == nil {
			p.faults.add("%s: %s has no %s%s", name, strings.Join(path[:i], "."), part, didYouMean(part, at.names()))
			return path, nil
		}
		at = next
	}
	return path, at
}

// inside is the schema of the part called name of an object, or nil where there can be none.
func (s *Schema) inside(name string) *Schema {
	for _, l := range s.leaves() {
		if property := l.Property(name); property != nil {
			return property.Schema
		}
		if l.Open && (len(l.Types) == 0 || slices.Contains(l.Types, "object")) {
			return &Schema{Open: true}
		}
	}
	return nil
}

func (s *Schema) names() []string {
	var names []string
	for _, l := range s.leaves() {
		for _, p := range l.Properties {
			names = append(names, p.Name)
		}
	}
	return names
}

// known reports whether the tool takes an argument called name, and says so when not.
func (p *parsing) known(name string) bool {
	if p.schema.Open || p.schema.Property(name) != nil {
		return true
	}
	p.faults.add("%s has no argument %s%s", p.tool, name, didYouMean(name, p.schema.names()))
	return false
}

func didYouMean(name string, names []string) string {
	if near := nearest.Name(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	if len(names) > 0 && len(names) <= manyChoices {
		return "; it takes " + strings.Join(names, ", ")
	}
	return ""
}

func (p *parsing) value(at *Schema, text string, asJSON bool) (any, error) {
	if file, ok := strings.CutPrefix(text, "@"); ok && !strings.HasPrefix(file, "@") {
		raw, err := p.read(file)
		if err != nil {
			return nil, err
		}
		if !asJSON {
			return at.fileValue(raw)
		}
		text = string(raw)
	} else if ok {
		text = file // @@ stands for one
	}
	if !asJSON {
		return at.Value(text)
	}
	v, err := decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s is no JSON; with = in place of := it is read as the schema says", quoted(text))
	}
	return plain(v), nil
}

// fileValue takes a file's bytes: base64 where the schema asks for it, else text as it stands, else what the text means.
func (s *Schema) fileValue(raw []byte) (any, error) {
	switch {
	case s.Encoding == "base64" || s.Format == "byte" || s.Format == "binary":
		return base64.StdEncoding.EncodeToString(raw), nil
	case !utf8.Valid(raw):
		return nil, errNotUTF8
	case s.Takes("string") || len(s.Types) == 0 && len(s.AnyOf) == 0 && len(s.Enum) == 0:
		return string(raw), nil
	}
	return s.Value(strings.TrimSpace(string(raw)))
}

// put stores v at path. An array grows with each word that gives it items.
func (p *parsing) put(path []string, at *Schema, v any) {
	m := p.args
	for _, part := range path[:len(path)-1] {
		inner, ok := m[part].(map[string]any)
		if !ok {
			if m[part] != nil {
				p.faults.add("%s was given both whole and in parts", path[0])
				return
			}
			inner = map[string]any{}
			m[part] = inner
		}
		m = inner
	}
	last := path[len(path)-1]
	before, twice := m[last]
	if !twice {
		m[last] = v
		return
	}
	had, okHad := before.([]any)
	add, okAdd := v.([]any)
	if okHad && okAdd && at.Takes("array") {
		m[last] = append(had, add...)
		return
	}
	p.faults.add("%s was given twice", strings.Join(path, "."))
}

// all reads a whole object of arguments.
func (p *parsing) all(word string) {
	raw, err := p.read(strings.TrimPrefix(word, "@"))
	if err != nil {
		p.faults.add("%s: %v", word, err)
		return
	}
	v, err := decode(raw)
	o, ok := v.(*object)
	switch {
	case err != nil:
		p.faults.add("%s: it is no JSON: %v", word, err)
	case !ok:
		p.faults.add("%s: it holds no JSON object", word)
	default:
		for name, v := range o.values {
			p.whole[name] = plain(v)
		}
	}
}

// read reads a file, or stdin where it is called "-".
func (p *parsing) read(name string) ([]byte, error) {
	var from io.Reader
	switch {
	case name == "-" && p.stdin:
		return nil, fmt.Errorf("stdin can be read only once")
	case name == "-" && p.files.Stdin != nil:
		from, p.stdin = p.files.Stdin, true
	case name == "" || p.files.Open == nil:
		return nil, fmt.Errorf("a file is missing after @; @@ stands for the sign itself")
	default:
		f, err := p.files.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("it is larger than %d bytes", maxFile)
	}
	return raw, nil
}

// Object reads one JSON object with the digits of its numbers kept.
func Object(raw json.RawMessage) (map[string]any, error) {
	v, err := decode(raw)
	if err != nil {
		return nil, err
	}
	o, ok := v.(*object)
	if !ok {
		return nil, fmt.Errorf("it is no JSON object")
	}
	return plain(o).(map[string]any), nil
}
