package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fastmcp-auth/fastmcp-auth/internal/nearest"
)

// Fault is one thing that is wrong.
type Fault struct {
	// Name is what the person typed: --addr, FASTMCP_AUTH_ADDR, or a key of the file such as provider.kind.
	Name string `json:"name"`
	// Place is where it stands when the name alone does not say: ".env:3", "fastmcp-auth.yaml:7:3". Else empty.
	Place string `json:"place,omitempty"`
	// Problem says what is wrong and what would be right. It never shows a secret.
	Problem string `json:"problem"`
}

// String is the fault on one line.
func (f Fault) String() string {
	line := f.Name + ": " + f.Problem
	if f.Place != "" {
		line = f.Place + ": " + line
	}
	return line
}

// Faults is a refused configuration: everything that is wrong with it, in the order flags, environment, .env, file,
// and then what settings ask of each other.
type Faults struct {
	List []Fault `json:"faults"`
}

// Error is one line for each fault.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// maxFaults bounds what one hostile or broken file can make us say.
const maxFaults = 100

func (f *Faults) add(name, place, problem string, args ...any) {
	switch {
	case len(f.List) < maxFaults:
		f.List = append(f.List, Fault{Name: oneLine(name, 100), Place: oneLine(place, 300), Problem: oneLine(fmt.Sprintf(problem, args...), 1000)})
	case len(f.List) == maxFaults:
		f.List = append(f.List, Fault{Name: "configuration", Problem: "has more faults than these"})
	}
}

// oneLine is text as it may be shown on a terminal: names may come from a file that somebody else wrote.
func oneLine(text string, most int) string {
	text = strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' {
			return ' '
		}
		if !unicode.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, text)
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return text
}

// didYouMean is the end of a sentence that offers the nearest of the known names, with before in front, or nothing when
// none is near.
func didYouMean(typed string, known []string, before string) string {
	near := nearest.Name(typed, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", before+near)
}
