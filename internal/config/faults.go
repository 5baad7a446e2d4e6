package config

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
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
	if len(typed) > 80 {
		return ""
	}
	best, distance := "", len(typed)/3+2 // one slip, and one more for every three letters
	for _, name := range known {
		if d := edits(typed, name); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", before+best)
}

// edits counts the letters to insert, drop, replace or swap with their neighbour to get from a to b.
func edits(a, b string) int {
	above, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], above[j-2]+1)
			}
		}
		above, last, row = last, row, above
	}
	return last[len(b)]
}
