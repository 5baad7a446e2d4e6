package mcpserver

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// SDKOnly switches the fast path off, for tests that compare both ways.
func (h *Handler) SDKOnly() { h.fast.off = true }

func TestAppendTextWritesWhatJSONDoes(t *testing.T) {
	texts := []string{"", "abc", `{"a":"b\\c"}`, `"`, `\`, `""\\`, "a<b>&c", "naïve", "\u2028", "a\nb", "\x00", "\x7f", "\xff", `tail "`, "\"\u00e9"}
	for c := range 256 {
		texts = append(texts, "a\""+string([]byte{byte(c)})+"b")
	}
	for _, text := range texts {
		want, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := appendText([]byte("before"), text); err != nil || string(got) != "before"+string(want) {
			t.Errorf("%q is written %s, want %s: %v", text, got, want, err)
		}
	}
}

func TestABodyIsReadExactly(t *testing.T) {
	broken := errors.New("the connection broke")
	for _, row := range []struct {
		name string
		from io.Reader
		n    int
		err  error
	}{
		{"as long as was said", strings.NewReader("body"), 4, nil},
		{"as long as was said, its end with the last bytes", iotest.DataErrReader(strings.NewReader("body")), 4, nil},
		{"in pieces", iotest.OneByteReader(strings.NewReader("body")), 4, nil},
		{"none", strings.NewReader(""), 0, nil},
		{"longer than was said", strings.NewReader("body and more"), 4, errTooLong},
		{"one where none was said", strings.NewReader("b"), 0, errTooLong},
		{"shorter than was said", strings.NewReader("bod"), 4, io.ErrUnexpectedEOF},
		{"none where one was said", strings.NewReader(""), 4, io.ErrUnexpectedEOF},
		{"broken in the middle", io.MultiReader(strings.NewReader("bo"), iotest.ErrReader(broken)), 4, broken},
		{"broken at the end", io.MultiReader(strings.NewReader("body"), iotest.ErrReader(broken)), 4, broken},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := exactly(row.from, row.n)
			if !errors.Is(err, row.err) || err == nil && string(got) != "body"[:row.n] {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

func BenchmarkAppendText(b *testing.B) {
	b.ReportAllocs()
	out := make([]byte, 0, 128)
	for b.Loop() {
		if _, err := appendText(out, `{"reversed_query":"zyxwvutsrqponmlkjihgfedcba"}`); err != nil {
			b.Fatal(err)
		}
	}
}
