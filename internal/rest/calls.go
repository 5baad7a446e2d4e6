package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// maxKey is the longest idempotency key.
const maxKey = 255

// wanted is a call to begin.
type wanted struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) error {
	data, err := h.body(w, r)
	if err != nil {
		return err
	}
	var want wanted
	if err := into(data, &want, "tool"); err != nil {
		return err
	}
	if len(want.Arguments) > 0 && want.Arguments[0] != '{' {
		return invalid("arguments", "is not an object")
	}
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) > 1 || len(keys) == 1 && (keys[0] == "" || len(keys[0]) > maxKey) {
		p := problem(http.StatusBadRequest, "invalid_idempotency_key", "the Idempotency-Key header must stand there once, with 1 to 255 characters")
		return p
	}
	call, fresh, err := h.o.Calls.Begin(r.Context(), calls.Begin{Tool: want.Tool, Arguments: want.Arguments, RequestID: h.o.RequestID(r), Key: strings.Join(keys, "")})
	if err != nil {
		return err
	}
	if !fresh {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.Header().Set("Location", Base+"/calls/"+url.PathEscape(call.ID))
	return write(w, http.StatusAccepted, call)
}

func (h *Handler) calls(w http.ResponseWriter, r *http.Request) error {
	list, err := h.o.Calls.History(r.Context())
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"calls": list})
}

func (h *Handler) call(w http.ResponseWriter, r *http.Request) error {
	size, err := h.o.Calls.Size(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if size > cheapBody {
		key := identity.FromContext(r.Context()).Key()
		if !h.results.Enter(key) {
			return problem(http.StatusTooManyRequests, "busy", "you are reading too many large results at once; try again when one has arrived")
		}
		defer h.results.Leave(key)
	}
	call, err := h.o.Calls.Look(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeTagged(w, r, call)
}

// cancel ends a call that runs, and forgets one that has ended.
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	err := h.o.Calls.Forget(r.Context(), id)
	if errors.Is(err, store.ErrConflict) {
		if err = h.o.Calls.Cancel(r.Context(), id); err == nil {
			w.WriteHeader(http.StatusAccepted)
			return nil
		}
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// answers are what a call that asks for input gets.
type answers struct {
	InputResponses json.RawMessage `json:"input_responses"`
}

func (h *Handler) input(w http.ResponseWriter, r *http.Request) error {
	data, err := h.body(w, r)
	if err != nil {
		return err
	}
	var given answers
	if err := into(data, &given, "input_responses"); err != nil {
		return err
	}
	if err := h.o.Calls.Answer(r.Context(), r.PathValue("id"), given.InputResponses, h.o.RequestID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}
