// Package cli is the command line: it parses, asks the rooms behind it, and prints.
//
// It holds no rule of its own. Results go to stdout; everything said to a person goes to stderr.
//
//	serve     the tools behind sign-in             serve.go reload.go notify.go
//	health    whether a server on this machine answers  health.go
//	idp       the development provider, alone      idp.go
//	demo      both, and a person signing in        demo.go
//	policy    who may call what, and by which rule policy.go
//	config    each setting and where it came from  config.go
//	login     sign in to a server                  login.go
//	logout    end a sign-in                        logout.go
//	accounts  who has signed in, and who calls     accounts.go
//	whoami    who calls, for what and how long     whoami.go
//	token     an access token                      token.go
//	doctor    the broken leg between here and a tool doctor.go
//	explain   what a token is, and what a server says of it explain.go
//	tools     what a server offers to call         tools.go
//	resources what a server lets one read, and read resources.go
//	prompts   what a server offers to say, and prompt  prompts.go
//	servers   servers that have a name             servers.go
//	man       manual pages                         man.go
//	completion  what a shell offers on Tab         completion.go
//	connect   a server over HTTP for a stdio client connect.go
//	agent     a language model with tools          agent.go agent_model.go agent_shot.go agent_screen.go agent_commands.go
//	call      call tools of a server               call.go call_plan.go call_results.go ask.go limit.go progress.go result.go
//
// What all that call a server have in common stands in session.go: settings and connection; signin.go and unattended.go: how
// to sign in; stage.go: what is shown meanwhile.
//
// usage.go says how a command is called, and misuse.go what is wrong with how it was; errors.go is the one place where an error becomes a line on the terminal and an exit code.
package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs the command that args name, until it is done or ctx ends, and returns the exit code of the process.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	s := streams{in: in, out: &watched{w: out}, err: errOut}
	root := &cobra.Command{
		Use:   "fastmcp-auth",
		Short: "Sign-in for MCP tools",
		Long: "fastmcp-auth serves MCP tools to signed-in people and agents: it accepts only tokens of your identity provider.\n" +
			"Without any account it runs against a development provider of its own.",
		Example: "  fastmcp-auth demo                           see all of it in a minute\n" +
			"  fastmcp-auth serve                          serve tools, no account needed\n" +
			"  fastmcp-auth call reverse_tool query=Hello  sign in and call one of them",
		Version: version(),
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(s.out)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetErr(errOut)
	root.SetUsageFunc(usage)
	root.SetHelpFunc(help)
	root.SetFlagErrorFunc(misread)
	for _, of := range []struct {
		group    string
		commands []*cobra.Command
	}{
		{"Serve tools", []*cobra.Command{demoCommand(s), serveCommand(s), idpCommand(s), policyCommand(s), configCommand(s), healthCommand()}},
		{"Sign in", []*cobra.Command{loginCommand(s), logoutCommand(s), accountsCommand(s), whoamiCommand(s), tokenCommand(s)}},
		{"Use tools", []*cobra.Command{callCommand(s), toolsCommand(s), resourcesCommand(s), readCommand(s), promptsCommand(s), promptCommand(s),
			agentCommand(s), connectCommand(s), serversCommand(s)}},
		{"When something is wrong", []*cobra.Command{doctorCommand(s), explainCommand(s)}},
	} {
		root.AddGroup(&cobra.Group{ID: of.group, Title: of.group})
		for _, c := range of.commands {
			c.GroupID = of.group
		}
		root.AddCommand(of.commands...)
	}
	root.AddCommand(manCommand(s))
	root.SetHelpCommand(helpCommand())
	strictCompletion(root)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		offerWords(root)
	}
	ran, err := root.ExecuteContextC(ctx)
	if usage := (*usageError)(nil); errors.As(err, &usage) && usage.command == "" {
		usage.command = ran.CommandPath()
	}
	if unread := s.out.(*watched).err; unread != nil && (err == nil || errors.Is(err, unread)) {
		err = errors.New(unread.Error()) // a reader that went away is no server that did
	}
	switch {
	case err == nil:
	case wantsJSON(ran):
		reportJSON(errOut, err)
	default:
		report(errOut, err)
	}
	return exitCode(err)
}

// wantsJSON reports whether cmd was asked for JSON.
func wantsJSON(cmd *cobra.Command) bool {
	f := cmd.Flags().Lookup("json")
	return f != nil && f.Value.String() == "true"
}

// watched remembers the first write that failed: help that nobody could read is a failure too.
type watched struct {
	w   io.Writer
	err error
}

func (o *watched) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}
