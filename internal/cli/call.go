package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

func callCommand(s streams) *cobra.Command {
	c := &callers{caller: caller{streams: s}}
	cmd := &cobra.Command{
		Use:   "call [SERVER] TOOL [NAME=VALUE…] [-- TOOL [NAME=VALUE…]]…",
		Short: "Call tools of an MCP server",
		Long: "Calls a tool and prints its result. Values are read as the tool's schema says:\n\n" +
			"  name=value      text, number, true, null, a choice; again for the next item\n" +
			"                  of an array; a.b=value inside an object\n" +
			"  name:=json      JSON\n" +
			"  name=@file      what stands in a file, name:=@file its JSON; - is stdin,\n" +
			"                  and @@ stands for one @\n" +
			"  @file  or  -    all arguments, as a JSON object\n\n" +
			"Several calls, with -- between them or from --calls, run at the same time. On a terminal, what is missing is asked for.\n" +
			"Ctrl-C cancels at the server too; a second one leaves at once.",
		Example: "  fastmcp-auth call reverse_tool query=Hello\n" +
			"  fastmcp-auth call https://mcp.example.com/mcp get_current_time timezone=UTC\n" +
			"  fastmcp-auth call reverse_tool query=abc -- random_number_tool min=1 max=6\n" +
			"  echo '{\"query\": \"abc\"}' | fastmcp-auth call reverse_tool - --json",
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&c.file, "calls", "", "Read the calls from this `file`: a JSON array of {\"tool\": …, \"arguments\": {…}}, or one such object a line; - is stdin.")
	f.BoolVar(&c.dryRun, "dry-run", false, "Print what would be called, and call nothing.")
	f.StringVarP(&c.output, "output", "o", "", "Write what the tool returns to this `file`, byte for byte; a folder gets a file for each piece.")
	f.StringVar(&c.progress, "progress", progressAuto, "How progress is shown on stderr: `form` auto, plain, json or off.")
	f.DurationVar(&c.timeout, "timeout", time.Minute, "Longest `time` without an answer or progress; 0 means no limit.")
	f.DurationVar(&c.maxTime, "max-time", time.Hour, "Longest `time` of a call, whatever its progress; 0 means no limit.")
	cmd.ValidArgsFunction = completing(offerTools)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd, args) }
	return cmd
}

// callers is the command that calls tools.
type callers struct {
	caller
	file             string
	dryRun           bool
	output, progress string
	timeout, maxTime time.Duration

	ask *asker
}

func (c *callers) run(cmd *cobra.Command, args []string) error {
	server, groups := split(cmd, args)
	groups, err := lateFlags(cmd, groups)
	if err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	if err := c.check(groups); err != nil {
		return &usageError{err, cmd.CommandPath()}
	}
	if err := c.load(cmd, server); err != nil {
		return err
	}
	c.ask = newAsker(c.streams, c.settings.NoInput, c.look())
	if len(groups) == 0 && c.file == "" && c.ask.in == nil {
		return &hintError{code: exitUsage, err: errors.New("which tool?"), hint: `run "fastmcp-auth tools" for what there is`}
	}
	session, err := c.open(cmd.Context(), func(o *client.Options) { o.Answer, o.AnswerTimeout = c.ask.answer, c.timeout })
	if err != nil {
		return err
	}
	defer session.Close()
	list, err := c.tools(cmd.Context(), session)
	if err != nil {
		return err
	}
	calls, err := c.plan(cmd.Context(), list, groups)
	if err != nil {
		return err
	}
	if c.dryRun {
		return c.printPlan(calls)
	}
	return c.callAll(cmd.Context(), session, list, calls)
}

// made is a call that was made.
type made struct {
	planned
	raw    json.RawMessage // of the result
	result callResult
	err    error
}

// callAll makes the calls at the same time, and prints what came of them in their order.
func (c *callers) callAll(ctx context.Context, session *client.Session, list []tool, calls []planned) error {
	w := newWatch(c.progress, c.asJSON, c.err, c.look())
	results := make([]made, len(calls))
	limits := make([]*limit, len(calls))
	contexts := make([]context.Context, len(calls))
	for i := range calls {
		contexts[i], limits[i] = limited(ctx, c.timeout, c.maxTime)
	}
	var held sync.Mutex
	c.hold = func(show func()) {
		held.Lock()
		defer held.Unlock()
		for _, l := range limits {
			defer l.pause()()
		}
		w.hold(show)
	}
	c.ask.hold = c.hold
	var running sync.WaitGroup
	for i, call := range calls {
		bar := &shown{w: w}
		if !call.unlisted {
			bar = w.start(i+1, call.tool.Name)
		}
		running.Go(func() {
			defer limits[i].end()
			results[i] = c.callOne(contexts[i], session, call, func(p client.Progress) {
				limits[i].renew()
				bar.update(p)
			})
			bar.done(results[i].err)
		})
	}
	running.Wait()
	w.close()
	for i := range results {
		if r := &results[i]; r.err != nil && r.unlisted && exitCode(r.err) == exitFailed {
			r.err = c.noTool(r.tool.Name, list)
		}
	}
	return c.finish(results)
}

// callOne makes one call.
func (c *callers) callOne(ctx context.Context, session *client.Session, call planned, hear func(client.Progress)) made {
	m := made{planned: call}
	rounds, err := client.Verbatim(ctx, func(ctx context.Context) error {
		_, err := session.Call(ctx, call.tool.Name, call.arguments, hear)
		return err
	})
	if late := (*timeoutError)(nil); err != nil && errors.As(context.Cause(ctx), &late) {
		m.err = &hintError{code: exitUnreachable, err: fmt.Errorf("%s: %w", call.tool.Name, late), hint: late.hint}
		return m
	}
	if err != nil {
		if q := c.ask.unanswered(); q != "" && ctx.Err() == nil {
			m.err = c.unanswered(call.tool.Name, q)
			return m
		}
		m.err = c.explain(err)
		return m
	}
	if len(rounds) == 0 {
		m.err = fmt.Errorf("%s: the server sent no result", call.tool.Name)
		return m
	}
	m.raw = rounds[len(rounds)-1]
	if err := json.Unmarshal(m.raw, &m.result); err != nil {
		m.err = fmt.Errorf("%s: read the result: %w", call.tool.Name, err)
		return m
	}
	if m.result.IsError {
		m.err = &toolError{tool: call.tool.Name, text: m.result.words()}
	}
	return m
}

// unanswered says that the server asked something in a call where nobody could answer.
func (c *callers) unanswered(tool, question string) error {
	return &hintError{code: exitFailed, err: fmt.Errorf("%s asks: %s", tool, question),
		hint: "run it on a terminal, without --no-input, to answer"}
}

// toolError is an error that the tool itself reported.
type toolError struct{ tool, text string }

func (e *toolError) Error() string {
	if e.text == "" {
		return e.tool + " reports an error"
	}
	return e.tool + ": " + e.text
}
