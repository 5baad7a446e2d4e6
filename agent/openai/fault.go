package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
)

// fault says what an error before the answer means.
func (m *Model) fault(ctx context.Context, note *noted, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return m.error(agent.FaultUnreachable, note, cause)
	}
	status, words := note.status, err.Error()
	var api *openai.APIError
	var request *openai.RequestError
	switch {
	case errors.As(err, &api):
		words = api.Message
	case errors.As(err, &request):
		words = http.StatusText(status)
	}
	said := fmt.Errorf("%d, %s", status, m.short(words))
	switch {
	case status == 0:
		return m.error(agent.FaultUnreachable, note, err)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return m.error(agent.FaultKey, note, said)
	case status == http.StatusTooManyRequests && api != nil && fmt.Sprint(api.Code) == "insufficient_quota":
		return m.error(agent.FaultKey, note, said) // waiting mends nothing
	case status == http.StatusTooManyRequests:
		return m.error(agent.FaultBusy, note, said)
	case status >= http.StatusInternalServerError, status == http.StatusRequestTimeout:
		return m.error(agent.FaultServer, note, said)
	case status/100 == 3:
		return m.error(agent.FaultRequest, note, fmt.Errorf("%d, %w", status, errRedirect))
	case status/100 == 2:
		return m.error(agent.FaultCut, note, err)
	}
	return m.error(agent.FaultRequest, note, said)
}

// broken says what an error in the middle of an answer means.
func (m *Model) broken(ctx context.Context, note *noted, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSilent):
		return m.error(agent.FaultCut, note, cause)
	case errors.Is(cause, errEndless):
		return m.error(agent.FaultRequest, note, cause) // it would do so again
	case errors.Is(err, errTooLong), errors.Is(err, errTooMuch):
		return m.error(agent.FaultRequest, note, err)
	}
	var api *openai.APIError
	if errors.As(err, &api) {
		return m.error(agent.FaultServer, note, errors.New(m.short(api.Message)))
	}
	return m.error(agent.FaultCut, note, errors.New(m.short(err.Error())))
}

func (m *Model) error(fault agent.Fault, note *noted, err error) error {
	return &agent.ModelError{Fault: fault, Model: m.name, RetryAfter: note.retryAfter, Err: err}
}

// short bounds a stranger's words. The key, whole or in part, stays out where a server repeats it in them.
func (m *Model) short(words string) string {
	fields := strings.Fields(words)
	for i, f := range fields {
		if strings.HasPrefix(f, "sk-") || m.key != "" && strings.Contains(f, m.key) {
			fields[i] = "…"
		}
	}
	words = strings.Join(fields, " ")
	if len(words) > 300 {
		words = strings.ToValidUTF8(words[:300], "") + "…"
	}
	return words
}

// retryAfter reads how long the server wants to be left alone (RFC 9110, section 10.2.3), or zero.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 && seconds < 1<<30 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
