package tui

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"github.com/rivo/uniseg"
)

// Bytes of a stranger's words that are looked at.
const (
	maxLine = 4 << 10
	maxText = 64 << 10
)

// Clean makes a stranger's words one harmless line: escape sequences are cut out whole, other control characters and
// those that turn the direction of text are dropped, white space becomes single spaces, and what is not UTF-8 becomes
// U+FFFD.
func Clean(s string) string {
	return strings.Join(strings.Fields(CleanLines(cut(s, maxLine))), " ")
}

// CleanLines is Clean for text of several lines: line ends, tabs and spaces stay.
func CleanLines(s string) string { return clean(cut(s, maxText)) }

// CleanText is CleanLines for text that a person asked for, which is never cut.
func CleanText(s string) string { return clean(s) }

func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == 0x1b || r == 0x9b || r == 0x90 || r == 0x9d || r == 0x98 || r == 0x9e || r == 0x9f:
			s = afterEscape(r, s[size:])
			continue
		case r == '\n' || r == '\t':
			b.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d', unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return b.String()
}

// Shown is a stranger's JSON with every character in it that Clean would leave out as JSON's own escape, so that what a
// person allows is what they see.
func Shown(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r == '\n' || r == '\t' || clean(string(r)) != "" {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// cut bounds s to n bytes, and does not break a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// afterEscape returns what follows the escape sequence that begins with r (ECMA-48). A sequence without end takes the
// rest of its line.
func afterEscape(r rune, s string) string {
	if r == 0x1b {
		if s == "" {
			return s
		}
		if s[0] >= utf8.RuneSelf {
			return s // not part of any sequence
		}
		r, s = rune(s[0]), s[1:]
	}
	switch r {
	case '[', 0x9b: // CSI: parameters, then one final byte
		for i := 0; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return s[i+1:]
			}
			if s[i] < 0x20 || s[i] > 0x7e {
				return s[i:]
			}
		}
		return ""
	case ']', 'P', 'X', '^', '_', 0x90, 0x9d, 0x98, 0x9e, 0x9f: // a string, until BEL or ST
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == 0x07:
				return s[i+1:]
			case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
				return s[i+2:]
			case s[i] == '\n':
				return s[i:]
			}
		}
		return ""
	}
	if r >= 0x20 && r <= 0x2f { // an intermediate byte: a final one follows
		for i := 0; i < len(s); i++ {
			if s[i] >= 0x30 && s[i] <= 0x7e {
				return s[i+1:]
			}
		}
		return ""
	}
	return s
}

// short cuts s to n columns, with an ellipsis where something is missing.
func short(s string, n int) string {
	if uniseg.StringWidth(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	var b strings.Builder
	state, used := -1, 0
	for s != "" {
		var cluster string
		var width int
		cluster, s, width, state = uniseg.FirstGraphemeClusterInString(s, state)
		if used+width > n-1 {
			break
		}
		b.WriteString(cluster)
		used += width
	}
	return b.String() + "…"
}

// padded fills s with spaces up to n columns.
func padded(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-uniseg.StringWidth(s)))
}

// isLink reports whether s may be made a link: an http or https address of printable ASCII.
func isLink(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// link draws an address that a terminal opens with a click (OSC 8). An address that may not be a link is plain text.
func link(address, text string) string {
	if !isLink(address) {
		return Clean(text)
	}
	// lipgloss would underline each letter by itself.
	return lipgloss.NewStyle().Hyperlink(address).Render("\x1b[4m" + Clean(text) + "\x1b[24m")
}

// paint styles each line by itself: lipgloss would fill them all up to the longest.
func paint(style lipgloss.Style, s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		if text != "" {
			lines[i] = line[:len(line)-len(text)] + style.Render(text)
		}
	}
	return strings.Join(lines, "\n")
}

// indent puts by before each line that is not empty.
func indent(s, by string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = by + line
		}
	}
	return strings.Join(lines, "\n")
}
