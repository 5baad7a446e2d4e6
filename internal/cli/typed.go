package cli

import "strings"

// typed is word as a person may type it after a hint, or empty where it is better not typed at all: scopes and names come from
// servers, and a shell sees more in them than words (attack 5).
func typed(word string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:/@+,="
	switch {
	case word == "" || word[0] == '-' || clean(word) != word:
		return ""
	case strings.Trim(word, plain) == "":
		return word
	case strings.Contains(word, "'"):
		return ""
	}
	return "'" + word + "'"
}

// scopeFlags asks for scopes, as the end of a command to type.
func scopeFlags(scopes []string) string {
	var b strings.Builder
	for _, scope := range scopes {
		if word := typed(scope); word != "" {
			b.WriteString(" --scope " + word)
		}
	}
	return b.String()
}
