package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
)

func TestReverse(t *testing.T) {
	for _, row := range []struct{ name, query, want string }{
		{"letters are reversed", "hello", "olleh"},
		{"nothing stays nothing", "", ""},
		{"a combining accent stays on its letter", "cafe\u0301!", "!e\u0301fac"},
		{"a flag stays whole", "a🇩🇪b", "b🇩🇪a"},
		{"a joined family stays whole", "1👩‍👩‍👧2", "2👩‍👩‍👧1"},
		{"a skin tone stays on its hand", "x👍🏽", "👍🏽x"},
		{"Hangul syllables of several letters stay whole", "각나", "나각"},
		{"a line end of two characters stays whole", "a\r\nb", "b\r\na"},
		{"NUL is a character", "a\x00b", "b\x00a"},
	} {
		t.Run(row.name, func(t *testing.T) {
			arguments, err := json.Marshal(map[string]string{"query": row.query})
			if err != nil {
				t.Fatal(err)
			}
			got, refused := call(t, find(t, "reverse_tool", tools.Options{}), string(arguments))
			if refused != "" || got["reversed_query"] != row.want {
				t.Errorf("got %q %s, want %q", got["reversed_query"], refused, row.want)
			}
		})
	}
}

func TestReverseRefusesTooLongAText(t *testing.T) {
	tool := find(t, "reverse_tool", tools.Options{})
	if _, refused := call(t, tool, `{"query":"`+strings.Repeat("é", tools.MaxQuery)+`"}`); refused != "" {
		t.Errorf("the longest text is refused: %s", refused)
	}
	_, refused := call(t, tool, `{"query":"`+strings.Repeat("é", tools.MaxQuery+1)+`"}`)
	if refused != `"query" has 65537 characters; at most 65536 are allowed` {
		t.Errorf("got %q", refused)
	}
}

func TestReverseReportsProgressOverItsDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tool := find(t, "reverse_tool", tools.Options{ReverseDuration: 5 * time.Second})
		begin := time.Now()
		var done []float64
		var last string
		result, err := tool.Call(t.Context(), json.RawMessage(`{"query":"hello"}`), func(d, total float64, message string) {
			if total != 20 || time.Since(begin) != time.Duration(d)*250*time.Millisecond {
				t.Errorf("%v of %v after %v", d, total, time.Since(begin))
			}
			done = append(done, d)
			last = message
		})
		if err != nil || result.IsError {
			t.Fatal(result, err)
		}
		if time.Since(begin) != 5*time.Second || len(done) != 21 || done[0] != 0 || done[20] != 20 || last != "reversed 5 of 5 characters" {
			t.Errorf("%d reports over %v, the last %q", len(done), time.Since(begin), last)
		}
	})
}

func TestReverseStopsAtOnceWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble fails if a goroutine is left
		tool := find(t, "reverse_tool", tools.Options{ReverseDuration: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := tool.Call(ctx, json.RawMessage(`{"query":"hello"}`), silent)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("returned %v after %v", err, time.Since(begin))
		}
	})
}
