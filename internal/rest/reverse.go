package rest

import (
	"encoding/json"
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// reversible is what POST /reverse takes.
type reversible struct {
	InputString string `json:"input_string"`
}

// reversed is what POST /reverse answers.
type reversed struct {
	Reversed string `json:"reversed"`
}

// reverse is reverse_tool under the names of an older API, whose clients go on using it: the same scope, the same record.
func (h *Handler) reverse(w http.ResponseWriter, r *http.Request) error {
	data, err := h.body(w, r)
	if err != nil {
		return err
	}
	var in reversible
	if err := into(data, &in, "input_string"); err != nil {
		return err
	}
	arguments, err := json.Marshal(map[string]string{"query": in.InputString})
	if err != nil {
		return err
	}
	result, err := h.o.Box.Call(r.Context(), &toolbox.Call{Name: "reverse_tool", Arguments: arguments, RequestID: h.o.RequestID(r)})
	switch {
	case err != nil:
		return err
	case result.IsError:
		return problem(http.StatusUnprocessableEntity, "tool_error", textOf(result))
	}
	content, err := json.Marshal(result.StructuredContent)
	if err != nil {
		return err
	}
	var out struct {
		Reversed string `json:"reversed_query"`
	}
	if err := json.Unmarshal(content, &out); err != nil {
		return err
	}
	return write(w, http.StatusOK, reversed(out))
}
