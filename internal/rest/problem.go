package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
)

// Problem is a refusal (RFC 9457).
type Problem struct {
	Type      string   `json:"type"`  // urn:fastmcp-auth:problem: and the code
	Title     string   `json:"title"` // of the status
	Status    int      `json:"status"`
	Detail    string   `json:"detail"` // one sentence for a person
	Code      string   `json:"code"`   // one word for a program
	RequestID string   `json:"request_id,omitempty"`
	Errors    []Field  `json:"errors,omitempty"` // which fields are wrong, and how
	Scopes    []string `json:"scopes,omitempty"` // all that the operation needs
}

// Field is one thing wrong with a request.
type Field struct {
	Field   string `json:"field"` // its name, or empty for the body as a whole
	Message string `json:"message"`
}

// Error gives the detail.
func (p *Problem) Error() string { return p.Detail }

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:fastmcp-auth:problem:" + code, Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// invalid is a problem with one field.
func invalid(field, message string) *Problem {
	p := problem(http.StatusUnprocessableEntity, "invalid_request", "the request is not right: "+strings.TrimSpace(field+" "+message))
	p.Errors = []Field{{field, message}}
	return p
}

var (
	errNoRoute  = errors.New("nothing stands there")
	errNoMethod = errors.New("not by this method")
)

// problemOf says what an error means here. Each kind has one status and one code.
func problemOf(err error) *Problem {
	var ready *Problem
	var unknown *toolbox.UnknownError
	var scope *toolbox.ScopeError
	var arguments *toolbox.ArgumentsError
	code := calls.Code(err)
	switch {
	case errors.As(err, &ready):
		return ready
	case errors.Is(err, errNoRoute):
		return problem(http.StatusNotFound, "no_such_path", "nothing stands at this path; /api/openapi.json says what there is")
	case errors.Is(err, errNoMethod):
		return problem(http.StatusMethodNotAllowed, "method_not_allowed", "this path does not answer to the method; the Allow header names those it does")
	case errors.As(err, &scope):
		p := problem(http.StatusForbidden, code, err.Error())
		p.Scopes = scope.Scopes
		return p
	case errors.As(err, &unknown):
		if unknown.Listed {
			return problem(http.StatusForbidden, "denied", err.Error())
		}
		return problem(http.StatusNotFound, "unknown_"+unknown.Kind, err.Error())
	case errors.As(err, &arguments):
		p := problem(http.StatusUnprocessableEntity, code, err.Error())
		for _, wrong := range arguments.Problems {
			p.Errors = append(p.Errors, Field(wrong))
		}
		return p
	case errors.Is(err, calls.ErrNotFound):
		return problem(http.StatusNotFound, "unknown_call", err.Error())
	case errors.Is(err, calls.ErrNotAsking):
		return problem(http.StatusConflict, "not_asking", err.Error())
	case errors.Is(err, calls.ErrKeyReused):
		return problem(http.StatusUnprocessableEntity, "idempotency_key_reused", err.Error())
	case errors.Is(err, calls.ErrStore):
		return problem(http.StatusServiceUnavailable, "store_unavailable", "what the server keeps of calls cannot be reached; try again later")
	case errors.Is(err, toolbox.ErrBusy):
		return problem(http.StatusTooManyRequests, code, err.Error())
	case errors.Is(err, toolbox.ErrDraining), errors.Is(err, toolbox.ErrNotRecorded):
		return problem(http.StatusServiceUnavailable, code, err.Error())
	case errors.Is(err, toolbox.ErrTimeout):
		return problem(http.StatusGatewayTimeout, code, err.Error())
	case errors.Is(err, toolbox.ErrCancelled), errors.Is(err, context.Canceled):
		return problem(statusClosed, "cancelled", "the request was given up")
	case errors.As(err, new(*toolbox.CapabilityError)):
		return problem(http.StatusConflict, code, err.Error()+"; begin it as a call, which can be answered")
	case errors.As(err, new(*toolbox.FailedError)), errors.Is(err, toolbox.ErrTooLarge):
		return problem(http.StatusBadGateway, code, err.Error())
	}
	return problem(http.StatusInternalServerError, "failed", "the server failed")
}

// statusClosed is what logs say of a caller who left before the answer.
const statusClosed = 499

// refuse writes err as a problem. What strangers must not read goes to the log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	if p.Code == "insufficient_scope" && h.o.NeedsScope != nil {
		h.o.NeedsScope(w, r, p.Scopes)
		return
	}
	if p.Status == http.StatusInternalServerError || p.Code == "store_unavailable" {
		h.o.Logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "cause", err)
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	h.write(w, r, p)
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, p *Problem) {
	said := *p
	said.RequestID = h.o.RequestID(r)
	data, err := json.Marshal(said)
	if err != nil {
		data = []byte(`{"status":` + strconv.Itoa(p.Status) + `}`)
	}
	head := w.Header()
	head.Set("Content-Type", "application/problem+json")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		w.Write(data)
	}
}

// Refused writes a refusal of whoever decides who is calling: the header, with its challenge, is set already. detail and
// code are for strangers, and scopes are what to ask for.
func (h *Handler) Refused(w http.ResponseWriter, r *http.Request, status int, code, detail string, scopes []string) {
	if code == "" {
		code = "sign_in_needed"
	}
	p := problem(status, code, detail)
	p.Scopes = scopes
	h.write(w, r, p)
}
