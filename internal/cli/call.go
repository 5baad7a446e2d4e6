package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

func callCommand(s streams) *cobra.Command {
	c := &callers{caller: caller{streams: s}}
	cmd := &cobra.Command{
		Use:   "call [SERVER] TOOL [NAME=VALUE…] [-- TOOL [NAME=VALUE…]]…",
		Short: "Call tools of an MCP server",
		Long: "Calls a tool and prints its result. Values are read as the tool's schema says:\n\n" +
			"  name=value      text, number, true, null, a choice; again for the next item of an array; a.b=value inside an object\n" +
			"  name:=json      JSON\n" +
			"  name=@file      what stands in a file, name:=@file its JSON; - is stdin, and @@ stands for one @\n" +
			"  @file  or  -    all arguments, as a JSON object\n\n" +
			"Several calls, with -- between them or from --calls, run at the same time. On a terminal, what is missing is asked for.\n" +
			"Ctrl-C cancels at the server too; a second one leaves at once.",
		Example: "  fastmcp-auth call reverse_tool query=Hello\n" +
			"  fastmcp-auth call https://mcp.example.com/mcp convert_time source_timezone=UTC time=09:30 target_timezone=Asia/Tokyo\n" +
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

// planned is one call before it is made.
type planned struct {
	tool      *tool
	arguments map[string]any
	unlisted  bool // the server does not list it; it may answer all the same
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
	session, err := c.open(cmd.Context(), func(o *client.Options) { o.Answer = c.ask.answer })
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

// split takes the server from the front, and cuts the rest at each "--".
func split(cmd *cobra.Command, args []string) (server string, groups [][]string) {
	first, rest := args, []string(nil)
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		first, rest = args[:dash], args[dash:]
	}
	server, first = serverFirst(first)
	if len(first) > 0 {
		groups = append(groups, first)
	}
	for len(rest) > 0 {
		i := slices.Index(rest, "--")
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			groups = append(groups, rest[:i])
		}
		rest = rest[min(i+1, len(rest)):]
	}
	return server, groups
}

// lateFlags sets the flags that stand behind a "--" between calls, where people put them too: no argument looks like one.
func lateFlags(cmd *cobra.Command, groups [][]string) ([][]string, error) {
	var late []string
	var kept [][]string
	for _, g := range groups {
		var words []string
		for i := 0; i < len(g); i++ {
			name, _, hasValue := strings.Cut(strings.TrimLeft(g[i], "-"), "=")
			flag := cmd.Flags().Lookup(name)
			if len(name) == 1 {
				flag = cmd.Flags().ShorthandLookup(name)
			}
			if flag == nil || !strings.HasPrefix(g[i], "-") {
				words = append(words, g[i])
				continue
			}
			late = append(late, g[i])
			if !hasValue && flag.NoOptDefVal == "" && i+1 < len(g) {
				i++
				late = append(late, g[i])
			}
		}
		if len(words) > 0 {
			kept = append(kept, words)
		}
	}
	if len(late) == 0 {
		return groups, nil
	}
	return kept, cmd.Flags().Parse(late)
}

func (c *callers) check(groups [][]string) error {
	switch {
	case !slices.Contains([]string{progressAuto, progressPlain, progressJSON, progressOff}, c.progress):
		return fmt.Errorf("--progress: %q is not one of auto, plain, json, off", c.progress)
	case c.timeout < 0:
		return errors.New("--timeout: a time is not negative")
	case c.maxTime < 0:
		return errors.New("--max-time: a time is not negative")
	case c.output != "" && c.asJSON:
		return errors.New("--output and --json exclude each other: --json prints all of the result")
	case c.file != "" && len(groups) > 0:
		return errors.New("--calls and calls on the command line exclude each other")
	}
	for _, g := range groups {
		if strings.Contains(g[0], "=") {
			return fmt.Errorf("a call begins with the name of a tool, not with %q", g[0])
		}
	}
	return nil
}

// maxCalls bounds what one command calls.
const maxCalls = 1000

// plan reads what is to be called. Every fault of every call is said at once.
func (c *callers) plan(ctx context.Context, list []tool, groups [][]string) ([]planned, error) {
	if c.file != "" {
		return c.planFile(list)
	}
	if len(groups) == 0 {
		i, err := c.ask.tool(ctx, list)
		if err != nil {
			return nil, err
		}
		args, err := c.ask.arguments(ctx, &list[i], nil)
		return []planned{{tool: &list[i], arguments: args}}, err
	}
	var calls []planned
	var faults []error
	files := arguments.Files{Stdin: c.in, Open: func(name string) (io.ReadCloser, error) { return os.Open(name) }}
	for _, g := range groups {
		call, err := c.planOne(ctx, list, g, files)
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return nil, err
			}
			faults = append(faults, err)
			continue
		}
		calls = append(calls, call)
	}
	return calls, errors.Join(faults...)
}

func (c *callers) planOne(ctx context.Context, list []tool, words []string, files arguments.Files) (planned, error) {
	call := planned{tool: find(list, words[0])}
	if call.tool == nil {
		if c.dryRun {
			return call, c.noTool(words[0], list)
		}
		call.tool, call.unlisted = &tool{Name: words[0], schema: &arguments.Schema{Open: true}}, true
	}
	args, err := arguments.Parse(call.tool.Name, call.tool.schema, words[1:], files)
	call.arguments = args
	var faults *arguments.Faults
	switch {
	case errors.As(err, &faults) && faults.OnlyMissing() && c.ask.in != nil && !c.dryRun:
		call.arguments, err = c.ask.arguments(ctx, call.tool, faults.Given)
	case err != nil:
		err = c.wrong(call.tool, err)
	}
	return call, err
}

// wrong says what is wrong with arguments, and what the tool takes.
func (c *callers) wrong(t *tool, err error) error {
	return &hintError{code: exitUsage, err: err, hint: tui.Clean(arguments.Signature(t.Name, t.schema)) + fmt.Sprintf("; run %q", "fastmcp-auth tools "+t.Name)}
}

// planFile reads the calls of --calls.
func (c *callers) planFile(list []tool) ([]planned, error) {
	var from io.Reader = c.in
	if c.file != "-" {
		f, err := os.Open(c.file)
		if err != nil {
			return nil, &hintError{code: exitUsage, err: err}
		}
		defer f.Close()
		from = f
	}
	written, err := readCalls(from)
	if err != nil {
		return nil, &hintError{code: exitUsage, err: fmt.Errorf("--calls %s: %w", c.file, err)}
	}
	var calls []planned
	var faults []error
	for _, w := range written {
		call := planned{tool: find(list, w.Tool)}
		if call.tool == nil {
			faults = append(faults, c.noTool(w.Tool, list))
			continue
		}
		if call.arguments, err = arguments.Check(w.Tool, call.tool.schema, w.arguments); err != nil {
			faults = append(faults, c.wrong(call.tool, err))
			continue
		}
		calls = append(calls, call)
	}
	return calls, errors.Join(faults...)
}

// written is a call as a file says it.
type written struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
	arguments map[string]any
}

// readCalls reads a JSON array of calls, or calls one after the other.
func readCalls(r io.Reader) ([]written, error) {
	d := json.NewDecoder(io.LimitReader(r, 32<<20))
	var calls []written
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		var some []written
		if len(raw) > 0 && raw[0] == '[' {
			if err := json.Unmarshal(raw, &some); err != nil {
				return nil, err
			}
		} else {
			var one written
			if err := json.Unmarshal(raw, &one); err != nil {
				return nil, err
			}
			some = []written{one}
		}
		if calls = append(calls, some...); len(calls) > maxCalls {
			return nil, fmt.Errorf("there are more than %d calls", maxCalls)
		}
	}
	for i := range calls {
		w := &calls[i]
		if w.Tool == "" {
			return nil, fmt.Errorf("call %d names no tool", i+1)
		}
		w.arguments = map[string]any{}
		if len(w.Arguments) == 0 {
			continue
		}
		args, err := arguments.Object(w.Arguments)
		if err != nil {
			return nil, fmt.Errorf("the arguments of call %d: %w", i+1, err)
		}
		w.arguments = args
	}
	if len(calls) == 0 {
		return nil, errors.New("there is no call in it")
	}
	return calls, nil
}

// printPlan prints the params of tools/call for each call: one document for one, an array for several.
func (c *callers) printPlan(calls []planned) error {
	var all []map[string]any
	for _, call := range calls {
		all = append(all, map[string]any{"name": call.tool.Name, "arguments": call.arguments})
	}
	var doc any = all
	if len(all) == 1 {
		doc = all[0]
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("print the call: %w", err)
	}
	return (&paper{out: c.out}).document(raw)
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

// words are the texts of a result on one line.
func (r *callResult) words() string {
	var all []string
	for _, c := range r.Content {
		if c.Text != nil {
			all = append(all, tui.Clean(*c.Text))
		}
	}
	return strings.Join(all, " ")
}

// finish prints the results and returns the first error.
func (c *callers) finish(results []made) error {
	if c.asJSON {
		return errors.Join(c.printJSON(results), firstError(results))
	}
	p := &paper{out: c.out, err: c.err, output: c.output}
	for i := range results {
		r := &results[i]
		if len(results) > 1 {
			if err := p.heading(r.tool.Name); err != nil {
				return err
			}
		}
		if r.err != nil {
			if len(results) > 1 {
				p.note("%s", tui.Clean(r.err.Error()))
			}
			continue
		}
		if err := p.result(&r.result); err != nil {
			return err
		}
	}
	if failed := firstError(results); len(results) > 1 && failed != nil && exitCode(failed) != exitCancelled {
		return &hintError{code: exitCode(failed), err: fmt.Errorf("%d of %d calls failed", failures(results), len(results)), hint: strings.Join(hintsOf(failed), "; ")}
	}
	return firstError(results)
}

func failures(results []made) (n int) {
	for i := range results {
		if results[i].err != nil {
			n++
		}
	}
	return n
}

// printJSON prints one document: of one call its result, of several an array in their order.
func (c *callers) printJSON(results []made) error {
	p := &paper{out: c.out}
	if len(results) == 1 {
		if results[0].raw == nil {
			return nil
		}
		return p.document(results[0].raw)
	}
	type entry struct {
		Tool   string          `json:"tool"`
		Result json.RawMessage `json:"result,omitempty"`
		Error  *errorLine      `json:"error,omitempty"`
	}
	var all []entry
	for i := range results {
		e := entry{Tool: results[i].tool.Name, Result: results[i].raw}
		if results[i].err != nil {
			e.Error = errorLineOf(results[i].err)
		}
		all = append(all, e)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	return p.document(raw)
}

// firstError is the error of the first call that has one, and its exit code is the command's.
func firstError(results []made) error {
	for i := range results {
		if results[i].err != nil {
			return results[i].err
		}
	}
	return nil
}
