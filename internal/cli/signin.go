package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/term"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/opener"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// The values of client.flow that ask a person.
const (
	flowAuto    = "auto"
	flowBrowser = "browser"
	flowDevice  = "device"
	flowPaste   = "paste"
)

const (
	newCodes   = 3           // how many codes follow by themselves on one that ran out
	othersTime = time.Minute // for another command that signs in, where nobody may be asked here
)

// authorize fills in where tokens come from: a program's own proof, or a kept sign-in of a person and a way to sign in
// when there is none.
func (c *caller) authorize(hc *http.Client, o *client.Options) error {
	cache, err := c.cache()
	if err != nil {
		return err
	}
	if c.isUnattended() {
		o.SignIn, err = c.unattended(hc)
		return err
	}
	use := c.use(hc)
	tokens, err := cache.Tokens(c.server, use)
	if err != nil {
		return err
	}
	if tokens != nil {
		o.Token = tokens
	}
	o.SignIn = cache.SignIn(c.attended(), use)
	return nil
}

// use says which kept sign-in is wanted.
func (c *caller) use(hc *http.Client) tokencache.Use {
	u := tokencache.Use{
		ClientID: c.settings.Client.ID, Account: c.account, Anew: c.anew,
		Resume: signin.ResumeOptions{HTTPClient: hc},
	}
	if c.settings.NoInput {
		u.Patience = othersTime
	}
	return u
}

// cache is where sign-ins are kept.
func (c *caller) cache() (*tokencache.Cache, error) {
	if c.kept != nil {
		return c.kept, nil
	}
	o := tokencache.Options{Dir: c.settings.StoreDir, Plain: c.settings.Insecure}
	if config.HasKeyring() {
		o.Keyring = tokencache.SystemKeyring()
	}
	cache, err := tokencache.New(o)
	if err != nil {
		return nil, &hintError{err: err, hint: "name a folder with --store-dir"}
	}
	cache.Trouble = c.warn
	cache.Waiting = c.stage.waiting
	c.kept = cache
	return cache, nil
}

// warn tells of what was lost or could not be kept.
func (c *caller) warn(err error) {
	fmt.Fprintf(c.err, "fastmcp-auth: warning: %s\n", plain(err))
	if unkept := (*tokencache.KeepError)(nil); errors.As(err, &unkept) && !c.warned {
		c.warned = true
		fmt.Fprintln(c.err, "fastmcp-auth: hint: name a folder for them with --store-dir; without one a sign-in ends with its command")
	}
}

// attended is how a person signs in.
func (c *caller) attended() tokencache.Flow {
	if c.settings.NoInput {
		return asksNobody{c}
	}
	account := c.account
	if c.anew {
		account = "" // whoever has signed in is asked all the same
	}
	return flowFunc(func(ctx context.Context, r *signin.Request) (source oauth2.TokenSource, err error) {
		ask := func() {
			calledOff := errors.New("called off")
			ctx, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			c.stage.signing(func() { cancel(calledOff) })
			c.stage.reason(r, account)
			source, err = (&registered{c.flowFor(r), c.kept.Clients()}).SignIn(ctx, r)
			if err != nil && context.Cause(ctx) == calledOff {
				err = fmt.Errorf("%w: called off here", signin.ErrDeclined)
			}
			c.stage.close(err)
		}
		if c.hold == nil {
			ask()
		} else {
			c.hold(ask)
		}
		return source, err
	})
}

// flowFor chooses by what is asked for, what the authorization server offers, and where the person sits.
func (c *caller) flowFor(r *signin.Request) tokencache.Flow {
	flow := c.settings.Client.Flow
	if flow == flowAuto {
		switch {
		case config.HasBrowser():
			flow = flowBrowser
		case r.Authorization.DeviceAuthorizationEndpoint != "":
			flow = flowDevice
		case c.hasKeyboard():
			flow = flowPaste
		default:
			flow = flowBrowser // its address is printed, and a person may know a way
		}
	}
	s := &c.settings.Client
	clients, scopes, resource, provider := c.clients(nil), s.Scopes, signin.Resource(s.Resource), s.Preset()
	switch flow {
	case flowDevice:
		return &patient{&signin.Device{Clients: clients, Scopes: scopes, Resource: resource, Provider: provider, Prompt: c.showDevice}, c.stage.again}
	case flowPaste:
		return &signin.Paste{Clients: clients, Scopes: scopes, Resource: resource, Provider: provider, Ask: c.askPaste}
	}
	return &signin.Browser{
		Clients: clients, Scopes: scopes, Resource: resource, Provider: provider, Port: int(s.Port), Prompt: c.showBrowser, Open: open,
		NotOpened: c.notOpened(r),
	}
}

// clients says by which ids this program is known: the configured one, else by its document, else by registering.
func (c *caller) clients(proof signin.Authentication) signin.Clients {
	s := &c.settings.Client
	all := signin.Clients{
		DocumentURL: s.DocumentURL,
		Register:    &oauth.ClientMetadata{ClientName: "fastmcp-auth"},
		Registry:    c.kept.Clients(),
	}
	if c.again {
		all.Registry = unread{all.Registry}
	}
	if s.ID != "" {
		all.Known = []signin.Client{{Issuer: s.Issuer, ID: s.ID, Proof: proof}}
	}
	return all
}

func (c *caller) showDevice(p signin.DevicePrompt) {
	c.kept.Announce(p.Issuer, p.Server, tokencache.Pending{URL: p.VerificationURI, UserCode: p.UserCode, Expires: p.Expires})
	c.stage.device(p)
}

func (c *caller) showBrowser(p signin.BrowserPrompt) {
	c.kept.Announce(p.Issuer, p.Server, tokencache.Pending{URL: p.URL, Expires: p.Expires})
	c.stage.browser(p)
}

// notOpened says that no browser opens, and how else to sign in. Where nobody sees that, nobody will come back either.
func (c *caller) notOpened(r *signin.Request) func(error) error {
	way := "--paste"
	if r.Authorization.DeviceAuthorizationEndpoint != "" {
		way = "--device"
	}
	other := fmt.Sprintf("run %q", "fastmcp-auth login "+way+" "+c.server)
	return func(err error) error {
		if !c.isSeen() {
			return &hintError{code: exitSignIn, err: err, hint: other + " to sign in without a browser on this machine"}
		}
		c.stage.notOpened(err, other)
		return nil
	}
}

// isSeen reports whether somebody sees what is said.
func (c *caller) isSeen() bool {
	f, ok := c.err.(*os.File)
	return c.stage.chat != nil || c.hasKeyboard() || ok && term.IsTerminal(int(f.Fd()))
}

// askPaste shows the page and reads one line.
func (c *caller) askPaste(ctx context.Context, p signin.PastePrompt) (string, error) {
	c.kept.Announce(p.Issuer, p.Server, tokencache.Pending{URL: p.URL})
	if c.stage.chat != nil {
		values, _, err := c.stage.chat.Ask(ctx, tui.Form{
			Title: "Sign in to " + p.Server, Text: "Open, in any browser,\n\n  " + p.URL + "\n\nIt ends at an address that begins with " + p.RedirectURI + " and may show an error. Paste that address here.",
			Fields: []tui.Field{{Name: "address", Kind: "text", Required: true}}, Actions: []string{"Sign in"},
		})
		if err != nil {
			return "", err
		}
		return values[0], nil
	}
	if c.in == nil {
		return "", errors.New("stdin carries the protocol, so no address can be pasted: sign in before, with login --paste")
	}
	c.stage.paste(p)
	return readLine(ctx, c.in)
}

func (c *caller) hasKeyboard() bool {
	f, ok := c.in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// open opens a page: with what BROWSER names, else as the system does. It returns when the program that opens it ends, and an
// error where that says that it failed. C-23: no shell sees the address.
func open(ctx context.Context, page string) error {
	address, err := opener.Check(page)
	if err != nil {
		return err
	}
	var failed []string
	tried := false
	for _, command := range config.Browsers() {
		path, err := exec.LookPath(command[0])
		if err != nil {
			failed = append(failed, command[0]+" is not there")
			continue
		}
		args, placed := command[1:], false
		for i, word := range args {
			if strings.Contains(word, "%s") {
				args[i], placed = strings.ReplaceAll(word, "%s", address), true
			}
		}
		if !placed {
			args = append(args, address)
		}
		tried = true
		if err = opener.Command(ctx, path, args...); err == nil || ctx.Err() != nil {
			return err
		}
		failed = append(failed, plain(err))
	}
	if !tried { // what the system opens pages with may itself ask BROWSER, so not after a failure
		if err = opener.Run(ctx, page); err == nil || ctx.Err() != nil {
			return err
		}
		failed = append(failed, plain(err))
	}
	return errors.New(strings.Join(failed, "; "))
}

type flowFunc func(context.Context, *signin.Request) (oauth2.TokenSource, error)

func (f flowFunc) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	return f(ctx, r)
}

// asksNobody is how to sign in where there is nobody to ask.
type asksNobody struct{ c *caller }

func (n asksNobody) SignIn(_ context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	if r.StepUp && r.Challenge != nil {
		return nil, &client.ScopeError{Server: r.Server, Challenge: r.Challenge}
	}
	needed := &client.UnauthorizedError{Server: r.Server, Challenge: r.Challenge, Refused: r.Refused != ""}
	switch {
	case r.Over != nil:
		return nil, &overError{server: r.Server, why: r.Over}
	case n.c.account != "" && !needed.Refused:
		return nil, &absentError{account: n.c.account, server: r.Server}
	}
	return nil, needed
}

// unread keeps registrations, and does not know those that are kept.
type unread struct{ signin.Registry }

func (unread) Registered(string) (signin.Registered, bool) { return signin.Registered{}, false }

// overError is a kept sign-in that the authorization server takes no more.
type overError struct {
	server string
	why    error
}

func (e *overError) Error() string {
	return fmt.Sprintf("the sign-in to %s is over: %v", e.server, e.why)
}
func (e *overError) Unwrap() error { return e.why }

// absentError is an account that is to call, and has not signed in.
type absentError struct{ account, server string }

func (e *absentError) Error() string {
	return fmt.Sprintf("%s is not signed in to %s", e.account, e.server)
}
func (e *absentError) Is(target error) bool { return target == client.ErrSignInNeeded }

// registered registers anew, once, where the authorization server no longer knows the program.
type registered struct {
	inner   tokencache.Flow
	clients interface {
		Registered(issuer string) (signin.Registered, bool)
		Forget(issuer string) error
	}
}

func (g *registered) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	issuer := r.Authorization.Issuer
	before, _ := g.clients.Registered(issuer)
	source, err := g.inner.SignIn(ctx, r)
	refused := (*signin.Error)(nil)
	if before.ID == "" || !errors.As(err, &refused) || refused.Code != oauth.CodeInvalidClient {
		return source, err
	}
	if now, _ := g.clients.Registered(issuer); now.ID == before.ID {
		if err := g.clients.Forget(issuer); err != nil {
			return nil, err
		}
	}
	return g.inner.SignIn(ctx, r)
}

// patient asks for another code when one runs out, a few times.
type patient struct {
	inner tokencache.Flow
	again func()
}

func (p *patient) SignIn(ctx context.Context, r *signin.Request) (oauth2.TokenSource, error) {
	for left := newCodes; ; left-- {
		source, err := p.inner.SignIn(ctx, r)
		if left == 0 || !errors.Is(err, signin.ErrExpired) {
			return source, err
		}
		p.again()
	}
}
