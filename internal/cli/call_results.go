package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

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
				p.note("%s", tui.Clean(plain(r.err)))
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
