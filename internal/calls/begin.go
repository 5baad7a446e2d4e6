package calls

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// Begin is a call to begin.
type Begin struct {
	Tool      string
	Arguments json.RawMessage // a JSON object; nil means an empty one
	RequestID string          // of the request that begins it: it joins log and record
	// Key is the caller's idempotency key: a second Begin with the same key and call gives the first one's call. Empty
	// means none.
	Key string
}

// Begin begins a call for the caller in ctx and returns while it runs; the call goes on when ctx ends. A refusal that can
// be given at once is: the error is one of the toolbox, [ErrKeyReused] or [ErrStore]. fresh is false where the key was
// seen before.
func (r *Runner) Begin(ctx context.Context, b Begin) (call *Call, fresh bool, err error) {
	owner := ownerOf(ctx)
	id := rand.Text()
	if b.Key != "" {
		first, err := r.claim(ctx, owner, id, b)
		if err != nil || first != id {
			return r.again(ctx, first, err)
		}
	}
	rec, err := r.begin(ctx, owner, id, b)
	if err != nil {
		return nil, false, err
	}
	seen := rec.Call
	return &seen, true, nil
}

// ownerOf names whose call it is: one program of one person, since another program of the same person may hold less.
// Without sign-in everyone is one.
func ownerOf(ctx context.Context) string {
	if id := identity.FromContext(ctx); id != nil {
		return id.Key() + "\x00" + id.ClientID
	}
	return "nobody"
}

// claim takes the key for id, and returns the call it stands for.
func (r *Runner) claim(ctx context.Context, owner, id string, b Begin) (first string, err error) {
	print := digest(b.Tool + "\x00" + string(b.Arguments))
	_, err = r.store.Put(ctx, keyKey(owner, b.Key), []byte(print+" "+id), store.Write{TTL: r.keep, Create: true})
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return "", unreachable(err)
	}
	item, err := r.store.Get(ctx, keyKey(owner, b.Key))
	if err != nil {
		return "", unreachable(err)
	}
	if len(item.Value) <= len(print) || string(item.Value[:len(print)]) != print {
		return "", ErrKeyReused
	}
	return string(item.Value[len(print)+1:]), nil
}

// again gives the call that a key stands for. The first request with it may not have come far yet.
func (r *Runner) again(ctx context.Context, id string, err error) (*Call, bool, error) {
	for try := 0; err == nil; try++ {
		call, err := r.Look(ctx, id)
		if !errors.Is(err, ErrNotFound) || try == 10 {
			return call, false, err
		}
		select {
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, false, err
}

func (r *Runner) begin(ctx context.Context, owner, id string, b Begin) (_ *record, err error) {
	rec := &record{Call: Call{ID: id, Tool: b.Tool, State: Running, Begun: r.now().UTC()}, Owner: owner, Server: r.name, Key: b.Key, Size: len(b.Arguments)}
	kept := r.freeKey // what to take back where nothing is begun: the key may be tried again
	defer func() {
		if err == nil {
			return
		}
		if lost := kept(context.WithoutCancel(ctx), rec); lost != nil {
			r.logger.WarnContext(ctx, "what was kept of a call that did not begin stays", "cause", lost)
		}
	}()
	if err := r.box.AllowCall(ctx, b.Tool, b.Arguments); err != nil {
		return nil, err
	}
	running, done, err := r.room(ctx, id)
	if err != nil {
		return nil, err
	}
	kept = r.forget
	err = r.saveParts(ctx, argumentsLog(id), b.Arguments)
	if err == nil {
		err = r.save(ctx, rec)
	}
	if err == nil {
		err = r.remember(ctx, owner, id)
	}
	if err != nil {
		done()
		return nil, err
	}
	begun := *rec
	go func() {
		defer done()
		r.run(running, &begun, &toolbox.Call{Name: b.Tool, Arguments: b.Arguments, RequestID: b.RequestID})
	}()
	return rec, nil
}

// room counts a call among those that run here. Its context carries what ctx does, and ends by [Runner.Cancel] or with
// the server.
func (r *Runner) room(ctx context.Context, id string) (running context.Context, done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, toolbox.ErrDraining
	}
	running, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	r.cancel[id] = cancel
	r.group.Add(1)
	return running, func() {
		cancel()
		r.mu.Lock()
		delete(r.cancel, id)
		r.mu.Unlock()
		r.group.Done()
	}, nil
}

// digest stands for a text of any length.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
