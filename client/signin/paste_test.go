package signin_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestAPersonPastesTheAnswer(t *testing.T) {
	each(t, func(t *testing.T, m manner) {
		p, r := m.start(t)
		paste := &signin.Paste{ClientID: m.client, Provider: m.provider, Ask: func(ctx context.Context, asked signin.PastePrompt) (string, error) {
			if asked.RedirectURI != "http://127.0.0.1/callback" || asked.Issuer != p.Issuer() {
				t.Errorf("asked %+v", asked)
			}
			to, err := new(devidp.Visitor).SignIn(ctx, asked.URL, devidp.UserUser)
			if err != nil {
				return "", err
			}
			return "  " + to.String() + "\n", nil
		}}
		source, err := paste.SignIn(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if c := claimsOf(t, source); c["iss"] != p.Issuer() {
			t.Errorf("claims %v", c)
		}
	})
}

func TestWhatMayBePasted(t *testing.T) {
	for _, row := range []struct {
		name  string
		sends bool // the authorization server names itself
		text  func(state string) string
		want  string // the code that is sent; empty means none
	}{
		{"the whole address", false, func(s string) string { return "http://127.0.0.1/callback?code=c&state=" + s }, "c"},
		{"its query", false, func(s string) string { return "?code=c&state=" + s }, "c"},
		{"its query without the mark", false, func(s string) string { return "code=c&state=" + s }, "c"},
		{"the code alone", false, func(string) string { return " abc==\n" }, "abc=="},
		{"C-15 the code alone, though the server promises to name itself", true, func(string) string { return "c" }, ""},
		{"C-15 the address without the name that was promised", true, func(s string) string { return "http://127.0.0.1/callback?code=c&state=" + s }, ""},
		{"C-16 an address of another sign-in", false, func(string) string { return "http://127.0.0.1/callback?code=c&state=other" }, ""},
		{"an address elsewhere", false, func(s string) string { return "http://127.0.0.1.evil.example/callback?code=c&state=" + s }, ""},
		{"nothing", false, func(string) string { return " " }, ""},
		{"far too much", false, func(string) string { return strings.Repeat("x", 100_000) }, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer(token("one", "", "", 100))
			r := s.request()
			r.Authorization.IssParameterSupported = row.sends
			p := &signin.Paste{ClientID: "c", Ask: func(_ context.Context, asked signin.PastePrompt) (string, error) {
				u, err := url.Parse(asked.URL)
				return row.text(u.Query().Get("state")), err
			}}
			_, err := p.SignIn(t.Context(), r)
			sent := ""
			if len(s.forms) > 0 {
				sent = s.forms[0].Get("code")
			}
			if sent != row.want || (row.want == "") != (err != nil) {
				t.Errorf("sent %q, error %v", sent, err)
			}
			if strings.HasPrefix(row.name, "C-") && !errors.Is(err, signin.ErrForged) {
				t.Errorf("error %v", err)
			}
		})
	}
}
