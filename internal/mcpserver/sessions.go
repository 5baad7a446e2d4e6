package mcpserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// errSessionEnded is why the calls of an ended session are cancelled.
var errSessionEnded = errors.New("the session has ended")

// sessions are the legacy sessions that have begun and not ended.
type sessions struct {
	max, maxPerUser int
	timeout         time.Duration

	mu      sync.Mutex
	byID    map[string]*session
	perUser map[string]map[*session]struct{} // reserved ones too
	count   int                              // reserved ones too
	closed  bool
}

// session is one legacy session, bound to the identity and the program that began it: what a stream replays was asked
// for by that program.
type session struct {
	key    string // identity.Key of who began it
	client string // the client id of the program; empty where tokens name none
	ctx    context.Context
	cancel context.CancelCauseFunc

	// guarded by sessions.mu
	id     string
	server *mcp.ServerSession // nil while only reserved
	active int                // requests in it now, open streams too
	posts  int                // those of them that carry a message
	quiet  chan struct{}      // closed when posts is 0 and the session has ended
	since  time.Time          // when it was last used
	timer  *time.Timer        // looks, at the latest when it has been idle for long enough, whether it has; nil: nothing does
	ended  bool

	calls calls
}

func newSessions(max, maxPerUser int, timeout time.Duration) *sessions {
	return &sessions{max: max, maxPerUser: maxPerUser, timeout: timeout,
		byID: map[string]*session{}, perUser: map[string]map[*session]struct{}{}}
}

// reserve makes room for a session of this user. Where there is none, the user with the most sessions loses one that
// runs no call: nobody's sessions keep others out, however many somebody opens.
func (t *sessions) reserve(id *identity.Identity) (*session, bool) {
	key := id.Key()
	t.mu.Lock()
	full := t.count >= t.max || key != "" && len(t.perUser[key]) >= t.maxPerUser
	var oldest *session
	if full && !t.closed {
		oldest = idlest(t.crowd(key))
	}
	if t.closed || full && oldest == nil {
		t.mu.Unlock()
		return nil, false
	}
	if oldest != nil {
		t.remove(oldest)
	}
	s := &session{key: key, client: clientOf(id), active: 1, posts: 1, quiet: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	if t.perUser[key] == nil {
		t.perUser[key] = map[*session]struct{}{}
	}
	t.perUser[key][s] = struct{}{}
	t.count++
	t.mu.Unlock()
	if oldest != nil {
		oldest.close()
	}
	return s, true
}

// crowd returns the sessions of whom one must go: this user's own, or those of a user who has at least two more. It is
// called with mu held.
func (t *sessions) crowd(key string) map[*session]struct{} {
	mine := t.perUser[key]
	if key != "" && len(mine) >= t.maxPerUser {
		return mine
	}
	most := mine
	for _, theirs := range t.perUser {
		if len(theirs) > len(most) {
			most = theirs
		}
	}
	if len(most) < len(mine)+2 {
		return mine
	}
	return most
}

// idlest returns the session that was used longest ago of those that run no call, one without an open stream if there
// is any.
func idlest(crowd map[*session]struct{}) (oldest *session) {
	for s := range crowd {
		if s.server == nil || s.posts > 0 {
			continue
		}
		if oldest == nil || s.active < oldest.active || s.active == oldest.active && s.since.Before(oldest.since) {
			oldest = s
		}
	}
	return oldest
}

// fill makes a reserved session a real one, unless its client has left or the server is going down.
func (t *sessions) fill(s *session, server *mcp.ServerSession) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || s.ended {
		return false
	}
	s.server, s.id = server, server.ID()
	t.byID[s.id] = s
	return true
}

// settle ends the request that began the session. If it did not begin, its place is given back.
func (t *sessions) settle(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.server == nil && !s.ended {
		t.remove(s)
		s.cancel(errSessionEnded)
	}
	t.release(s, 1)
}

func clientOf(id *identity.Identity) string {
	if id == nil {
		return ""
	}
	return id.ClientID
}

// use returns the session of this id if the user in ctx began it with the program they use now; leave is to be called once
// when the request has ended. posts is 1 for a request with a message and 0 for a stream. For any other id it returns nil.
func (t *sessions) use(ctx context.Context, id string, posts int) *session {
	key, client := identity.KeyFrom(ctx), clientOf(identity.FromContext(ctx))
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.byID[id]
	if s == nil || s.key != key || s.client != client {
		return nil
	}
	s.active++
	s.posts += posts
	return s
}

// leave ends the request in s that use began.
func (t *sessions) leave(s *session, posts int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(s, posts)
}

// release ends one request in s. It is called with mu held.
func (t *sessions) release(s *session, posts int) {
	s.active--
	s.posts -= posts
	if s.ended {
		if posts > 0 && s.posts == 0 {
			close(s.quiet)
		}
		return
	}
	if s.active > 0 {
		return
	}
	s.since = time.Now()
	if s.timer == nil {
		s.timer = time.AfterFunc(t.timeout, func() { t.endIdle(s) })
	}
}

// endIdle ends s if nobody has used it for long enough. If somebody has, it comes again when that may be so; a timer that
// is left standing costs a session in use less than one for each request.
func (t *sessions) endIdle(s *session) {
	t.mu.Lock()
	idle := time.Since(s.since)
	if s.active > 0 || s.ended || idle < t.timeout {
		switch {
		case s.ended:
		case s.active > 0:
			s.timer = nil // release makes one
		default:
			s.timer.Reset(t.timeout - idle)
		}
		t.mu.Unlock()
		return
	}
	t.remove(s)
	t.mu.Unlock()
	s.close()
}

// end ends s: its calls are cancelled, its streams close, its id is unknown from now on.
func (t *sessions) end(s *session) {
	t.mu.Lock()
	if s.ended {
		t.mu.Unlock()
		return
	}
	t.remove(s)
	t.mu.Unlock()
	s.close()
}

// endAll ends every session and begins none. It waits until their streams have closed, or until ctx ends: a client that
// does not read can hold a stream for a while.
func (t *sessions) endAll(ctx context.Context) {
	t.mu.Lock()
	t.closed = true
	var all []*session
	for _, s := range t.byID {
		all = append(all, s)
	}
	for _, s := range all {
		t.remove(s)
	}
	t.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(s.close)
	}
	closed := make(chan struct{})
	go func() {
		wg.Wait()
		close(closed)
	}()
	select {
	case <-closed:
	case <-ctx.Done():
	}
}

// remove forgets s. It is called with mu held.
func (t *sessions) remove(s *session) {
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if s.posts == 0 {
		close(s.quiet)
	}
	delete(t.byID, s.id)
	if mine := t.perUser[s.key]; mine != nil {
		delete(mine, s)
		if len(mine) == 0 {
			delete(t.perUser, s.key)
		}
	}
	t.count--
}

// answerTime is how long the cancelled calls of an ended session have to be answered.
const answerTime = 2 * time.Second

// close cancels the calls of a session that was removed, lets their answers out and closes its streams.
func (s *session) close() {
	s.cancel(errSessionEnded)
	if s.server == nil {
		return
	}
	select {
	case <-s.quiet:
	case <-time.After(answerTime):
	}
	s.server.Close()
}
