package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// metadata reads a JSON document: what the server says of itself, or what its provider does.
func metadata(t *testing.T, at string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	document := map[string]any{}
	if err := json.NewDecoder(res.Body).Decode(&document); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", at, res.Status, err)
	}
	return document
}

// endpoint is the provider's URL for one purpose, by its OpenID configuration.
func (s *server) endpoint(t *testing.T, name string) string {
	t.Helper()
	document := metadata(t, strings.TrimSuffix(s.Issuer, "/")+"/.well-known/openid-configuration")
	at, ok := document[name].(string)
	if !ok {
		t.Fatalf("the provider names no %s: %v", name, document)
	}
	return at
}

// serviceToken is a token for a program: client credentials, plain OAuth.
func (s *server) serviceToken(t *testing.T, scopes ...string) string {
	t.Helper()
	config := clientcredentials.Config{
		ClientID: "dev-service", ClientSecret: "dev-service-secret", Scopes: scopes,
		TokenURL:       s.endpoint(t, "token_endpoint"),
		EndpointParams: url.Values{"resource": {s.MCP}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	token, err := config.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = append(s.secrets, token.AccessToken)
	return token.AccessToken
}

// personToken is a token for a person: the device flow, approved on the provider's page.
func (s *server) personToken(t *testing.T, user string, scopes ...string) string {
	t.Helper()
	config := oauth2.Config{ClientID: "dev-cli", Scopes: scopes, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: s.endpoint(t, "device_authorization_endpoint"),
		TokenURL:      s.endpoint(t, "token_endpoint"),
		AuthStyle:     oauth2.AuthStyleInParams,
	}}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resource := oauth2.SetAuthURLParam("resource", s.MCP)
	code, err := config.DeviceAuth(ctx, resource)
	if err != nil {
		t.Fatal(err)
	}
	newBrowser(t).signIn(code.VerificationURIComplete, user)
	code.Interval = 1 // approved already: the first question is answered
	token, err := config.DeviceAccessToken(ctx, code, resource)
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = append(s.secrets, token.AccessToken)
	return token.AccessToken
}

// browser is a person's: it keeps cookies, follows redirects, and sends forms as they stand.
type browser struct {
	t      *testing.T
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Timeout: patience}}
}

// signIn opens a page of the provider and goes through its forms as user, to the end: each form is sent with the button
// or the choice that names the user, or else with its first button.
func (b *browser) signIn(page, user string) {
	b.t.Helper()
	res, err := b.client.Get(page)
	for steps := 0; ; steps++ {
		if err != nil {
			b.t.Fatal(err)
		}
		forms := readForms(b.t, res)
		if len(forms) == 0 {
			return
		}
		if steps == 5 {
			b.t.Fatalf("still a form at %s", res.Request.URL)
		}
		res, err = b.send(res.Request.URL, pick(forms, user))
	}
}

func (b *browser) send(page *url.URL, f form) (*http.Response, error) {
	target, err := page.Parse(f.action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", page.Scheme+"://"+page.Host)
	req.Header.Set("Referer", page.String())
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.client.Do(req)
}

// form is one on a page, with the fields a browser would send.
type form struct {
	action  string
	fields  url.Values
	choices map[string]string // values one may choose, by field, as value → name
	first   [2]string         // name and value of the first button
}

// pick takes the form in which user can be chosen, and chooses.
func pick(forms []form, user string) form {
	for _, f := range forms {
		if name, ok := f.choices[user]; ok {
			f.fields.Set(name, user)
			return f
		}
	}
	f := forms[0]
	if f.first[0] != "" {
		f.fields.Set(f.first[0], f.first[1])
	}
	return f
}

// readForms reads a page's forms. A page that is not a success fails the test with what it says.
func readForms(t *testing.T, res *http.Response) []form {
	t.Helper()
	defer res.Body.Close()
	page, err := html.Parse(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s", res.Request.URL, res.Status, text(page))
	}
	var forms []form
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			forms = append(forms, readForm(n))
		}
	}
	return forms
}

func readForm(n *html.Node) form {
	f := form{action: attr(n, "action"), fields: url.Values{}, choices: map[string]string{}}
	for n := range n.Descendants() {
		name, value := attr(n, "name"), attr(n, "value")
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "button", n.Data == "input" && attr(n, "type") == "submit":
			if f.first == [2]string{} {
				f.first = [2]string{name, value}
			}
			f.choices[value] = name
		case n.Data == "input" && attr(n, "type") == "radio", n.Data == "option":
			if n.Data == "option" {
				name = attr(n.Parent, "name")
			}
			f.choices[value] = name
		case n.Data == "input" && name != "":
			f.fields.Set(name, value)
		}
	}
	return f
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// text is what a page says, for a failure's message.
func text(page *html.Node) string {
	var said strings.Builder
	for n := range page.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			fmt.Fprint(&said, " ", strings.TrimSpace(n.Data))
		}
	}
	return strings.Join(strings.Fields(said.String()), " ")
}
