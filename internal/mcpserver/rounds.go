//lint:file-ignore SA1019 Clients in the field go on using sampling, roots and logging.

package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"golang.org/x/sync/errgroup"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// maxRounds is how often one call may ask a client within a session.
const maxRounds = 10

// round is one call of a tool or prompt: what it asks the client for, nil if it is done, and where its result keeps
// what it wants to remember.
type round func() (asks mcp.InputRequestMap, state *string, err error)

// inRounds calls until nothing more is asked. A client of the modern era brings the answers itself, with the state,
// which is sealed for the way there and back; a client in a session is asked within the call.
func (h *Handler) inRounds(ctx context.Context, session *mcp.ServerSession, rq *request, c *toolbox.Client, to string, next round) error {
	for range maxRounds {
		asks, state, err := next()
		if err != nil || asks == nil {
			return err
		}
		if lacks := lacking(c.Capabilities, asks); lacks != nil {
			return &toolbox.CapabilityError{Required: lacks}
		}
		if rq.session == nil {
			if *state != "" {
				*state = h.states.seal(*state, to)
			}
			return nil
		}
		if c.Answers, err = ask(ctx, session, asks); err != nil {
			if ctx.Err() != nil {
				return toolbox.ErrCancelled
			}
			h.logger.LogAttrs(ctx, slog.LevelInfo, "client did not answer", slog.String("request_id", rq.id), slog.Any("cause", err))
			return (&rpcError{Code: codeServer, Message: "the client did not answer what it was asked"}).wire(rq.id)
		}
		c.State = *state
	}
	return fmt.Errorf("it asked the client more than %d times", maxRounds)
}

// ask sends the client of a session all requests of one round and waits for the answers.
func ask(ctx context.Context, session *mcp.ServerSession, asks mcp.InputRequestMap) (mcp.InputResponseMap, error) {
	group, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	answers := mcp.InputResponseMap{}
	for key, request := range asks {
		group.Go(func() error {
			answer, err := askOne(ctx, session, request)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answers[key] = answer
			return nil
		})
	}
	return answers, group.Wait()
}

func askOne(ctx context.Context, session *mcp.ServerSession, request mcp.InputRequest) (mcp.InputResponse, error) {
	switch p := request.(type) {
	case *mcp.ElicitParams:
		return session.Elicit(ctx, p)
	case *mcp.CreateMessageWithToolsParams:
		return session.CreateMessageWithTools(ctx, p)
	case *mcp.CreateMessageParams:
		// Answers come as the modern era has them: with a list of content.
		with := &mcp.CreateMessageWithToolsParams{Meta: p.Meta, IncludeContext: p.IncludeContext, MaxTokens: p.MaxTokens,
			Metadata: p.Metadata, ModelPreferences: p.ModelPreferences, StopSequences: p.StopSequences,
			SystemPrompt: p.SystemPrompt, Temperature: p.Temperature}
		for _, m := range p.Messages {
			with.Messages = append(with.Messages, &mcp.SamplingMessageV2{Role: m.Role, Content: []mcp.Content{m.Content}})
		}
		return session.CreateMessageWithTools(ctx, with)
	case *mcp.ListRootsParams:
		return session.ListRoots(ctx, p)
	default:
		return nil, errors.New("nobody can be asked for this")
	}
}

// lacking names what the requests need and the client has not declared. MCP 2026-07-28, versioning: a server must not
// rely on it.
func lacking(has *mcp.ClientCapabilities, asks mcp.InputRequestMap) []string {
	missing := map[string]bool{}
	for _, request := range asks {
		switch p := request.(type) {
		case *mcp.ElicitParams:
			elicits := has.Elicitation
			isURL := p.Mode == "url" || p.Mode == "" && p.URL != ""
			missing["elicitation"] = missing["elicitation"] || elicits == nil
			missing["elicitation.url"] = missing["elicitation.url"] || isURL && (elicits == nil || elicits.URL == nil)
			missing["elicitation.form"] = missing["elicitation.form"] || !isURL && elicits != nil && elicits.Form == nil && elicits.URL != nil
		case *mcp.CreateMessageParams:
			missing["sampling"] = missing["sampling"] || has.Sampling == nil
		case *mcp.CreateMessageWithToolsParams:
			missing["sampling"] = missing["sampling"] || has.Sampling == nil
			missing["sampling.tools"] = missing["sampling.tools"] || len(p.Tools) > 0 && (has.Sampling == nil || has.Sampling.Tools == nil)
		case *mcp.ListRootsParams:
			missing["roots"] = missing["roots"] || has.RootsV2 == nil && !has.Roots.ListChanged
		}
	}
	var names []string
	for _, name := range []string{"elicitation", "elicitation.form", "elicitation.url", "roots", "sampling", "sampling.tools"} {
		if missing[name] {
			names = append(names, name)
		}
	}
	return names
}

// client is what a call may use of the client that a message of the SDK's came from.
func (h *Handler) client(ctx context.Context, session *mcp.ServerSession, extra *mcp.RequestExtra, has *mcp.ClientCapabilities) *toolbox.Client {
	if has == nil {
		has = &mcp.ClientCapabilities{}
	}
	return &toolbox.Client{
		Capabilities: has,
		Log: func(level mcp.LoggingLevel, data any) {
			// A client that left is no reason for the tool to stop.
			_ = session.Log(ctx, &mcp.LoggingMessageParams{Level: level, Data: data})
		},
		LetGo: func(retryAfter time.Duration) {
			if extra != nil && extra.CloseSSEStream != nil {
				extra.CloseSSEStream(mcp.CloseSSEStreamArgs{RetryAfter: retryAfter})
			}
		},
	}
}
