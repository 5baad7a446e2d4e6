package mcpserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// requestHeader names a request to the SDK's servers, which give handlers the header of the request they serve but, in
// a session, the context of the one that began it. What a client sends under this name is dropped.
const requestHeader = "X-Mcpserver-Request"

// listTTL is for how long clients may keep a list, in milliseconds.
const listTTL = 60_000

// request is what the SDK's servers must know of the HTTP request they serve.
type request struct {
	id       string // the request id
	identity *identity.Identity
	answer   *answer
	values   context.Context // what the request's context holds, without its end
	token    bool            // the client asked for progress
	session  *session        // nil in the modern era
	begins   bool            // the request begins the session
	early    *early          // a call that has begun already; nil for all others
	call     string          // the id of a call in a session; empty for all others
	left     sync.Once
}

// leave gives the id of a call in a session free, once. For all others it does nothing.
func (rq *request) leave() {
	if rq.call != "" {
		rq.left.Do(func() { rq.session.leave(rq.call) })
	}
}

type requestKey struct{}

// pass hands a request to the SDK, with the bytes that were parsed. A nil rq is for a stream, which calls nothing.
func (h *Handler) pass(a *answer, r *http.Request, next http.Handler, body []byte, rq *request) {
	inner := r.WithContext(r.Context())
	inner.Header = r.Header.Clone()
	inner.Header.Del(requestHeader)
	inner.Header.Del("Authorization") // nothing behind here needs it
	inner.Header.Del("Cookie")
	if name := inner.Header.Get(nameHeader); name != "" {
		if decoded, ok := decodeMirror(name); ok {
			inner.Header.Set(nameHeader, decoded) // the SDK compares without decoding
		}
	}
	if body != nil {
		inner.Body = io.NopCloser(bytes.NewReader(body))
		inner.ContentLength = int64(len(body))
	}
	if rq != nil {
		rq.id, rq.identity, rq.answer = a.requestID, identity.FromContext(r.Context()), a
		rq.values = context.WithoutCancel(r.Context())
		nonce := rand.Text()
		inner.Header.Set(requestHeader, nonce)
		h.requests.Store(nonce, rq)
		defer h.forget(r, nonce, rq)
	}
	next.ServeHTTP(a, inner)
}

// forget drops what nobody took up. When the client left early, the SDK may still be about to.
func (h *Handler) forget(r *http.Request, nonce string, rq *request) {
	drop := func() {
		if _, left := h.requests.LoadAndDelete(nonce); left {
			rq.leave()
		}
	}
	if r.Context().Err() == nil {
		drop()
		return
	}
	time.AfterFunc(time.Minute, drop)
}

// take returns the request the SDK serves, once.
func (h *Handler) take(extra *mcp.RequestExtra) *request {
	if extra == nil {
		return nil
	}
	found, _ := h.requests.LoadAndDelete(extra.Header.Get(requestHeader))
	rq, _ := found.(*request)
	return rq
}

// newServer returns a server of the SDK that offers what is in the box.
func (h *Handler) newServer(implementation *mcp.Implementation, instructions string) *mcp.Server {
	options := &mcp.ServerOptions{
		Instructions: instructions,
		Logger:       onlyErrors(h.logger),
		Capabilities: capabilities(h.box, h.announces),
		// What a caller sees may depend on who it is.
		SetCacheable: func(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
			c.CacheScope, c.TTLMs = "private", listTTL
			if _, isRead := req.(*mcp.ReadResourceRequest); isRead {
				c.TTLMs = 0
			}
		},
	}
	h.addHandlers(options)
	server := mcp.NewServer(implementation, options)
	for _, t := range h.box.AllTools() {
		server.AddTool(t, h.callTool)
	}
	for _, r := range h.box.AllResources() {
		server.AddResource(r, h.readResource)
	}
	h.addOffers(server)
	server.AddReceivingMiddleware(h.receive)
	h.servers = append(h.servers, server)
	return server
}

// receive gives each message of a client the identity of the request that brought it.
func (h *Handler) receive(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if strings.HasPrefix(method, "notifications/") {
			return next(ctx, method, req)
		}
		rq := h.take(req.GetExtra())
		if rq == nil {
			// Without the request there is no caller, and without a caller nothing is done.
			return nil, (&rpcError{Code: jsonrpc.CodeInternalError, Message: "the request is no longer known"}).wire(rand.Text())
		}
		defer rq.leave()
		ctx = identity.NewContext(served{ctx, rq.values}, rq.identity)
		ctx = context.WithValue(ctx, requestKey{}, rq)
		rq.answer.keepAlive()
		if rq.session != nil && !rq.begins {
			var cancel context.CancelCauseFunc
			ctx, cancel = context.WithCancelCause(ctx)
			defer cancel(nil)
			defer context.AfterFunc(rq.session.ctx, func() { cancel(errSessionEnded) })()
		}
		h.keepWatchable(ctx, req)
		result, err := next(ctx, method, req)
		if err != nil {
			wire := h.translate(ctx, method, err, rq.id)
			rq.answer.refused(wire.Code)
			return nil, wire
		}
		if ss, ok := req.GetSession().(*mcp.ServerSession); ok && rq.begins && !h.sessions.fill(rq.session, ss) {
			go ss.Close() // it waits for this very call
			return nil, (&rpcError{Code: codeServer, Message: "the session could not begin"}).wire(rq.id)
		}
		h.keepVisible(ctx, result)
		return result, nil
	}
}

// keepVisible drops from a list what the caller is denied.
func (h *Handler) keepVisible(ctx context.Context, result mcp.Result) {
	switch list := result.(type) {
	case *mcp.ListToolsResult:
		visible := h.box.Tools(ctx)
		list.Tools = slices.DeleteFunc(list.Tools, func(t *mcp.Tool) bool { return !slices.Contains(visible, t) })
	case *mcp.ListResourcesResult:
		visible := h.box.Resources(ctx)
		list.Resources = slices.DeleteFunc(list.Resources, func(r *mcp.Resource) bool { return !slices.Contains(visible, r) })
	case *mcp.ListResourceTemplatesResult:
		visible := h.box.Templates(ctx)
		list.ResourceTemplates = slices.DeleteFunc(list.ResourceTemplates, func(t *mcp.ResourceTemplate) bool { return !slices.Contains(visible, t) })
	case *mcp.ListPromptsResult:
		visible := h.box.Prompts(ctx)
		list.Prompts = slices.DeleteFunc(list.Prompts, func(p *mcp.Prompt) bool { return !slices.Contains(visible, p) })
	}
}

// callTool is the handler of every tool.
func (h *Handler) callTool(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	rq, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, errors.New("no request")
	}
	if rq.early != nil {
		return rq.early.wait(ctx)
	}
	call := &toolbox.Call{Name: req.Params.Name, Arguments: req.Params.Arguments, RequestID: rq.id}
	if rq.token {
		token := req.Params.GetProgressToken()
		call.Progress = func(done, total float64, message string) {
			// A client that left is no reason for the tool to stop: its call is cancelled elsewhere.
			_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
				ProgressToken: token, Progress: done, Total: total, Message: message,
			})
		}
	}
	if !h.box.Converses(call.Name) {
		return h.call(ctx, call)
	}
	return h.converse(ctx, req, rq, call)
}

// converse calls a tool that may ask the client for input.
func (h *Handler) converse(ctx context.Context, req *mcp.CallToolRequest, rq *request, call *toolbox.Call) (result *mcp.CallToolResult, err error) {
	c := h.client(ctx, req.Session, req.Extra, req.ClientCapabilities())
	to := boundTo(rq.identity.Key(), "tools/call", call.Name, call.Arguments)
	if c.State, err = h.stateOf(rq, req.Params.RequestState, to); err != nil {
		return nil, err
	}
	c.Answers, call.Client = req.Params.InputResponses, c
	err = h.inRounds(ctx, req.Session, rq, c, to, func() (mcp.InputRequestMap, *string, error) {
		if result, err = h.call(ctx, call); err != nil {
			return nil, nil, err
		}
		answered := *result
		result = &answered
		return result.InputRequests, &result.RequestState, nil
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// call calls a tool. What is wrong with the arguments is a result, and a result that says so names the request.
func (h *Handler) call(ctx context.Context, call *toolbox.Call) (*mcp.CallToolResult, error) {
	result, err := h.box.Call(ctx, call)
	return told(result, err, call.RequestID)
}

// told is what came of a call, as it is told to clients.
func told(result *mcp.CallToolResult, err error, requestID string) (*mcp.CallToolResult, error) {
	if err == nil && !result.IsError {
		return result, nil
	}
	if wrong := (*toolbox.ArgumentsError)(nil); errors.As(err, &wrong) {
		// A model that sees what was wrong can call again, so this is a result. MCP 2025-11-25, tools, error handling.
		result, err = &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: wrong.Error()}}}, nil
	}
	if err == nil && result.IsError {
		named := *result
		named.Meta = mcp.Meta{"request_id": requestID}
		for k, v := range result.Meta {
			named.Meta[k] = v
		}
		result = &named
	}
	return result, err
}

// readResource is the handler of every resource.
func (h *Handler) readResource(ctx context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	rq, ok := ctx.Value(requestKey{}).(*request)
	if !ok {
		return nil, errors.New("no request")
	}
	contents, err := h.box.Read(ctx, req.Params.URI, rq.id)
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: contents}, nil
}

// translate makes of any error what goes over the wire: strangers get a sentence and the request id.
func (h *Handler) translate(ctx context.Context, method string, err error, requestID string) *jsonrpc.Error {
	var (
		wire    *jsonrpc.Error
		unknown *toolbox.UnknownError
		failed  *toolbox.FailedError
		wrong   *toolbox.ArgumentsError
		lacks   *toolbox.CapabilityError
	)
	switch {
	case errors.As(err, &unknown):
		return unknownName(unknown).wire(requestID)
	case errors.As(err, &wrong):
		return invalidParams("%s", wrong.Error()).wire(requestID)
	case errors.As(err, &lacks):
		return incapable(lacks).wire(requestID)
	case errors.Is(err, toolbox.ErrDraining), errors.Is(err, toolbox.ErrBusy),
		errors.Is(err, toolbox.ErrTimeout), errors.Is(err, toolbox.ErrCancelled),
		errors.Is(err, toolbox.ErrTooLarge), errors.Is(err, toolbox.ErrNotRecorded):
		return (&rpcError{Code: codeServer, Message: err.Error()}).wire(requestID)
	case errors.As(err, &failed):
		return (&rpcError{Code: jsonrpc.CodeInternalError, Message: failed.Error()}).wire(requestID)
	case errors.As(err, &wire):
		var data map[string]any
		if len(wire.Data) > 0 && json.Unmarshal(wire.Data, &data) != nil {
			data = map[string]any{"detail": wire.Data}
		}
		return (&rpcError{Code: wire.Code, Message: clip(err.Error()), Data: data}).wire(requestID)
	}
	if scopes, missing := missingScopes(err); missing {
		return (&rpcError{Code: jsonrpc.CodeInvalidRequest, Message: err.Error(), Data: map[string]any{"scopes": scopes}}).wire(requestID)
	}
	h.logger.LogAttrs(ctx, slog.LevelError, "mcp request failed", slog.String("method", method), slog.String("request_id", requestID), slog.Any("error", err))
	return (&rpcError{Code: jsonrpc.CodeInternalError, Message: "the server could not answer"}).wire(requestID)
}

// missingScopes returns the scopes an operation needs, if that is why it was refused.
func missingScopes(err error) ([]string, bool) {
	var scope *toolbox.ScopeError
	if errors.As(err, &scope) {
		return scope.Scopes, true
	}
	return nil, false
}

// onlyErrors returns a logger that passes on errors: the SDK tells of every session at lower levels.
func onlyErrors(logger *slog.Logger) *slog.Logger { return slog.New(errorsOnly{logger.Handler()}) }

type errorsOnly struct{ slog.Handler }

func (e errorsOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && e.Handler.Enabled(ctx, level)
}

func (e errorsOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return errorsOnly{e.Handler.WithAttrs(attrs)}
}

func (e errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{e.Handler.WithGroup(name)} }
