package strictjson_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/fastmcp-auth/fastmcp-auth/internal/strictjson"
)

func TestCheck(t *testing.T) {
	for _, row := range []struct{ name, text, refused string }{
		{"an object is read", `{"a":[1,-0.5e+3,true,false,null,"ü\n😀",{}]}`, ""},
		{"space around it counts for nothing", " \t\r\n{ } \n", ""},
		{"attack 41 a key twice", `{"a":1,"a":2}`, "twice"},
		{"attack 41 a key twice, once in escapes", `{"a":1,"\u0061":2}`, "twice"},
		{"attack 41 a key twice further in", `{"x":[{"a":1,"a":2}]}`, "twice"},
		{"attack 41 NUL in a key", `{"a\u0000":1}`, "NUL"},
		{"attack 43 text after the end", `{} {}`, "follows"},
		{"attack 43 a bomb of arrays", `{"a":` + strings.Repeat("[", 100000), "deeper"},
		{"attack 43 half a character", `{"a":"\ud800"}`, "half a character"},
		{"attack 43 bytes that are no UTF-8", "{\"a\":\"\xff\"}", "UTF-8"},
		{"an array is no object", `[]`, "not an object"},
		{"nothing is no object", ``, "not an object"},
		{"a number that starts with 0", `{"a":01}`, "does not end"},
		{"an object that ends early", `{"a":1`, "does not end"},
		{"a comma at the end", `{"a":1,}`, "no key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := strictjson.Check([]byte(row.text))
			var syntax *strictjson.SyntaxError
			if row.refused == "" && err != nil || row.refused != "" && (!errors.As(err, &syntax) || !strings.Contains(err.Error(), row.refused)) {
				t.Errorf("%v, want %q", err, row.refused)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,-0.5e+3,true,null,"\ud83d\ude00"]}`, `{"a":1,"\u0061":2}`, `{"":{"":{"":0}}}`, "{\"\\u0000\":0}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := strictjson.Check(text)
		if err == nil && !json.Valid(text) {
			t.Errorf("%q passes and is no JSON", text)
		}
		if err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("the refusal %q cannot be read", err)
		}
	})
}
