package oauth_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestParseChallenges(t *testing.T) {
	for _, row := range []struct {
		name   string
		header []string
		want   []oauth.Challenge // nil: refused
	}{
		{"a scheme alone", []string{"Bearer"}, []oauth.Challenge{{Scheme: "Bearer"}}},
		{"a scheme and spaces", []string{"Bearer  "}, []oauth.Challenge{{Scheme: "Bearer"}}},
		{"everything that has a field", []string{`Bearer realm="r", error="invalid_token", error_description="it is expired", error_uri="https://e", scope="a b  c", resource_metadata="https://m", claims="e30="`},
			[]oauth.Challenge{{Scheme: "Bearer", Realm: "r", Error: "invalid_token", ErrorDescription: "it is expired", ErrorURI: "https://e", Scopes: []string{"a", "b", "c"}, ResourceMetadata: "https://m", Claims: "e30="}}},
		{"further parameters keep their order", []string{`Bearer z=1, error=x, a="2"`}, []oauth.Challenge{{Scheme: "Bearer", Error: "x", Params: []oauth.Param{{"z", "1"}, {"a", "2"}}}}},
		{"names are read without regard to case", []string{`bearer ERROR="x", Foo=y`}, []oauth.Challenge{{Scheme: "bearer", Error: "x", Params: []oauth.Param{{"foo", "y"}}}}},
		{"several challenges in one line", []string{`Negotiate, Basic realm="a, b", Bearer error="x"`}, []oauth.Challenge{{Scheme: "Negotiate"}, {Scheme: "Basic", Realm: "a, b"}, {Scheme: "Bearer", Error: "x"}}},
		{"several lines", []string{`Basic realm=a`, `Bearer realm=b`}, []oauth.Challenge{{Scheme: "Basic", Realm: "a"}, {Scheme: "Bearer", Realm: "b"}}},
		{"a scheme without parameters between others", []string{`Bearer a=b, Negotiate, DPoP algs="ES256"`}, []oauth.Challenge{{Scheme: "Bearer", Params: []oauth.Param{{"a", "b"}}}, {Scheme: "Negotiate"}, {Scheme: "DPoP", Params: []oauth.Param{{"algs", "ES256"}}}}},
		{"a token68", []string{`Negotiate YWJj==, Bearer error=x`}, []oauth.Challenge{{Scheme: "Negotiate", Token68: "YWJj=="}, {Scheme: "Bearer", Error: "x"}}},
		{"a token68 that looks like a name", []string{`NTLM abc`}, []oauth.Challenge{{Scheme: "NTLM", Token68: "abc"}}},
		{"quotes and backslashes inside a value", []string{`Bearer error_description="say \"no\" \\ \a"`}, []oauth.Challenge{{Scheme: "Bearer", ErrorDescription: `say "no" \ a`}}},
		{"space around the equals sign", []string{"Bearer error = \"x\" ,\trealm=\ty"}, []oauth.Challenge{{Scheme: "Bearer", Error: "x", Realm: "y"}}},
		{"empty elements of the list", []string{`, ,Bearer a=b,, ,c=d,`}, []oauth.Challenge{{Scheme: "Bearer", Params: []oauth.Param{{"a", "b"}, {"c", "d"}}}}},
		{"an empty value in quotes", []string{`Bearer realm="", a=""`}, []oauth.Challenge{{Scheme: "Bearer", Params: []oauth.Param{{"a", ""}}}}},
		{"UTF-8 inside quotes", []string{`Bearer realm="Büro"`}, []oauth.Challenge{{Scheme: "Bearer", Realm: "Büro"}}},
		{"no header at all", nil, []oauth.Challenge{}},
		{"an empty line", []string{""}, []oauth.Challenge{}},

		{"a quotation without end", []string{`Bearer error="x`}, nil},
		{"a quotation that ends with a backslash", []string{`Bearer error="x\`}, nil},
		{"a parameter twice", []string{`Bearer error="x", error="y"`}, nil},
		{"a parameter twice in other case", []string{`Bearer resource_metadata="https://a", Resource_Metadata="https://b"`}, nil},
		{"no comma between parameters", []string{`Bearer a=b c=d`}, nil},
		{"no comma behind a quotation", []string{`Bearer a="b"c="d"`}, nil},
		{"a parameter without a scheme", []string{`error="x"`}, nil},
		{"a value without quotes that is no token", []string{`Bearer resource_metadata=https://a`}, nil},
		{"no value", []string{`Bearer error=, a=b`}, nil},
		{"a name that is no token", []string{`Bearer er(ror="x"`}, nil},
		{"a control character inside quotes", []string{"Bearer error=\"a\x00b\""}, nil},
		{"a line break inside quotes", []string{"Bearer error=\"a\r\nb\""}, nil},
		{"a quoted line break", []string{"Bearer error=\"a\\\nb\""}, nil},
		{"invalid UTF-8", []string{"Bearer realm=\"\xff\""}, nil},
		{"a tab behind the scheme", []string{"Bearer\terror=x"}, nil},
		{"two words behind the scheme", []string{"NTLM abc def"}, nil},
		{"more than 16 KiB", []string{`Bearer realm="` + strings.Repeat("x", 9<<10) + `"`, `Bearer realm="` + strings.Repeat("x", 9<<10) + `"`}, nil},
		{"more than 16 challenges", []string{strings.Repeat("A, ", 17)}, nil},
		{"more than 32 parameters", []string{"Bearer " + params(33)}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := oauth.ParseChallenges(row.header)
			if row.want == nil {
				if !errors.Is(err, oauth.ErrMalformedChallenge) || got != nil {
					t.Errorf("%+v, %v; want a refusal", got, err)
				}
				return
			}
			if err != nil || len(got)+len(row.want) > 0 && !reflect.DeepEqual(got, row.want) {
				t.Errorf("%+v, %v; want %+v", got, err, row.want)
			}
		})
	}
	if got, err := oauth.ParseChallenges([]string{"Bearer " + params(32)}); err != nil || len(got[0].Params) != 32 {
		t.Errorf("32 parameters: %v", err)
	}
}

func params(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("p%d=v", i))
	}
	return strings.Join(list, ", ")
}

func TestChallengeString(t *testing.T) {
	for _, row := range []struct {
		name string
		c    oauth.Challenge
		want string
	}{
		{"the zero value is a bare Bearer", oauth.Challenge{}, `Bearer`},
		{"fields have a fixed order and quotes", oauth.Challenge{Params: []oauth.Param{{"b", "2"}, {"a", "1"}}, ResourceMetadata: "https://m", Scopes: []string{"x", "y"}, Error: "e", ErrorDescription: "d"},
			`Bearer error="e", error_description="d", scope="x y", resource_metadata="https://m", b="2", a="1"`},
		{"a value cannot leave its quotes", oauth.Challenge{Realm: `a", error="x`}, `Bearer realm="a\", error=\"x"`},
		{"a backslash is quoted", oauth.Challenge{Realm: `a\`}, `Bearer realm="a\\"`},
		{"a description has apostrophes for quotes", oauth.Challenge{ErrorDescription: `tool "x" \`}, `Bearer error_description="tool 'x' '"`},
		{"a line break cannot start a header", oauth.Challenge{ErrorDescription: "a\r\nSet-Cookie: x"}, `Bearer error_description="a  Set-Cookie: x"`},
		{"characters beyond ASCII are replaced", oauth.Challenge{ErrorDescription: "é\xff\x7f"}, `Bearer error_description="?? "`},
		{"a scope that is none is left out", oauth.Challenge{Scopes: []string{`a"`, "b", "c d", ""}}, `Bearer scope="b"`},
		{"a parameter whose name is no token is left out", oauth.Challenge{Params: []oauth.Param{{"a b", "x"}, {"", "y"}, {"ok", "z"}}}, `Bearer ok="z"`},
		{"a parameter cannot repeat a field", oauth.Challenge{Error: "x", Params: []oauth.Param{{"error", "y"}, {"scope", "z"}}}, `Bearer error="x"`},
		{"a scheme that is no token becomes Bearer", oauth.Challenge{Scheme: "Be arer\r\n"}, `Bearer`},
		{"a token68 stands alone", oauth.Challenge{Scheme: "Negotiate", Token68: "abc=", Realm: "r"}, `Negotiate abc=`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := row.c.String(); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
		})
	}
}

func TestChallengeGet(t *testing.T) {
	c := oauth.Challenge{Scheme: "bearer", Error: "e", Scopes: []string{"a", "b"}, Params: []oauth.Param{{"max_age", "5"}}}
	if c.Get("error") != "e" || c.Get("scope") != "a b" || c.Get("max_age") != "5" || c.Get("none") != "" || c.Get("realm") != "" {
		t.Errorf("%+v", c)
	}
	if !c.Is("Bearer") || c.Is("DPoP") || !(oauth.Challenge{}).Is("bearer") {
		t.Error("schemes compare without regard to case")
	}
}

// FuzzParseChallenges holds that what parses can be written and parsed again to the same, within the bounds.
func FuzzParseChallenges(f *testing.F) {
	for _, s := range []string{`Bearer error="invalid_token", scope="a b"`, `Negotiate YWJj==, Basic realm="a, b\"", Bearer`, `Bearer a = b ,, c="d"`, `, A, B c`, "Bearer a=\"\x00\"", `Bearer a="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		all, err := oauth.ParseChallenges([]string{line})
		if err != nil {
			if all != nil || !errors.Is(err, oauth.ErrMalformedChallenge) {
				t.Fatalf("%v, %v", all, err)
			}
			return
		}
		if len(all) > 16 {
			t.Fatalf("%d challenges", len(all))
		}
		for _, c := range all {
			if len(c.Params) > 32 {
				t.Fatalf("%d parameters", len(c.Params))
			}
			written := c.String()
			if strings.ContainsAny(written, "\r\n\x00") {
				t.Fatalf("control characters in %q", written)
			}
			again, err := oauth.ParseChallenges([]string{written})
			if err != nil || len(again) != 1 {
				t.Fatalf("%q was written as %q: %v", line, written, err)
			}
			if again[0].String() != written || again[0].Error != carried(c.Error) || again[0].Scheme != c.Scheme {
				t.Fatalf("%+v became %+v", c, again[0])
			}
		}
	})
}

// carried is a value after writing: without what a header cannot carry.
func carried(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ' || r == 0x7f:
			return ' '
		case r > 0x7f:
			return '?'
		}
		return r
	}, s)
}

func ExampleParseChallenges() {
	all, err := oauth.ParseChallenges([]string{`Negotiate, Bearer error="insufficient_scope", scope="time:read time:convert"`})
	if err != nil {
		panic(err)
	}
	for _, c := range all {
		if c.Is("Bearer") {
			fmt.Println(c.Error, c.Scopes)
		}
	}
	// Output: insufficient_scope [time:read time:convert]
}

func ExampleChallenge_String() {
	fmt.Println(oauth.Challenge{
		Error:            "invalid_token",
		ErrorDescription: "the token is expired",
		Scopes:           []string{"execute"},
		ResourceMetadata: "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
	})
	// Output: Bearer error="invalid_token", error_description="the token is expired", scope="execute", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
}
