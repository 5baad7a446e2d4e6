package secrets

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Finding is a secret in a text.
type Finding struct {
	What  string // such as "refresh_token"
	Form  string // how it is written: "as it is", "escaped for a URL", "in base64", "its signature", or "by its shape"
	Start string // its first characters: enough to look for it, too few to use it
}

// String is a sentence about the finding.
func (f Finding) String() string { return fmt.Sprintf("a %s, %s: %s…", f.What, f.Form, f.Start) }

// shapes are what tokens look like whose provider was not watched: it ran in another process.
var shapes = map[string]*regexp.Regexp{
	"JWT":           regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`),
	"refresh token": regexp.MustCompile(`\brt\.[A-Za-z0-9_-]{8,}\.\d+\.[A-Za-z0-9_-]{20,}`),
}

// shown is how much of a secret a finding shows.
const shown = 6

// needle is one way to write a secret.
type needle struct{ text, what, form string }

// Find returns the secrets that stand in text, each once.
func (k *Known) Find(text []byte) []Finding {
	var found []Finding
	add := func(f Finding) {
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	for what, shape := range shapes {
		for _, m := range shape.FindAll(text, -1) {
			add(Finding{what, "by its shape", string(m[:shown])})
		}
	}
	// All ways to write all secrets, by how they begin: the text is then read once, however many there are.
	byStart := map[[least]byte][]needle{}
	for value, what := range k.all() {
		for form, texts := range ways(value) {
			for _, t := range texts {
				if len(t) >= least {
					start := [least]byte([]byte(t))
					byStart[start] = append(byStart[start], needle{t, what, form})
				}
			}
		}
	}
	for i := range len(text) - least + 1 {
		for _, n := range byStart[[least]byte(text[i:])] {
			if bytes.HasPrefix(text[i:], []byte(n.text)) {
				add(Finding{n.what, n.form, n.text[:shown]})
			}
		}
	}
	return found
}

// ways are the ways to write a secret. Whoever has the signature of a JWT and its claims has the JWT.
func ways(value string) map[string][]string {
	all := map[string][]string{"as it is": {value}}
	for _, escaped := range []string{url.QueryEscape(value), url.PathEscape(value)} {
		if escaped != value {
			all["escaped for a URL"] = append(all["escaped for a URL"], escaped)
		}
	}
	if parts := strings.Split(value, "."); len(parts) == 3 {
		all["its signature"] = []string{parts[2]}
	}
	for _, plain := range append([]string{value}, all["escaped for a URL"]...) {
		all["in base64"] = append(all["in base64"], inBase64(plain)...)
	}
	return all
}

// inBase64 is what text looks like in base64, wherever it stands. Three bytes become four characters there: it depends on how
// many stand before it. The characters that hold bits of a neighbour are left out.
func inBase64(text string) (all []string) {
	for before := range 3 {
		padded := append(bytes.Repeat([]byte{0}, before), text...)
		for _, coding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			coded := coding.EncodeToString(padded[:len(padded)/3*3])
			if before > 0 {
				coded = coded[4:]
			}
			if !slices.Contains(all, coded) {
				all = append(all, coded)
			}
		}
	}
	return all
}
