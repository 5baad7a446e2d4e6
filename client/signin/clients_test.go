package signin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// desk is an authorization server's registration desk, in front of a server.
type desk struct {
	*server
	asked  []oauth.ClientMetadata
	answer func(http.ResponseWriter, int)
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path != "/register" {
		return d.server.RoundTrip(r)
	}
	var m oauth.ClientMetadata
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	d.asked = append(d.asked, m)
	rw := httptest.NewRecorder()
	rw.Header().Set("Content-Type", "application/json")
	d.answer(rw, len(d.asked))
	return rw.Result(), nil
}

func newDesk() (*desk, *signin.Request) {
	d := &desk{server: newServer(token("one", "r", "", 100), token("two", "r", "", 100), token("three", "r", "", 100)),
		answer: func(w http.ResponseWriter, n int) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"client_id":"made-%d","client_secret":"unasked"}`, n)
		}}
	r := d.request()
	r.HTTPClient = &http.Client{Transport: d}
	r.Authorization.RegistrationEndpoint = "https://as.example/register"
	r.Authorization.ClientIDMetadataDocumentSupported = true
	return d, r
}

// notebook is a Registry in memory.
type notebook struct {
	mu    sync.Mutex
	known map[string]signin.Registered
}

func (n *notebook) Registered(issuer string) (signin.Registered, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.known[issuer]
	return r, ok
}

func (n *notebook) Remember(r signin.Registered) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = map[string]signin.Registered{}
	}
	n.known[r.Issuer] = r
	return nil
}

const document = "https://app.example/client.json"

func TestC6_WhichClientIDIsUsed(t *testing.T) {
	register := &oauth.ClientMetadata{ClientName: "test"}
	for _, row := range []struct {
		name    string
		clients signin.Clients
		edit    func(*signin.Request)
		want    string // empty means ErrClientIDNeeded
	}{
		{"C-6 C-8 the configured one first", signin.Clients{Known: []signin.Client{{Issuer: "https://as.example", ID: "known"}}, DocumentURL: document, Register: register}, nil, "known"},
		{"C-10 one for another authorization server is not", signin.Clients{Known: []signin.Client{{Issuer: "https://as.example/", ID: "known"}}}, nil, ""},
		{"C-8 one for just this before one for any", signin.Clients{Known: []signin.Client{{ID: "any"}, {Issuer: "https://as.example", ID: "known"}}}, nil, "known"},
		{"C-6 then the document", signin.Clients{DocumentURL: document, Register: register}, nil, document},
		{"C-6 then registration, where documents are not taken", signin.Clients{DocumentURL: document, Register: register},
			func(r *signin.Request) { r.Authorization.ClientIDMetadataDocumentSupported = false }, "made-1"},
		{"C-6 then the person is told", signin.Clients{DocumentURL: document, Register: register},
			func(r *signin.Request) {
				r.Authorization.ClientIDMetadataDocumentSupported, r.Authorization.RegistrationEndpoint = false, ""
			}, ""},
		{"C-6 nothing known", signin.Clients{}, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, r := newDesk()
			if row.edit != nil {
				row.edit(r)
			}
			b := &signin.Browser{Clients: row.clients, Open: answered(t, r, func(url.Values) {})}
			source, err := b.SignIn(t.Context(), r)
			var needed *signin.ClientIDError
			switch {
			case row.want == "" && (!errors.Is(err, signin.ErrClientIDNeeded) || !errors.As(err, &needed) || needed.Issuer != "https://as.example"):
				t.Errorf("error %v", err)
			case row.want != "" && err != nil:
				t.Error(err)
			case row.want != "" && (d.forms[0].Get("client_id") != row.want || source.(*signin.Tokens).State().ClientID != row.want):
				t.Errorf("sent %v", d.forms[0])
			}
		})
	}
}

func TestC7_AClientDocumentIsAnHTTPSURLWithAPath(t *testing.T) {
	for _, bad := range []string{"http://app.example/client.json", "https://app.example", "https://app.example/", "https://u@app.example/c", "https://app.example/c#f", "https://app.example/a/../c"} {
		_, r := newDesk()
		b := &signin.Browser{Clients: signin.Clients{DocumentURL: bad}, Open: answered(t, r, func(url.Values) {})}
		if _, err := b.SignIn(t.Context(), r); err == nil || !strings.Contains(err.Error(), "client document") {
			t.Errorf("C-7 %s: error %v", bad, err)
		}
	}
}

func TestC9_ARegistrationSaysWhatThisIsAndARefusalIsShown(t *testing.T) {
	d, r := newDesk()
	r.Authorization.ClientIDMetadataDocumentSupported = false
	b := &signin.Browser{Clients: signin.Clients{Register: &oauth.ClientMetadata{ClientName: "test"}}, Open: answered(t, r, func(url.Values) {})}
	source, err := b.SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	m := d.asked[0]
	if m.ApplicationType != "native" || m.ClientName != "test" || len(m.RedirectURIs) != 1 || !strings.HasPrefix(m.RedirectURIs[0], "http://127.0.0.1:") ||
		strings.Join(m.GrantTypes, " ") != "authorization_code refresh_token" || m.TokenEndpointAuthMethod != "none" {
		t.Errorf("C-9 registered %+v", m)
	}
	if s := source.(*signin.Tokens).State(); s.ClientSecret != "" {
		t.Error("a secret that was not asked for is kept")
	}
	d.answer = func(w http.ResponseWriter, _ int) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_redirect_uri","error_description":"no loopback here"}`)
	}
	_, err = b.SignIn(t.Context(), r)
	var refused *signin.Error
	if !errors.Is(err, signin.ErrClientIDNeeded) || !errors.As(err, &refused) || refused.Code != "invalid_redirect_uri" || !strings.Contains(err.Error(), "no loopback here") {
		t.Errorf("C-9 error %v", err)
	}
}

func TestC10_CredentialsBelongToOneAuthorizationServer(t *testing.T) {
	d, r := newDesk()
	r.Authorization.ClientIDMetadataDocumentSupported = false
	r.Authorization.TokenEndpointAuthMethodsSupported = []string{"client_secret_post"}
	book := &notebook{}
	now := time.Now()
	b := &signin.Browser{Clients: signin.Clients{Register: &oauth.ClientMetadata{}, Registry: book}, Open: answered(t, r, func(url.Values) {}),
		Now: func() time.Time { return now }}
	signIn := func(want string) {
		t.Helper()
		source, err := b.SignIn(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		s := source.(*signin.Tokens).State()
		if s.ClientID != want || s.ClientSecret != "unasked" || s.SecretMethod != "client_secret_post" {
			t.Errorf("C-10 the client is %s with %q, want %s", s.ClientID, s.SecretMethod, want)
		}
	}
	signIn("made-1")
	signIn("made-1") // remembered, on the same port
	if len(d.asked) != 1 {
		t.Errorf("registered %d times", len(d.asked))
	}
	if f := d.forms[1]; f.Get("client_secret") != "unasked" || f.Get("client_id") != "made-1" {
		t.Errorf("sent %v", f)
	}
	r.Authorization.Issuer = "https://other.example"
	signIn("made-2") // another authorization server
	if _, ok := book.Registered("https://as.example"); !ok {
		t.Error("the first registration is forgotten")
	}
	expired, _ := book.Registered("https://other.example")
	expired.Expires = now
	if err := book.Remember(expired); err != nil {
		t.Fatal(err)
	}
	d.answers = append(d.answers, token("four", "r", "", 100))
	signIn("made-3") // its secret has ended

	mixed := &notebook{known: map[string]signin.Registered{"https://as.example": {Issuer: "https://evil.example", ID: "theirs", Secret: "theirs", Method: "client_secret_post"}}}
	d, r = newDesk()
	r.Authorization.ClientIDMetadataDocumentSupported = false
	r.Authorization.TokenEndpointAuthMethodsSupported = []string{"client_secret_post"}
	b = &signin.Browser{Clients: signin.Clients{Register: &oauth.ClientMetadata{}, Registry: mixed}, Open: answered(t, r, func(url.Values) {})}
	theirs := mixed.known["https://as.example"]
	theirs.RedirectURI = fmt.Sprintf("http://127.0.0.1:%d/callback", freePort(t))
	mixed.known["https://as.example"] = theirs
	signIn("made-1") // what is remembered under its name is another's
	if len(d.asked) != 1 {
		t.Errorf("C-10 registered %d times", len(d.asked))
	}

	_, r = newDesk()
	b = &signin.Browser{Clients: signin.Clients{Known: []signin.Client{{ID: "c", Proof: signin.ClientSecret{Secret: "hush"}}}}, Open: answered(t, r, func(url.Values) {})}
	if _, err := b.SignIn(t.Context(), r); err == nil || !strings.Contains(err.Error(), "name its issuer") || strings.Contains(err.Error(), "hush") {
		t.Errorf("C-10 a secret for whoever asks: error %v", err)
	}
}

func TestC5_TokensOfOneAuthorizationServerAreNotUsedAtAnother(t *testing.T) {
	d, r := newDesk()
	b := &signin.Browser{ClientID: "c", Open: answered(t, r, func(url.Values) {})}
	first, err := b.SignIn(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Authorization.Issuer = "https://other.example" // the resource names another from now on
	r.Previous, r.Refused = first, "one"
	second, err := b.SignIn(t.Context(), r)
	if err != nil || second == first {
		t.Fatalf("error %v", err)
	}
	for _, f := range d.forms {
		if f.Has("refresh_token") {
			t.Errorf("C-5 another authorization server is sent a refresh token: %v", f)
		}
	}
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestARegistrationThatIsForgottenIsMadeAnewBeforeAnybodyIsSentAway(t *testing.T) {
	for status, says := range map[int]string{400: "anew", 401: "anew", 404: "anew", 302: "known", 200: "doubtful", 403: "doubtful", 500: "doubtful"} {
		t.Run(fmt.Sprintf("a page that answers %d", status), func(t *testing.T) {
			d, r := newDesk()
			d.page = status
			if status == 302 {
				d.page = 0
			}
			r.Authorization.ClientIDMetadataDocumentSupported = false
			b := &signin.Browser{Clients: signin.Clients{Register: &oauth.ClientMetadata{}, Registry: &notebook{}}, Open: answered(t, r, func(url.Values) {})}
			var prompts []signin.BrowserPrompt
			b.Prompt = func(p signin.BrowserPrompt) { prompts = append(prompts, p) }
			for range 2 {
				if _, err := b.SignIn(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			if (len(d.asked) == 2) != (says == "anew") || prompts[0].Doubtful || prompts[1].Doubtful != (says == "doubtful") {
				t.Errorf("registered %d times; doubtful %v, %v", len(d.asked), prompts[0].Doubtful, prompts[1].Doubtful)
			}
			if len(d.pages) != 1 || d.pages[0].Get("prompt") != "none" || d.pages[0].Get("client_id") != "made-1" {
				t.Errorf("asked the page for %v", d.pages)
			}
			shown, err := url.Parse(prompts[1].URL)
			if err != nil || shown.Query().Has("prompt") || shown.Query().Get("state") == d.pages[0].Get("state") || shown.Query().Get("code_challenge") == d.pages[0].Get("code_challenge") {
				t.Errorf("the person is sent to the page that was asked for: %s", prompts[1].URL)
			}
		})
	}
}

func TestAProviderThatForgotTheProgramIsRegisteredWithAnew(t *testing.T) {
	m := manners()[0]
	p, r := m.start(t)
	book := &notebook{}
	who := &person{t: t, user: devidp.UserUser}
	b := &signin.Browser{Clients: signin.Clients{Register: &oauth.ClientMetadata{ClientName: "test"}, Registry: book}, Open: who.open}
	signIn := func() string {
		t.Helper()
		if _, err := b.SignIn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		known, _ := book.Registered(p.Issuer())
		return known.ID
	}
	first := signIn()
	if again := signIn(); again != first {
		t.Errorf("a client that is known registers anew: %s, %s", first, again)
	}
	p.Faults().ForgetRegistrations()
	if again := signIn(); again == first || p.Faults().Counts()["register"] != 2 {
		t.Errorf("a client that is forgotten goes on as %s", again)
	}
}
