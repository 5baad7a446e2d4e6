package calls

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/store"
)

const (
	longest    = 24 * time.Hour // that a call may run or wait for an answer
	maxParts   = 64             // of a result or of arguments
	partSize   = 512 << 10      // bytes
	maxReading = 4              // large calls that are read at a time; others wait
	history    = 50             // calls that are kept of one caller
	maxKept    = 32 << 20       // bytes of arguments and results that are kept of one caller, the newest call aside
)

// record is what is kept of a call beside its events, arguments and result.
type record struct {
	Call
	Owner  string `json:"owner"`  // the caller's key; only this caller comes near it
	Server string `json:"server"` // that runs it
	Asked  string `json:"input_state,omitempty"`
	Key    string `json:"key,omitempty"`  // the idempotency key that stands for it
	Size   int    `json:"size,omitempty"` // bytes of its arguments and result

	revision uint64
}

// The names under which things are kept. Ids are unguessable, and the owner is compared besides.
func callKey(id string) string       { return "call/" + id }
func eventsLog(id string) string     { return "call/" + id + "/events" }
func argumentsLog(id string) string  { return "call/" + id + "/arguments" }
func resultLog(id string) string     { return "call/" + id + "/result" }
func historyLog(owner string) string { return "calls/" + digest(owner) }
func keyKey(owner, key string) string {
	return "calls/" + digest(owner) + "/key/" + digest(key)
}

func (r *Runner) load(ctx context.Context, id string) (*record, error) {
	if len(id) > 64 {
		return nil, ErrNotFound
	}
	item, err := r.store.Get(ctx, callKey(id))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, unreachable(err)
	}
	rec := &record{revision: item.Revision}
	if err := json.Unmarshal(item.Value, rec); err != nil {
		return nil, unreachable(err)
	}
	return rec, nil
}

// save writes rec where nobody else has written since it was read, and tells those who follow it.
func (r *Runner) save(ctx context.Context, rec *record) error {
	w := store.Write{TTL: r.keep + longest, If: rec.revision, Create: rec.revision == 0}
	if rec.State.Ended() {
		w.TTL = r.keep
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	revision, err := r.store.Put(ctx, callKey(rec.ID), data, w)
	if err != nil {
		return unreachable(err)
	}
	rec.revision = revision
	return r.tell(ctx, rec.ID, Event{Type: "state", Call: &rec.Call})
}

func (r *Runner) tell(ctx context.Context, id string, e Event) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = r.store.Append(ctx, eventsLog(id), data, store.Keep{TTL: r.keep + longest, Most: 1000})
	return unreachable(err)
}

// saveParts keeps what may be larger than a value.
func (r *Runner) saveParts(ctx context.Context, log string, data []byte) error {
	if len(data) > maxParts*partSize {
		return fmt.Errorf("%d bytes are more than is kept of a call", len(data))
	}
	for len(data) > 0 {
		part := data[:min(partSize, len(data))]
		data = data[len(part):]
		if _, err := r.store.Append(ctx, log, part, store.Keep{TTL: r.keep + longest}); err != nil {
			return unreachable(err)
		}
	}
	return nil
}

// loadParts reads them one at a time: a store that answers one question at a time answers others in between.
func (r *Runner) loadParts(ctx context.Context, log string) ([]byte, error) {
	var whole bytes.Buffer
	for after := uint64(0); ; {
		parts, err := r.store.Entries(ctx, log, after, 1)
		if err != nil {
			return nil, unreachable(err)
		}
		for _, p := range parts {
			after = p.Index
			whole.Write(p.Data)
		}
		switch {
		case len(parts) == 1 && len(parts[0].Data) == partSize:
			continue
		case len(parts) == 0 && whole.Len() > 0: // it ends where a part does, unless it was forgotten meanwhile
			if first, err := r.store.Entries(ctx, log, 0, 1); err != nil || len(first) == 0 {
				return nil, cmp.Or(unreachable(err), ErrNotFound)
			}
		}
		return whole.Bytes(), nil
	}
}

// forget removes all that is kept of a call, and the key that stands for it.
func (r *Runner) forget(ctx context.Context, rec *record) error {
	return errors.Join(
		r.freeKey(ctx, rec),
		r.store.Delete(ctx, callKey(rec.ID)),
		r.store.Drop(ctx, eventsLog(rec.ID)),
		r.store.Drop(ctx, argumentsLog(rec.ID)),
		r.store.Drop(ctx, resultLog(rec.ID)),
	)
}

// unreachable marks an error of the store, whose text is for the log.
func unreachable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrStore, err)
}
