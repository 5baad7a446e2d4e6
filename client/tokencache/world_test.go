package tokencache_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

const server = "https://mcp.example.com/mcp"

// world is a provider and what people do at it.
type world struct {
	t        *testing.T
	provider *devidp.Running
	metadata oauth.ServerMetadata

	mu      sync.Mutex
	prompts int
}

func newWorld(t *testing.T, o devidp.Options) *world {
	t.Helper()
	o.DeviceInterval, o.Algorithm = time.Second, "ES256" // quick
	ctx, stop := context.WithCancel(context.Background())
	provider, err := devidp.Start(ctx, "127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); provider.Wait() })
	w := &world{t: t, provider: provider}
	resp, err := http.Get(provider.Issuer() + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&w.metadata); err != nil {
		t.Fatal(err)
	}
	return w
}

// request is what a server at url that asks for a sign-in makes of it.
func (w *world) request(url string) *signin.Request {
	return &signin.Request{
		Server:        url,
		Challenge:     &oauth.Challenge{Scheme: "Bearer", Scopes: []string{"execute", "openid", "profile", "email", "offline_access"}},
		Resource:      oauth.ResourceMetadata{Resource: url, AuthorizationServers: []string{w.metadata.Issuer}},
		Authorization: w.metadata,
	}
}

// browser signs user in with a browser.
func (w *world) browser(user string) *signin.Browser {
	return &signin.Browser{ClientID: devidp.ClientCLI, Open: func(_ context.Context, page string) error {
		w.mu.Lock()
		w.prompts++
		w.mu.Unlock()
		go func() {
			to, err := new(devidp.Visitor).SignIn(context.Background(), page, user)
			if err == nil {
				var resp *http.Response
				if resp, err = http.Get(to.String()); err == nil {
					resp.Body.Close()
				}
			}
			if err != nil {
				w.t.Error(err)
			}
		}()
		return nil
	}}
}

// signIn signs user in at url through c, as package client does.
func (w *world) signIn(c *tokencache.Cache, url, user string) *signin.Tokens {
	w.t.Helper()
	source, err := c.SignIn(w.browser(user), tokencache.Use{Anew: true}).SignIn(w.t.Context(), w.request(url))
	if err != nil {
		w.t.Fatal(err)
	}
	return source.(*signin.Tokens)
}

// tokenRequests is how often the token endpoint was asked since.
func (w *world) tokenRequests(do func()) int64 {
	before := w.provider.Faults().TokenRequests()
	do()
	return w.provider.Faults().TokenRequests() - before
}

// open makes a cache in dir, as a process does, and fails the test on trouble.
func open(t *testing.T, dir string, change ...func(*tokencache.Options)) *tokencache.Cache {
	t.Helper()
	o := tokencache.Options{Dir: dir}
	for _, f := range change {
		f(&o)
	}
	c, err := tokencache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.Trouble = func(err error) { t.Errorf("trouble: %v", err) }
	return c
}

// later is a clock that is ahead.
func later(by time.Duration) func(*tokencache.Options) {
	return func(o *tokencache.Options) { o.Now = func() time.Time { return time.Now().Add(by) } }
}

func access(t *testing.T, source oauth2.TokenSource) string {
	t.Helper()
	token, err := source.Token()
	if err != nil {
		t.Fatal(err)
	}
	return token.AccessToken
}

// kept goes on with the kept sign-in at url, which must be there.
func kept(t *testing.T, c *tokencache.Cache, url string, u tokencache.Use) *signin.Tokens {
	t.Helper()
	tokens, err := c.Tokens(url, u)
	if err != nil {
		t.Fatal(err)
	}
	if tokens == nil {
		t.Fatalf("no sign-in for %s", url)
	}
	return tokens
}

// files lists the files below dir, by their names relative to it.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// records lists the files that hold sign-ins.
func records(t *testing.T, dir string) []string {
	return slices.DeleteFunc(files(t, dir), func(name string) bool {
		return !strings.HasPrefix(filepath.Base(name), "signin-") || strings.HasSuffix(name, ".lock")
	})
}

// ring is a keyring in memory.
type ring struct {
	mu      sync.Mutex
	entries map[string]string
	err     error // every call fails with it
}

func (r *ring) Get(service, entry string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return "", r.err
	}
	if s, there := r.entries[service+entry]; there {
		return s, nil
	}
	return "", tokencache.ErrNotInKeyring
}

func (r *ring) Set(service, entry, secret string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(secret) > 2560 {
		return errors.New("too big for Credential Manager")
	}
	if r.err == nil {
		r.entries[service+entry] = secret
	}
	return r.err
}

func in(r tokencache.Keyring) func(*tokencache.Options) {
	return func(o *tokencache.Options) { o.Keyring = r }
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
