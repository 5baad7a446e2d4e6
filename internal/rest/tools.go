package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// tool is a tool as it is described here.
type tool struct {
	Name         string               `json:"name"`
	Title        string               `json:"title,omitempty"`
	Description  string               `json:"description,omitempty"`
	Annotations  *mcp.ToolAnnotations `json:"annotations,omitempty"`
	InputSchema  any                  `json:"input_schema"`
	OutputSchema any                  `json:"output_schema,omitempty"`
	// Missing are all scopes that the caller's token would need, where it lacks some; absent where it may call.
	Missing []string `json:"missing_scopes,omitempty"`
}

func (h *Handler) tools(w http.ResponseWriter, r *http.Request) error {
	list := []tool{}
	for _, t := range h.o.Box.Tools(r.Context()) {
		list = append(list, h.told(r, t))
	}
	return writeTagged(w, r, map[string]any{"tools": list})
}

func (h *Handler) told(r *http.Request, t *mcp.Tool) tool {
	return tool{Name: t.Name, Title: t.Title, Description: t.Description, Annotations: t.Annotations,
		InputSchema: t.InputSchema, OutputSchema: t.OutputSchema, Missing: h.missing(r, t.Name)}
}

// missing are the scopes that would open what is closed for want of them.
func (h *Handler) missing(r *http.Request, operation string) []string {
	if d := h.o.Box.Decide(r.Context(), operation); d.Effect == policy.NeedsScope {
		return d.Scopes
	}
	return nil
}

func (h *Handler) tool(w http.ResponseWriter, r *http.Request) error {
	for _, t := range h.o.Box.Tools(r.Context()) {
		if t.Name == r.PathValue("name") {
			return writeTagged(w, r, h.told(r, t))
		}
	}
	return problem(http.StatusNotFound, "unknown_tool", "there is no such tool, or it is not for you")
}

// callTool calls a tool and waits for its result.
func (h *Handler) callTool(w http.ResponseWriter, r *http.Request) error {
	arguments, err := h.body(w, r)
	if err != nil {
		return err
	}
	result, err := h.o.Box.Call(r.Context(), &toolbox.Call{Name: r.PathValue("name"), Arguments: arguments, RequestID: h.o.RequestID(r)})
	if err != nil {
		return err
	}
	return answer(w, result)
}

// answer writes what a tool returned: the structured content of one that has a schema for it, else the whole result.
func answer(w http.ResponseWriter, result *mcp.CallToolResult) error {
	switch {
	case result.InputRequests != nil:
		return problem(http.StatusConflict, "client_incapable", "the tool asks for input; begin it as a call, which can be answered")
	case result.IsError:
		return problem(http.StatusUnprocessableEntity, "tool_error", textOf(result))
	}
	if raw, is := result.StructuredContent.(json.RawMessage); is {
		writeRaw(w, http.StatusOK, raw)
		return nil
	}
	if result.StructuredContent != nil {
		return write(w, http.StatusOK, result.StructuredContent)
	}
	return write(w, http.StatusOK, result)
}

// textOf joins the texts of a result, one to a line.
func textOf(result *mcp.CallToolResult) string {
	var lines []string
	for _, c := range result.Content {
		if text, is := c.(*mcp.TextContent); is {
			lines = append(lines, text.Text)
		}
	}
	return strings.Join(lines, "\n")
}
