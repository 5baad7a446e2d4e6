//lint:file-ignore SA1019 Servers in the field go on using sampling, roots and logging.

package client

import (
	"context"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// What a server may list, over all pages together.
const (
	maxItems = 10_000
	maxPages = 1_000
)

// Tools lists what the caller may call, from all pages.
func (s *Session) Tools(ctx context.Context) ([]*mcp.Tool, error) {
	tools, err := collect(ctx, func(ctx context.Context, cursor string) ([]*mcp.Tool, string, error) {
		page, err := s.session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Tools, page.NextCursor, nil
	})
	return tools, s.explain("list tools", err)
}

// Resources lists what the caller may read, from all pages.
func (s *Session) Resources(ctx context.Context) ([]*mcp.Resource, error) {
	resources, err := collect(ctx, func(ctx context.Context, cursor string) ([]*mcp.Resource, string, error) {
		page, err := s.session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Resources, page.NextCursor, nil
	})
	return resources, s.explain("list resources", err)
}

// Read fetches the resource with the given URI.
func (s *Session) Read(ctx context.Context, uri string) (*mcp.ReadResourceResult, error) {
	result, err := s.session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	return result, s.explain("read "+uri, err)
}

// Templates lists the kinds of resources whose URIs the caller may fill in, from all pages.
func (s *Session) Templates(ctx context.Context) ([]*mcp.ResourceTemplate, error) {
	templates, err := collect(ctx, func(ctx context.Context, cursor string) ([]*mcp.ResourceTemplate, string, error) {
		page, err := s.session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.ResourceTemplates, page.NextCursor, nil
	})
	return templates, s.explain("list resource templates", err)
}

// Prompts lists the prompts that the caller may get, from all pages.
func (s *Session) Prompts(ctx context.Context) ([]*mcp.Prompt, error) {
	prompts, err := collect(ctx, func(ctx context.Context, cursor string) ([]*mcp.Prompt, string, error) {
		page, err := s.session.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor})
		if err != nil {
			return nil, "", err
		}
		return page.Prompts, page.NextCursor, nil
	})
	return prompts, s.explain("list prompts", err)
}

// Prompt gets the prompt called name, filled with arguments, which may be nil.
func (s *Session) Prompt(ctx context.Context, name string, arguments map[string]string) (*mcp.GetPromptResult, error) {
	result, err := s.session.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: arguments})
	return result, s.explain(fmt.Sprintf("get the prompt %q", name), err)
}

// Complete asks the server how an argument of a prompt, or a variable of a resource template, may go on.
func (s *Session) Complete(ctx context.Context, params *mcp.CompleteParams) (*mcp.CompleteResult, error) {
	result, err := s.session.Complete(ctx, params)
	return result, s.explain("complete", err)
}

// Subscribe lets Options.OnUpdate hear of changes of the resource with the given URI, until Unsubscribe or Close.
func (s *Session) Subscribe(ctx context.Context, uri string) error {
	return s.explain("subscribe to "+uri, s.session.Subscribe(ctx, &mcp.SubscribeParams{URI: uri}))
}

// Unsubscribe ends what Subscribe began. It is no error when nothing began.
func (s *Session) Unsubscribe(ctx context.Context, uri string) error {
	return s.explain("unsubscribe from "+uri, s.session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: uri}))
}

// SetLogLevel asks a server of a revision before 2026-07-28 for what it logs, from level on: "debug", "info", "warning",
// "error". Options.OnLog hears it.
func (s *Session) SetLogLevel(ctx context.Context, level string) error {
	err := s.session.SetLoggingLevel(ctx, &mcp.SetLoggingLevelParams{Level: mcp.LoggingLevel(level)})
	return s.explain("set the log level", err)
}

// Ping asks whether the server is there. Revision 2026-07-28 knows no such request.
func (s *Session) Ping(ctx context.Context) error {
	return s.explain("ping", s.session.Ping(ctx, nil))
}

// collect joins the pages of a list, which together are bounded, too.
func collect[T any](ctx context.Context, page func(ctx context.Context, cursor string) ([]T, string, error)) ([]T, error) {
	l := &listed{}
	l.left.Store(maxListed)
	ctx = context.WithValue(ctx, listedKey{}, l)
	var all []T
	for cursor, n := "", 0; ; n++ {
		items, next, err := page(ctx, cursor)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if len(all) > maxItems || n > maxPages {
			return nil, fmt.Errorf("the server lists more than %d on %d pages", maxItems, maxPages)
		}
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}
