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

	"github.com/spf13/cobra"

	"github.com/fastmcp-auth/fastmcp-auth/internal/arguments"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// planned is one call before it is made.
type planned struct {
	tool      *tool
	arguments map[string]any
	unlisted  bool // the server does not list it; it may answer all the same
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
