package mcpserver_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/fastmcp-auth/fastmcp-auth/internal/mcpserver"
	"github.com/fastmcp-auth/fastmcp-auth/internal/telemetry"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// TestTheTraceOfAMessageReachesTheTool calls in both eras, plainly and with progress: each way has a context of its own.
func TestTheTraceOfAMessageReachesTheTool(t *testing.T) {
	const trace1, trace2 = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
	type seen struct{ trace, state, baggage string }
	for _, era := range eras {
		t.Run("in "+era, func(t *testing.T) {
			heard := make(chan seen, 1)
			look := toolbox.Tool{
				Definition: &mcp.Tool{Name: "look", InputSchema: map[string]any{"type": "object"}},
				Call: func(ctx context.Context, _ json.RawMessage, progress func(done, total float64, message string)) (*mcp.CallToolResult, error) {
					progress(1, 2, "half")
					sc := trace.SpanContextFromContext(ctx)
					s := seen{state: sc.TraceState().String(), baggage: baggage.FromContext(ctx).Member("who").Value()}
					if sc.IsValid() {
						s.trace = sc.TraceID().String()
					}
					heard <- s
					return &mcp.CallToolResult{Content: []mcp.Content{}}, nil
				},
			}
			change := func(b *toolbox.Options, o *mcpserver.Options) {
				b.Tools = append(b.Tools, look)
				o.Follow = func(ctx context.Context, m mcpserver.Message) context.Context {
					ctx, _ = (*telemetry.Tracing)(nil).Follow(ctx, telemetry.Message{Method: m.Method, Parent: m.Trace.Parent, State: m.Trace.State, Baggage: m.Trace.Baggage})
					return ctx
				}
			}
			bubble(t, func(t *testing.T, f *fixture) {
				session := f.connect(t, "ada", era, nil)
				defer session.Close()
				for _, row := range []struct {
					name string
					meta mcp.Meta
					want seen
				}{
					{"a trace", mcp.Meta{"traceparent": "00-" + trace1 + "-b7ad6b7169203331-01", "tracestate": "a=b", "baggage": "who=ada"}, seen{trace1, "a=b", "ada"}},
					{"another trace in the same session", mcp.Meta{"traceparent": "00-" + trace2 + "-b7ad6b7169203331-00"}, seen{trace2, "", ""}},
					{"no trace", nil, seen{}},
					{"a trace that is none", mcp.Meta{"traceparent": "sesame", "tracestate": "a=b"}, seen{}},
					{"a trace that is no text", mcp.Meta{"traceparent": 7, "baggage": []int{1}}, seen{}},
					{"a trace of zeros", mcp.Meta{"traceparent": "00-00000000000000000000000000000000-b7ad6b7169203331-01"}, seen{}},
				} {
					for _, withProgress := range []bool{false, true} {
						params := &mcp.CallToolParams{Name: "look", Meta: row.meta}
						if withProgress {
							params.Meta = mcp.Meta{"progressToken": "p"}
							for k, v := range row.meta {
								params.Meta[k] = v
							}
						}
						if _, err := session.CallTool(t.Context(), params); err != nil {
							t.Fatalf("%s: %v", row.name, err)
						}
						if got := <-heard; got != row.want {
							t.Errorf("%s, with progress %v: the tool sees %+v, want %+v", row.name, withProgress, got, row.want)
						}
					}
				}
			}, change)
		})
	}
}
