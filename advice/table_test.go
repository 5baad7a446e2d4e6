package advice

import (
	"strings"
	"testing"
)

func TestTheTableIsWhole(t *testing.T) {
	seen := map[int]bool{}
	for _, row := range numbers {
		if row.cause == "" || row.cure == "" && row.next == Nothing {
			t.Errorf("%v has no cause or leads nowhere", row.numbers)
		}
		for _, n := range row.numbers {
			if seen[n] {
				t.Errorf("%d stands twice", n)
			}
			seen[n] = true
		}
		if row.page != noPage && pages[row.page].URL == "" {
			t.Errorf("%v leads to no page", row.numbers)
		}
	}
	for code, e := range codes {
		if e.cause == "" || e.cure == "" && e.next == Nothing || strings.HasSuffix(e.cause+e.cure, ".") {
			t.Errorf("%s has no cause, leads nowhere, or ends with a full stop", code)
		}
	}
	for reason, e := range tokens {
		if e.cause == "" || e.cure == "" && e.next == Nothing {
			t.Errorf("%s has no cause, or leads nowhere", reason)
		}
	}
}
