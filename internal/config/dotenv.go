package config

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const dotenvFile = ".env"

// dotenv reads .env in the working directory, if it is there. The file may hold variables of other programs: those are
// read past, and only a line of ours must be understood. A folder of that name, as Python's tools make, is not ours.
//
//	NAME=value              up to the line's end, or to a # after a space
//	NAME='value'            every character as it stands
//	NAME="a \"quoted\" $"   with \" \\ \$ \n \r \t; may go over several lines
//	export NAME=value       the same
//
// Nothing is expanded: a value with $NAME or ${NAME} outside of single quotes is a fault, since other readers would put
// something else there.
func (l *loader) dotenv() map[string]variable {
	body, err := readFile(filepath.Join(l.src.Dir, dotenvFile), maxFile)
	if err != nil {
		if !errors.Is(err, errMissing) && !errors.Is(err, errFolder) {
			l.faults.add(dotenvFile, "", "%v", err)
		}
		return nil
	}
	vars := map[string]variable{}
	for _, line := range splitDotenv(string(body)) {
		place := dotenvFile + ":" + strconv.Itoa(line.number)
		_, twice := vars[line.name]
		switch {
		case !ours(line.name) && !l.isForModel(line.name):
			continue
		case line.problem != "":
			l.faults.add(line.name, place, "%s", line.problem)
		case twice:
			l.faults.add(line.name, place, "stands twice; the first is in line %s", strings.TrimPrefix(vars[line.name].place, dotenvFile+":"))
		default:
			vars[line.name] = variable{name: line.name, value: line.value, place: place}
		}
	}
	return vars
}

// ours reports whether name is, or wants to be, a name this program reads.
func ours(name string) bool {
	return slices.Contains(oldNames, name) || len(name) >= len(envPrefix) && strings.EqualFold(name[:len(envPrefix)], envPrefix)
}

// dotenvLine is one assignment.
type dotenvLine struct {
	number      int
	name, value string
	problem     string
}

// splitDotenv finds the assignments. A line that is none is passed over, unless it begins with a name of ours.
func splitDotenv(body string) []dotenvLine {
	lines := strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	found := []dotenvLine{}
	for i := 0; i < len(lines); i++ {
		text := strings.TrimLeft(lines[i], " \t")
		if rest, exported := strings.CutPrefix(text, "export "); exported {
			text = strings.TrimLeft(rest, " \t")
		}
		name := text[:len(text)-len(strings.TrimLeft(text, nameLetters))]
		if name == "" {
			continue
		}
		line := dotenvLine{number: i + 1, name: name}
		raw, assigned := strings.CutPrefix(text[len(name):], "=")
		if !assigned {
			line.problem = "is not followed by = at once; write NAME=value"
			found = append(found, line)
			continue
		}
		var used int
		line.value, used, line.problem = dotenvValue(raw, lines[i+1:])
		i += used
		found = append(found, line)
	}
	return found
}

const nameLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// dotenvValue reads what follows the = of a line, and says how many of the lines after it belong to it.
func dotenvValue(raw string, after []string) (value string, used int, problem string) {
	if raw == "" || raw[0] != '"' && raw[0] != '\'' {
		return bareValue(raw)
	}
	quote := raw[0]
	text := raw[1:]
	for {
		if end := closing(text, quote); end >= 0 {
			rest := strings.TrimLeft(text[end+1:], " \t")
			if rest != "" && rest[0] != '#' {
				return "", used, "goes on after its closing quote; quote all of it"
			}
			if quote == '\'' {
				return text[:end], used, ""
			}
			value, problem = unescape(text[:end])
			return value, used, problem
		}
		if used == len(after) {
			// Whoever forgot a quote did not mean to swallow the file.
			return "", 0, "has no closing quote"
		}
		text += "\n" + after[used]
		used++
	}
}

func bareValue(raw string) (string, int, string) {
	for i := range raw {
		if raw[i] == '#' && (i == 0 || raw[i-1] == ' ' || raw[i-1] == '\t') {
			raw = raw[:i]
			break
		}
	}
	raw = strings.TrimRight(raw, " \t")
	switch {
	case expands(raw):
		return "", 0, expandsProblem
	case strings.TrimLeft(raw, " \t") != raw:
		return "", 0, "has a space after =; leave it out"
	}
	return raw, 0, ""
}

const expandsProblem = `has a $NAME in it, which is not expanded here; put single quotes round the value to mean it as it stands`

// expands reports whether other readers of .env would see a variable in raw.
func expands(raw string) bool {
	for i := 0; i+1 < len(raw); i++ {
		if c := raw[i+1]; raw[i] == '$' && (c == '{' || c == '(' || strings.IndexByte(nameLetters, c) >= 0) {
			return true
		}
	}
	return false
}

// closing is the place of the quote that ends text, or -1.
func closing(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case text[i] == '\\' && quote == '"':
			i++
		}
	}
	return -1
}

// unescape reads the inside of double quotes.
func unescape(text string) (string, string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && expands(text[i:min(i+2, len(text))]) {
			return "", expandsProblem
		}
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case '"', '\\', '$':
			b.WriteByte(text[i])
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default:
			return "", `has a \ before a letter that needs none; put single quotes round the value to mean it as it stands`
		}
	}
	return b.String(), ""
}

// sortedByPlace puts variables in the order of their lines, and those of the environment in the order of their names.
func sortedByPlace(vars map[string]variable) []variable {
	return slices.SortedFunc(maps.Values(vars), func(a, b variable) int {
		if byLine := lineOf(a) - lineOf(b); byLine != 0 {
			return byLine
		}
		return strings.Compare(a.name, b.name)
	})
}

func lineOf(v variable) int {
	_, line, _ := strings.Cut(v.place, ":")
	n, _ := strconv.Atoi(line)
	return n
}
