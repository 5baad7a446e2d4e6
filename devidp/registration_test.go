package devidp_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func register(t *testing.T, p *devidp.Running, body string, edit ...func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.URL+"/register", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, e := range edit {
		e(req)
	}
	return do(t, req)
}

func TestRegistrationGivesAWorkingClient(t *testing.T) {
	p := start(t, devidp.Options{})
	for method, style := range map[string]oauth2.AuthStyle{"none": oauth2.AuthStyleInParams, "client_secret_post": oauth2.AuthStyleInParams, "client_secret_basic": oauth2.AuthStyleInHeader} {
		t.Run(method, func(t *testing.T) {
			a := register(t, p, `{"client_name":"Inspector","redirect_uris":["http://127.0.0.1/callback"],"token_endpoint_auth_method":"`+method+`"}`)
			if a.status != http.StatusCreated || a.str("client_id") == "" || (a.str("client_secret") == "") != (method == "none") || a.header.Get("Cache-Control") != "no-store" {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			c := cli(p, "execute")
			c.ClientID, c.ClientSecret, c.Endpoint.AuthStyle = a.str("client_id"), a.str("client_secret"), style
			if tok := signIn(t, c, devidp.UserUser); claims(t, tok.AccessToken)["client_id"] != c.ClientID {
				t.Error("the token names another client")
			}
			page := get(t, request(p, oauth.NewVerifier(), "client_id", c.ClientID))
			if !strings.Contains(page.body, "registered itself") || !strings.Contains(page.body, "127.0.0.1:7777") || !strings.Contains(page.body, "<code>execute</code>") {
				t.Error("the page does not tell who asks, for what, and where the answer goes")
			}
		})
	}
}

func TestWhatAClientCallsItselfIsTextOnThePage(t *testing.T) {
	p := start(t, devidp.Options{})
	const name = `"><b>A</b>' & {} {{.}} <!--`
	body, err := json.Marshal(map[string]any{"client_name": name, "redirect_uris": []string{"http://127.0.0.1/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	a := register(t, p, string(body))
	if a.status != http.StatusCreated {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	page := get(t, request(p, oauth.NewVerifier(), "client_id", a.str("client_id"))).body
	if strings.Contains(page, "<b>") || strings.Contains(page, "<!--") || !strings.Contains(page, "<strong>"+html.EscapeString(name)+"</strong>") {
		t.Errorf("the page is %s", page)
	}
}

func TestRegistrationRefuses(t *testing.T) {
	p := start(t, devidp.Options{})
	for name, c := range map[string]struct{ body, code string }{
		"attack 5 a javascript redirect is refused":             {`{"redirect_uris":["javascript:alert(1)"]}`, "invalid_redirect_uri"},
		"attack 3 a wildcard redirect is refused":               {`{"redirect_uris":["https://*.example.org/cb"]}`, "invalid_redirect_uri"},
		"attack 3 a port that cannot be is refused":             {`{"redirect_uris":["http://127.0.0.1:99999/cb"]}`, "invalid_redirect_uri"},
		"attack 5 a javascript page is refused":                 {`{"redirect_uris":["http://127.0.0.1/cb"],"client_uri":"javascript:alert(1)"}`, "invalid_client_metadata"},
		"attack 41 a member twice is refused":                   {`{"redirect_uris":["http://127.0.0.1/cb"],"redirect_uris":["https://evil.example.org"]}`, "invalid_client_metadata"},
		"attack 5 a data redirect is refused":                   {`{"redirect_uris":["data:text/html,x"]}`, "invalid_redirect_uri"},
		"attack 5 a file redirect is refused":                   {`{"redirect_uris":["file:///etc/passwd"]}`, "invalid_redirect_uri"},
		"attack 5 shell characters are refused":                 {`{"redirect_uris":["https://a.example.org/$(x)` + "`" + `"]}`, "invalid_redirect_uri"},
		"attack 18 http beyond loopback is refused":             {`{"redirect_uris":["http://app.example.org/callback"]}`, "invalid_redirect_uri"},
		"attack 3 a fragment is refused":                        {`{"redirect_uris":["https://app.example.org/callback#"]}`, "invalid_redirect_uri"},
		"attack 3 a user in the address is refused":             {`{"redirect_uris":["https://a@app.example.org/callback"]}`, "invalid_redirect_uri"},
		"attack 3 an encoded slash is refused":                  {`{"redirect_uris":["https://app.example.org/a%2Fb"]}`, "invalid_redirect_uri"},
		"attack 3 dots in the path are refused":                 {`{"redirect_uris":["https://app.example.org/a/../b"]}`, "invalid_redirect_uri"},
		"no redirect URI is refused":                            {`{}`, "invalid_redirect_uri"},
		"attack 17 the name of a known client is refused":       {`{"client_name":"Development command line","redirect_uris":["http://127.0.0.1/"]}`, "invalid_client_metadata"},
		"attack 17 a name that only looks different is refused": {`{"client_name":" DEVELOPMENT  command-line ","redirect_uris":["http://127.0.0.1/"]}`, "invalid_client_metadata"},
		"attack 17 the id of a known client is refused":         {`{"client_name":"dev_cli","redirect_uris":["http://127.0.0.1/"]}`, "invalid_client_metadata"},
		"attack 17 a name with hidden characters is refused":    {`{"client_name":"a\u202eb","redirect_uris":["http://127.0.0.1/"]}`, "invalid_client_metadata"},
		"attack 16 a huge name is refused":                      {`{"client_name":"` + strings.Repeat("x", 200) + `","redirect_uris":["http://127.0.0.1/"]}`, "invalid_client_metadata"},
		"attack 16 very many redirect URIs are refused":         {`{"redirect_uris":["http://127.0.0.1/"` + strings.Repeat(`,"http://127.0.0.1/"`, 30) + `]}`, "invalid_redirect_uri"},
		"client credentials are not for strangers":              {`{"redirect_uris":["http://127.0.0.1/"],"grant_types":["client_credentials"]}`, "invalid_client_metadata"},
		"token exchange is not for strangers":                   {`{"redirect_uris":["http://127.0.0.1/"],"grant_types":["urn:ietf:params:oauth:grant-type:token-exchange"]}`, "invalid_client_metadata"},
		"the implicit flow does not exist":                      {`{"redirect_uris":["http://127.0.0.1/"],"response_types":["token"]}`, "invalid_client_metadata"},
		"an unknown authentication method is refused":           {`{"redirect_uris":["http://127.0.0.1/"],"token_endpoint_auth_method":"tls"}`, "invalid_client_metadata"},
		"private_key_jwt without keys is refused":               {`{"redirect_uris":["http://127.0.0.1/"],"token_endpoint_auth_method":"private_key_jwt"}`, "invalid_client_metadata"},
		"a symmetric key is refused":                            {`{"redirect_uris":["http://127.0.0.1/"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}}`, "invalid_client_metadata"},
		"a body that is no object is refused":                   {`[]`, "invalid_client_metadata"},
		"two documents in one body are refused":                 {`{"redirect_uris":["http://127.0.0.1/"]}{}`, "invalid_client_metadata"},
		"a member of the wrong type is refused":                 {`{"redirect_uris":"http://127.0.0.1/"}`, "invalid_client_metadata"},
	} {
		t.Run(name, func(t *testing.T) { register(t, p, c.body).refused(t, 400, c.code) })
	}
	t.Run("attack 16 huge metadata is refused", func(t *testing.T) {
		register(t, p, `{"client_uri":"`+strings.Repeat("x", 70<<10)+`"}`).refused(t, 413, "invalid_request")
	})
	t.Run("another content type is refused", func(t *testing.T) {
		register(t, p, `{}`, withHeader("Content-Type", "text/plain")).refused(t, 400, "invalid_request")
	})
	t.Run("a strange web page is refused", func(t *testing.T) {
		register(t, p, `{}`, withHeader("Origin", "https://evil.example.org")).refused(t, 403, "invalid_request")
	})
}

// documents serves client documents for a test and counts what is fetched.
type documents struct {
	*httptest.Server
	mu      sync.Mutex
	fetched int
	answer  http.HandlerFunc
}

func serveDocuments(t *testing.T) *documents {
	d := &documents{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.fetched++
		answer := d.answer
		d.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

// say answers with a document; changes are laid over a good one.
func (d *documents) say(changes map[string]any, headers ...string) {
	doc := map[string]any{"client_id": d.URL + "/client.json", "client_name": "Remote client", "redirect_uris": []string{"http://127.0.0.1/callback"}}
	for k, v := range changes {
		doc[k] = v
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		json.NewEncoder(w).Encode(doc)
	}
}

func (d *documents) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fetched
}

func TestClientDocumentSignsIn(t *testing.T) {
	d := serveDocuments(t)
	d.say(nil)
	p := start(t, devidp.Options{AllowLoopbackCIMD: true})
	id := d.URL + "/client.json"
	c := cli(p, "execute")
	c.ClientID = id
	if tok := signIn(t, c, devidp.UserUser); claims(t, tok.AccessToken)["client_id"] != id {
		t.Error("the token names another client")
	}
	if d.count() != 1 {
		t.Errorf("the document was fetched %d times in one sign-in", d.count())
	}
	page := get(t, request(p, oauth.NewVerifier(), "client_id", id))
	if !strings.Contains(page.body, "described by "+strings.TrimPrefix(d.URL, "http://")) || !strings.Contains(page.body, "only go to programs on this computer") {
		t.Errorf("the page does not warn: %s", page.body)
	}
}

func TestAttack13ClientDocumentAsSSRF(t *testing.T) {
	d := serveDocuments(t)
	d.say(nil)
	t.Run("documents on this machine are refused, by address and by name, before a byte is sent", func(t *testing.T) {
		p := start(t, devidp.Options{})
		port := d.URL[strings.LastIndexByte(d.URL, ':'):]
		for _, id := range []string{"https://127.0.0.1" + port + "/c", "https://localhost" + port + "/c", "https://[::1]" + port + "/c", "https://[::ffff:127.0.0.1]" + port + "/c",
			"https://169.254.169.254/latest/meta-data", "https://10.0.0.1/c", "https://[64:ff9b::7f00:1]/c", "https://[2002:7f00:1::]/c"} {
			refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", id)), 400, "not public")
		}
		if d.count() != 0 {
			t.Errorf("%d requests arrived", d.count())
		}
	})
	t.Run("http is refused", func(t *testing.T) {
		p := start(t, devidp.Options{})
		refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", d.URL+"/client.json")), 400, "https")
	})
	p := start(t, devidp.Options{AllowLoopbackCIMD: true})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		words  string
	}{
		"a redirect is refused": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/client.json", http.StatusFound) }, "status 302"},
		"a huge body is refused": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"x":%q}`, strings.Repeat("x", 70<<10))
		}, "64 KiB"},
		"another content type is refused": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `{}`)
		}, "not JSON"},
		"an error is refused":            {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, "status 404"},
		"a broken connection is refused": {func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "cannot be fetched"},
		"a body that is no object is refused": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `"x"`)
		}, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			d.mu.Lock()
			d.answer = c.answer
			d.mu.Unlock()
			refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", d.URL+"/"+strings.ReplaceAll(name, " ", "-"))), 400, c.words)
		})
	}
	t.Run("a document that failed is not fetched again at once", func(t *testing.T) {
		before := d.count()
		for range 3 {
			get(t, request(p, oauth.NewVerifier(), "client_id", d.URL+"/again"))
		}
		if got := d.count() - before; got != 1 {
			t.Errorf("it was fetched %d times", got)
		}
	})
	for name, id := range map[string]string{"without a path": d.URL, "with a bare slash": d.URL + "/", "with a fragment": d.URL + "/c#x", "with dots": d.URL + "/a/../c", "with a user": strings.Replace(d.URL, "//", "//u@", 1) + "/c"} {
		t.Run("an id "+name+" is refused unfetched", func(t *testing.T) {
			before := d.count()
			refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", id)), 400, "URL")
			if d.count() != before {
				t.Error("it was fetched")
			}
		})
	}
}

func TestAttack14ClientDocumentSpeaksForItself(t *testing.T) {
	d := serveDocuments(t)
	p := start(t, devidp.Options{AllowLoopbackCIMD: true})
	for name, changes := range map[string]map[string]any{
		"a document of another client":           {"client_id": d.URL + "/other.json"},
		"a document without client_id":           {"client_id": ""},
		"a document with a secret":               {"client_secret": "x"},
		"a document that wants a secret":         {"token_endpoint_auth_method": "client_secret_post"},
		"a document without redirect URIs":       {"redirect_uris": []string{}},
		"a document with a strange redirect":     {"redirect_uris": []string{"javascript:alert(1)"}},
		"attack 17 a document with a known name": {"client_name": "dev-cli"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			d.say(changes)
			id := d.URL + "/client.json?" + fmt.Sprint(len(name))
			if changes["client_id"] == nil {
				changes["client_id"] = id
				d.say(changes)
			}
			refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", id)), 400, "not acceptable")
		})
	}
}

func TestAttack15ClientDocumentChanges(t *testing.T) {
	now := newClock()
	d := serveDocuments(t)
	p := start(t, devidp.Options{AllowLoopbackCIMD: true, Now: now.Now})
	id := d.URL + "/client.json"
	d.say(nil, "Cache-Control", "max-age=60")
	if a := get(t, request(p, oauth.NewVerifier(), "client_id", id)); a.status != 200 {
		t.Fatalf("got %d %s", a.status, problem(a))
	}
	d.say(map[string]any{"redirect_uris": []string{"https://app.example.org/callback"}}, "Cache-Control", "no-store")
	if a := get(t, request(p, oauth.NewVerifier(), "client_id", id)); a.status != 200 || d.count() != 1 {
		t.Errorf("within max-age: %d, fetched %d times", a.status, d.count())
	}
	now.advance(61 * time.Second)
	refusedPage(t, get(t, request(p, oauth.NewVerifier(), "client_id", id)), 400, "not registered")
	get(t, request(p, oauth.NewVerifier(), "client_id", id))
	if d.count() != 3 {
		t.Errorf("fetched %d times, want 3: no-store is not kept", d.count())
	}
}

func TestClientDocumentWithKeys(t *testing.T) {
	_, signer := keyed(t, "")
	client, signer2 := keyed(t, "")
	var id string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/keys" {
			w.Write(client.JWKS)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"client_id": id, "redirect_uris": []string{callback}, "token_endpoint_auth_method": "private_key_jwt",
			"jwks_uri": "https://" + r.Host + "/keys"})
	}))
	defer srv.Close()
	id = srv.URL + "/client.json"
	p := start(t, devidp.Options{HTTPClient: srv.Client()})
	v := oauth.NewVerifier()
	assert := func(by jose.Signer, jti string) []string {
		return []string{"client_id", "", "code_verifier", v, "client_assertion_type", bearerType, "client_assertion",
			assertion(t, by, map[string]any{"iss": id, "sub": id, "aud": p.URL, "exp": time.Now().Add(time.Minute).Unix(), "jti": jti})}
	}
	code := codeOf(t, p, request(p, v, "client_id", id))
	redeem(t, p, code, assert(signer, "1")...).refused(t, 401, "invalid_client")
	redeem(t, p, code, "client_id", id, "code_verifier", v).refused(t, 401, "invalid_client")
	redeem(t, p, code, assert(signer2, "2")...).ok(t)
}
