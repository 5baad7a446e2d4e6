package tokencache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestOneSignsInAndTheOthersSayWhere(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	shown, told := make(chan signin.DevicePrompt), make(chan tokencache.Pending)
	one := open(t, dir)
	first := &signin.Device{ClientID: devidp.ClientCLI, Prompt: func(p signin.DevicePrompt) {
		one.Announce(p.Issuer, p.Server, tokencache.Pending{URL: p.VerificationURI, UserCode: p.UserCode, Expires: p.Expires})
		shown <- p
	}}
	var both sync.WaitGroup
	sources := make([]oauth2.TokenSource, 2)
	sign := func(i int, c *tokencache.Cache, flow tokencache.Flow) {
		both.Go(func() {
			source, err := c.SignIn(flow, tokencache.Use{Anew: true}).SignIn(t.Context(), w.request(server))
			if err != nil {
				t.Error(err)
			}
			sources[i] = source
		})
	}
	sign(0, one, first)
	prompt := <-shown
	two := open(t, dir)
	two.Waiting = func(p tokencache.Pending) { told <- p }
	sign(1, two, w.browser(devidp.UserUser))
	if p := <-told; p.URL != prompt.VerificationURI || p.UserCode != prompt.UserCode || !p.Expires.Equal(prompt.Expires) {
		t.Errorf("told %+v", p)
	}
	must(t, w.provider.ApproveDevice(prompt.UserCode, devidp.UserAdmin))
	both.Wait()
	if w.prompts != 0 || access(t, sources[0]) != access(t, sources[1]) {
		t.Errorf("the second asked, too: %d prompts", w.prompts)
	}
}

func TestWhoeverWaitsGoesOnWhenTheOtherGivesUp(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	ctx, giveUp := context.WithCancel(t.Context())
	shown, told := make(chan struct{}), make(chan struct{})
	one, two := open(t, dir), open(t, dir)
	two.Waiting = func(tokencache.Pending) { close(told) }
	var both sync.WaitGroup
	both.Go(func() {
		device := &signin.Device{ClientID: devidp.ClientCLI, Prompt: func(p signin.DevicePrompt) {
			one.Announce(p.Issuer, p.Server, tokencache.Pending{URL: p.VerificationURI})
			close(shown)
		}}
		if _, err := one.SignIn(device, tokencache.Use{}).SignIn(ctx, w.request(server)); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	<-shown
	both.Go(func() {
		source, err := two.SignIn(w.browser(devidp.UserUser), tokencache.Use{}).SignIn(t.Context(), w.request(server))
		if err != nil {
			t.Error(err)
			return
		}
		access(t, source)
	})
	<-told
	giveUp()
	both.Wait()
	if w.prompts != 1 {
		t.Errorf("%d prompts", w.prompts)
	}
}

func TestAFailedSignInLosesNothing(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	before := w.signIn(open(t, dir), server, devidp.UserAdmin)
	no := errors.New("no")
	refuse := flow(func(context.Context, *signin.Request) (oauth2.TokenSource, error) { return nil, no })
	if _, err := open(t, dir).SignIn(refuse, tokencache.Use{Anew: true}).SignIn(t.Context(), w.request(server)); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	if got := kept(t, open(t, dir), server, tokencache.Use{}); access(t, got) != access(t, before) {
		t.Error("the kept sign-in is another")
	}
}

type flow func(context.Context, *signin.Request) (oauth2.TokenSource, error)

func (f flow) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	return f(ctx, r)
}

func TestARefusedTokenIsRefreshedBeforeAnybodyIsAsked(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	w.signIn(open(t, dir), server, devidp.UserAdmin)
	c := open(t, dir)
	tokens := kept(t, c, server, tokencache.Use{})
	r := w.request(server)
	r.Previous, r.Refused = tokens, signin.Secret(access(t, tokens))
	source, err := c.SignIn(w.browser(devidp.UserUser), tokencache.Use{}).SignIn(t.Context(), r)
	if err != nil || w.prompts != 1 || access(t, source) == string(r.Refused) {
		t.Errorf("%d prompts, %v", w.prompts, err)
	}
	if got := access(t, kept(t, open(t, dir), server, tokencache.Use{})); got != access(t, source) {
		t.Error("what the refresh brought is not kept")
	}
}

func TestASignInThatIsOverIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	w, c := newWorld(t, devidp.Options{}), open(t, t.TempDir())
	old := access(t, w.signIn(c, server, devidp.UserUser))
	w.provider.Faults().RevokeSignIns(devidp.UserUser)
	later := func() time.Time { return time.Now().Add(24 * time.Hour) }
	use := tokencache.Use{Resume: signin.ResumeOptions{Now: later}}
	var over error
	source, err := c.SignIn(flowFunc(func(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
		over = r.Over
		return w.browser(devidp.UserUser).SignIn(ctx, r)
	}), use).SignIn(t.Context(), w.request(server))
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(over, signin.ErrNeeded) || access(t, source) == old {
		t.Errorf("asked because of %v", over)
	}

	// A provider that does not answer has not said that it is over.
	w.provider.Faults().SetDown(true)
	prompts := w.prompts
	source, err = c.SignIn(w.browser(devidp.UserUser), use).SignIn(t.Context(), w.request(server))
	if err != nil || w.prompts != prompts {
		t.Fatalf("somebody was asked: %v", err)
	}
	if _, err := source.Token(); err == nil || errors.Is(err, signin.ErrNeeded) {
		t.Errorf("error %v", err)
	}
}

type flowFunc func(context.Context, *signin.Request) (oauth2.TokenSource, error)

func (f flowFunc) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	return f(ctx, r)
}

func TestAccountsAreNeverMixed(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	c := open(t, dir)
	admin := w.signIn(c, server, devidp.UserAdmin).State()
	user := w.signIn(c, server, devidp.UserUser).State()
	all, err := c.SignIns()
	if err != nil || len(all) != 2 || admin.Account.Key() == user.Account.Key() {
		t.Fatalf("%d sign-ins, %v", len(all), err)
	}
	// The last who signed in is chosen, until somebody else is.
	if got := kept(t, c, server, tokencache.Use{}).State(); got.Account != user.Account || got.Access != user.Access {
		t.Errorf("chosen: %v", got.Account)
	}
	for _, k := range all {
		must(t, c.Choose(k))
		if got := kept(t, open(t, dir), server, tokencache.Use{}).State(); got.Account != k.State.Account || got.Access != k.State.Access {
			t.Errorf("chose %v, got %v", k.State.Account, got.Account)
		}
	}
	// One call may be made as another, which changes no choice.
	for _, s := range []signin.State{admin, user} {
		for _, name := range []string{s.Account.Email, s.Account.Subject} {
			if got := kept(t, c, server, tokencache.Use{Account: name}).State(); got.Account != s.Account {
				t.Errorf("asked for %s, got %v", name, got.Account)
			}
		}
	}
	// Each is refreshed by itself.
	access(t, kept(t, open(t, dir, later(hour)), server, tokencache.Use{Account: admin.Account.Email}))
	if got := kept(t, c, server, tokencache.Use{Account: user.Account.Email}).State(); got.Access != user.Access {
		t.Error("the refresh of one changed the other")
	}
	// The one who is chosen signs out. Nobody takes that place unasked.
	for _, k := range all {
		if got, _, _ := c.Find(server, tokencache.Use{}); got.Account == k.State.Account {
			must(t, c.Forget(t.Context(), k, nil))
			break
		}
	}
	if _, found, err := c.Find(server, tokencache.Use{}); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

func TestAnotherAccountThanAskedForIsAnError(t *testing.T) {
	t.Parallel()
	w, dir := newWorld(t, devidp.Options{}), t.TempDir()
	var other *tokencache.AccountError
	_, err := open(t, dir).SignIn(w.browser(devidp.UserUser), tokencache.Use{Account: "admin@example.com"}).SignIn(t.Context(), w.request(server))
	if !errors.As(err, &other) {
		t.Errorf("error %v", err)
	}
}
