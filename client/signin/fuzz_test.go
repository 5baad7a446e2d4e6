package signin_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// FuzzReadState reads what stands in a file that anybody may have written to.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{"version":1,"issuer":"https://as.example","token_endpoint":"https://as.example/token","server":"https://m.example/mcp","client_id":"c","token_type":"Bearer","access_token":"a"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := signin.ReadState(b)
		if err != nil {
			return
		}
		again, err := s.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signin.ReadState(again); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzPastedAnswer reads what a person pastes, or what a page makes a browser bring: a code is sent only where the answer
// carries the state, and names nobody but the issuer.
func FuzzPastedAnswer(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1/callback?code=c&state=STATE", "?code=c&state=STATE&iss=https%3A%2F%2Fas.example", "error=access_denied&state=STATE",
		"code=c&code=d&state=STATE", "code=c&state=STATE&iss=https://evil.example", "justacode", "%zz=", "code=&state=STATE#x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newServer(token("one", "", "", 100))
		r := s.request()
		r.Authorization.IssParameterSupported = true
		var state string
		p := &signin.Paste{ClientID: "c", Ask: func(_ context.Context, asked signin.PastePrompt) (string, error) {
			u, err := url.Parse(asked.URL)
			state = u.Query().Get("state")
			return strings.ReplaceAll(text, "STATE", state), err
		}}
		_, err := p.SignIn(t.Context(), r)
		if len(s.forms) == 0 {
			if err == nil {
				t.Error("a token without a request")
			}
			return
		}
		raw := strings.ReplaceAll(strings.TrimSpace(text), "STATE", state)
		if _, query, found := strings.Cut(raw, "?"); found {
			raw = query
		}
		raw, _, _ = strings.Cut(raw, "#")
		q, err := url.ParseQuery(raw)
		if err != nil || q.Get("state") != state || q.Get("iss") != "https://as.example" || q.Get("code") != s.forms[0].Get("code") {
			t.Errorf("%q sent the code %q", text, s.forms[0].Get("code"))
		}
	})
}

// FuzzTokenAnswer reads what a token endpoint answers: what comes of it can stand in a header, and no error quotes it.
func FuzzTokenAnswer(f *testing.F) {
	for _, seed := range []string{`{"access_token":"hush-a","token_type":"Bearer","expires_in":"3600"}`, `{"access_token":"hush a","token_type":"Bearer"}`,
		`{"error":"invalid_grant","error_codes":[1]}`, `{"access_token":"hush","token_type":"mac"}`, `{"access_token":1}`, `[]`, `{"access_token":"hush","expires_in":-1}`,
		`{"access_token":"a.eyJzdWIiOiJ4In0.b","token_type":"bearer","scope":"a  b","id_token":"a.e30.b"}`} {
		f.Add(200, []byte(seed))
		f.Add(400, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 599 {
			return
		}
		s := newServer(func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			w.Write(body)
		})
		c := &signin.ClientCredentials{Clients: signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "c", Proof: signin.ClientSecret{Secret: "hush-s"}}}}}
		source, err := c.SignIn(t.Context(), s.request())
		if err != nil {
			if text := err.Error(); strings.Contains(text, "hush-s") || strings.ContainsAny(text, "\n\r\x1b\x00") {
				t.Errorf("the error is %q", text)
			}
			return
		}
		state := source.(*signin.Tokens).State()
		if strings.ContainsAny(string(state.Access), " \r\n\x00,;") || state.Access == "" {
			t.Errorf("the token is %q", string(state.Access))
		}
	})
}
