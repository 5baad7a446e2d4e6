package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/internal/app"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func demoCommand(s streams) *cobra.Command {
	d := &demo{streams: s}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a sign-in, a protected tool and two refusals",
		Long: "Starts the development provider and a protected server, signs in through the device flow as a person would, lists the\n" +
			"tools, calls two of them with live progress, and shows a request refused without a token and one with too little scope.\n" +
			"Both stay up afterwards, with what to try next.",
		Example: "  fastmcp-auth demo\n  fastmcp-auth demo --once --yes",
		Args:    usageArgs(cobra.NoArgs),
	}
	config.Flags(cmd.Flags(), config.Demo)
	cmd.Flags().BoolVar(&d.once, "once", false, "End after the calls, with exit code 0.")
	cmd.Flags().BoolVar(&d.yes, "yes", false, "Approve the sign-in by itself, as a person would on the page.")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings, err := config.Load(config.Source{Command: config.Demo, Flags: cmd.Flags(), Tools: app.ToolNames()})
		if err != nil {
			return err
		}
		d.settings = settings
		return d.run(cmd.Context())
	}
	return cmd
}

// demo is a tour of the product with nobody's account.
type demo struct {
	streams
	settings  *config.Settings
	once, yes bool

	look   tui.Options
	steps  *tui.Steps
	server *app.Server
	at     app.Addresses

	cancel        context.CancelFunc // ends the tour
	tokenEndpoint string
	screen        *tui.Screen // the sign-in that is shown, or nil
}

// The two people of the tour: one who may call everything, one who may only read the time.
const (
	demoPerson = devidp.UserAdmin
	demoReader = devidp.UserReader
)

func (d *demo) run(ctx context.Context) error {
	d.look = d.terminal()
	d.steps = tui.NewSteps(d.err, d.look)
	d.steps.Heading("A protected MCP server, with nobody's account")
	if err := d.start(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d.cancel = stop
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.server.Run(ctx) })
	group.Go(func() error {
		if err := d.tour(ctx); err != nil {
			return err
		}
		if d.once {
			stop()
			return nil
		}
		d.next()
		<-ctx.Done()
		return nil
	})
	err := group.Wait()
	if cut := (*app.CutOffError)(nil); errors.As(err, &cut) {
		return nil // the person ended the tour in the middle of a call
	}
	return err
}

// start brings up provider and server. Where the usual port is taken and nobody asked for it, any other will do.
func (d *demo) start(ctx context.Context) error {
	options := app.Options{Version: version(), Logger: logger(d.settings, d.err)}
	server, err := app.Listen(ctx, d.settings, options)
	if err != nil && inUse(err) && d.settings.IsDefault("addr") {
		d.steps.Text(d.settings.Addr + " is taken, so the server takes a free port.")
		d.settings.Addr = "127.0.0.1:0"
		server, err = app.Listen(ctx, d.settings, options)
	}
	if err != nil {
		return mendable(err)
	}
	d.server, d.at = server, server.Addresses()
	d.steps.OK("the development identity provider is up", d.at.Issuer)
	d.steps.OK("the MCP server is up", d.at.MCP)
	return nil
}

func inUse(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && strings.Contains(op.Err.Error(), "address already in use")
}

func (d *demo) tour(ctx context.Context) error {
	for _, stop := range []func(context.Context) error{d.withoutToken, d.signedIn, d.tooLittleScope} {
		if err := stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// withoutToken shows the answer that tells a client where to sign in.
func (d *demo) withoutToken(ctx context.Context) error {
	d.steps.Heading("A call without a token")
	_, err := client.Connect(ctx, d.at.MCP, client.Options{})
	refused := (*client.UnauthorizedError)(nil)
	if !errors.As(err, &refused) {
		return fmt.Errorf("a call without a token should be refused with 401, but: %w", orAnswered(err))
	}
	d.steps.Refused("401 Unauthorized", "the challenge says where to sign in and for what")
	d.steps.Facts(challengeFacts(refused.Challenge)...)
	found, err := client.Discover(ctx, nil, d.at.MCP, refused.Challenge)
	if err != nil {
		return err
	}
	d.tokenEndpoint = found.Authorization.TokenEndpoint
	return nil
}

// signedIn signs in, lists the tools and calls two.
func (d *demo) signedIn(ctx context.Context) error {
	d.steps.Heading("Sign in")
	session, err := client.Connect(ctx, d.at.MCP, client.Options{ClientVersion: version(), SignIn: d.device()})
	d.closeScreen(ctx, err)
	if err != nil {
		return signInFailed(err)
	}
	defer session.Close()
	d.steps.Heading("The tools")
	list, err := session.Tools(ctx)
	if err != nil {
		return err
	}
	for _, t := range list {
		d.steps.OK(t.Name, t.Description)
	}
	d.steps.Heading("A protected call, with live progress")
	if err := d.call(ctx, session, "reverse_tool", map[string]any{"query": "Hello, protected world 👋🏽"}); err != nil {
		return err
	}
	return d.call(ctx, session, "convert_time", map[string]any{
		"source_timezone": "Europe/Berlin", "time": "09:30", "target_timezone": "Asia/Kathmandu",
	})
}

// signInFailed says what to do when nobody signed in.
func signInFailed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &hintError{code: exitSignIn, err: fmt.Errorf("sign in: %w", err), hint: `run "fastmcp-auth demo" again and choose somebody on the page, or press Enter`}
}

// call calls one tool under a bar and shows what it answered.
func (d *demo) call(ctx context.Context, session *client.Session, tool string, args map[string]any) error {
	bars := tui.NewBars(d.err, d.look)
	bar := bars.Start(tool)
	result, err := session.Call(ctx, tool, args, func(p client.Progress) { bar.Update(p.Done, p.Total, p.Message) })
	if err == nil && result.IsError {
		err = &hintError{code: exitToolError, err: fmt.Errorf("%s: %s", tool, client.Text(result))}
	}
	bar.Done(err)
	bars.Close()
	if lacking := (*client.ScopeError)(nil); errors.As(err, &lacking) {
		d.steps.Refused(tool+" is not for whom you chose", "it needs the scope "+strings.Join(lacking.Challenge.Scopes, " ")+"; "+demoPerson+" has all")
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := json.MarshalIndent(result.StructuredContent, "", "  ")
	if err != nil {
		return err
	}
	d.steps.Code(string(answer))
	return nil
}

// tooLittleScope signs somebody else in, who may only read the time, and calls what that does not cover.
func (d *demo) tooLittleScope(ctx context.Context) error {
	d.steps.Heading("A call with too little scope")
	session, err := client.Connect(ctx, d.at.MCP, client.Options{SignIn: &signin.Device{
		ClientID: d.at.ClientID,
		Scopes:   []string{d.at.ScopePrefix + "time:read"},
		Prompt:   func(p signin.DevicePrompt) { d.server.ApproveDevice(p.UserCode, demoReader) },
	}})
	if err != nil {
		return fmt.Errorf("sign in as %s: %w", demoReader, err)
	}
	defer session.Close()
	d.steps.OK("signed in as "+demoReader, "who holds the scope time:read and nothing else")
	result, err := session.Call(ctx, "get_current_time", map[string]any{"timezone": "Asia/Tokyo"}, nil)
	if err != nil {
		return err
	}
	d.steps.OK("get_current_time is allowed", client.Text(result))
	_, err = session.Call(ctx, "reverse_tool", map[string]any{"query": "abc"}, nil)
	refused := (*client.ScopeError)(nil)
	if !errors.As(err, &refused) {
		return fmt.Errorf("a call with too little scope should be refused with 403, but: %w", orAnswered(err))
	}
	d.steps.Refused("reverse_tool: 403 Forbidden", "the challenge names every scope the call needs")
	d.steps.Facts(challengeFacts(refused.Challenge)...)
	return nil
}

// terminal says how to draw on stderr.
func (d *demo) terminal() tui.Options {
	f, ok := d.err.(*os.File)
	if !ok {
		return tui.Options{}
	}
	return tui.OptionsFor(f, config.Terminal)
}

var errAnswered = errors.New("it was answered")

func orAnswered(err error) error {
	if err == nil {
		return errAnswered
	}
	return err
}
