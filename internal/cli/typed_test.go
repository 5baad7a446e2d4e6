package cli

import "testing"

func TestAttack5WhatAHintSaysToTypeRunsNothing(t *testing.T) {
	for word, want := range map[string]string{
		"execute": "execute", "api://app/read.all": "api://app/read.all", "ada@example.com": "ada@example.com",
		"$(reboot)": "'$(reboot)'", "a;reboot": "'a;reboot'", "`reboot`": "'`reboot`'", "Ada Admin": "'Ada Admin'", "a|b": "'a|b'",
		"it's;reboot": "", "--store-dir=/tmp": "", "a\nb": "", "\x1b[2J": "", "": "", "~": "'~'", "*": "'*'", "ä": "'ä'",
	} {
		if got := typed(word); got != want {
			t.Errorf("%q is typed %q, want %q", word, got, want)
		}
	}
	if got := scopeFlags([]string{"execute", "it's", "$HOME"}); got != " --scope execute --scope '$HOME'" {
		t.Error(got)
	}
}
