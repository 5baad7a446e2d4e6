package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
)

// happened is one event, or why there are no more.
type happened struct {
	event calls.Event
	err   error
}

// events streams what happens to a call, from the event after Last-Event-ID on, until it has ended.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) error {
	after, err := lastEvent(r)
	if err != nil {
		return err
	}
	key := identity.FromContext(r.Context()).Key()
	if !h.o.Streams.Enter(key) {
		return problem(http.StatusTooManyRequests, "busy", "you follow as much at once as one may; close what you do not watch")
	}
	defer h.o.Streams.Leave(key)
	ctx, stop := context.WithCancel(r.Context())
	defer stop()
	follow, err := h.o.Calls.Follow(ctx, r.PathValue("id"), after)
	if err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no")
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)

	come := make(chan happened)
	go func() {
		defer close(come)
		for e, err := range follow {
			select {
			case come <- happened{e, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	h.stream(ctx, w, come)
	stop()
	for range come { // so that nothing is left behind
	}
	return nil
}

// stream writes events as they come, and comments while none does, until they end or the reader is gone.
func (h *Handler) stream(ctx context.Context, w http.ResponseWriter, come <-chan happened) {
	control := http.NewResponseController(w)
	silence := time.NewTicker(h.o.Keepalive)
	defer silence.Stop()
	send := func(format string, args ...any) bool {
		if control.SetWriteDeadline(time.Now().Add(h.o.WriteTimeout)) != nil {
			return false
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-silence.C:
			if !send(": \n\n") {
				return
			}
		case e, more := <-come:
			if !more {
				return
			}
			if e.err != nil {
				data, _ := json.Marshal(problemOf(e.err))
				send("event: problem\ndata: %s\n\n", data)
				return
			}
			data, err := json.Marshal(e.event)
			if err != nil || !send("%sevent: %s\ndata: %s\n\n", idLine(e.event.Index), e.event.Type, data) {
				return
			}
			silence.Reset(h.o.Keepalive)
		}
	}
}

// idLine names an event, so that a reader who lost the stream comes back after it.
func idLine(index uint64) string {
	if index == 0 {
		return ""
	}
	return "id: " + strconv.FormatUint(index, 10) + "\n"
}

// lastEvent reads where a stream goes on.
func lastEvent(r *http.Request) (uint64, error) {
	given := r.Header.Get("Last-Event-ID")
	if given == "" {
		return 0, nil
	}
	after, err := strconv.ParseUint(given, 10, 62)
	if err != nil {
		return 0, problem(http.StatusBadRequest, "invalid_last_event_id", "the Last-Event-ID header is not the id of an event")
	}
	return after, nil
}
