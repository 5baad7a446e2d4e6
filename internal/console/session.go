package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

// session is what is kept of a person who signed in. It stands in the store under the digest of the cookie.
type session struct {
	Issuer   string // of the ID token
	Subject  string // of the ID token
	Provider string // the provider's own session, its sid; may be empty
	Begun    time.Time
	Seen     time.Time // roughly
	CSRF     string
	Asked    []string // scopes asked for
	Granted  []string // scopes granted; empty where the provider does not say
	Access   string
	Expiry   time.Time // of Access
	Renew    time.Time // when it is refreshed
	Refresh  string    // may be empty
	IDToken  string    // the hint for signing out
	Identity identity.Identity
	Claims   json.RawMessage // of the ID token, for the person to see

	key      string // digest of the cookie
	revision uint64
	earlier  []string // keys of the sessions that this one replaces
}

var (
	// errNoSession says that nobody is signed in here.
	errNoSession = errors.New("console: no session")
	// errAway says that the provider cannot be asked, and that nothing else says who has the session.
	errAway = errors.New("console: the provider cannot be asked")
)

func sessionKey(key string) string { return "session/" + key }
func changesLog(key string) string { return "session/" + key + "/changes" }
func refreshKey(key string) string { return "session/" + key + "/refresh" }
func ownerLog(owner string) string { return "sessions/of/" + digest(owner) }
func providerLog(iss, sid string) string {
	return "sessions/at/" + digest(iss+"\x00"+sid)
}

// keep takes over what the token endpoint gave.
func (s *session) keep(a *answer, now time.Time) {
	life := a.life()
	s.Access, s.Expiry, s.Renew = a.AccessToken, now.Add(life), now.Add(life*4/5)
	if a.RefreshToken != "" {
		s.Refresh = a.RefreshToken
	}
	if a.IDToken != "" {
		s.IDToken = a.IDToken
	}
	if a.Scope != nil {
		s.Granted = strings.Fields(*a.Scope)
	}
}

// open keeps a new session under a new id, always another than before (attack 10), and ends the one it replaces.
func (h *Handler) open(ctx context.Context, s *session) (id string, err error) {
	id = token()
	s.key = digest(id)
	if err := h.save(ctx, s); err != nil {
		return "", err
	}
	logs := []string{ownerLog(s.Identity.Key()), providerLog(s.Issuer, "sub\x00"+s.Subject)}
	if s.Provider != "" {
		logs = append(logs, providerLog(s.Issuer, "sid\x00"+s.Provider))
	}
	for _, log := range logs {
		if err := h.enter(ctx, log, s.key); err != nil {
			return "", errors.Join(err, h.end(ctx, s.key))
		}
	}
	for _, earlier := range s.earlier {
		err = errors.Join(err, h.end(ctx, earlier))
	}
	return id, err
}

// maxSessions are those of the newest sign-ins of one person. Older ones end, so that none is ever out of reach of a
// sign-out everywhere.
const maxSessions = 100

// enter adds a session to a log of sessions, and ends those that are too many there. The log keeps more than that, so
// that none falls out of it while it goes on, whatever comes in between.
func (h *Handler) enter(ctx context.Context, log, key string) error {
	if _, err := h.o.Store.Append(ctx, log, []byte(key), store.Keep{TTL: h.o.Absolute, Most: 2 * maxSessions}); err != nil {
		return err
	}
	all, err := h.o.Store.Entries(ctx, log, 0, 0)
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-maxSessions)] {
		if err := h.endOld(ctx, string(old.Data)); err != nil {
			return err
		}
	}
	return nil
}

// endOld ends a session where it is still there.
func (h *Handler) endOld(ctx context.Context, key string) error {
	_, err := h.o.Store.Get(ctx, sessionKey(key))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return h.end(ctx, key)
}

// save writes a session where nobody else has since it was read.
func (h *Handler) save(ctx context.Context, s *session) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	left := min(h.o.Idle, h.o.Absolute-h.o.Now().Sub(s.Begun))
	revision, err := h.o.Store.Put(ctx, sessionKey(s.key), data, store.Write{TTL: max(left, time.Second), If: s.revision, Create: s.revision == 0})
	if err != nil {
		return err
	}
	s.revision = revision
	return nil
}

// current is the session of a request's cookie, or errNoSession, or why the store cannot be asked.
func (h *Handler) current(r *http.Request) (*session, error) {
	id := cookie(r, h.session)
	if id == "" {
		return nil, errNoSession
	}
	return h.load(r.Context(), digest(id))
}

func (h *Handler) load(ctx context.Context, key string) (*session, error) {
	item, err := h.o.Store.Get(ctx, sessionKey(key))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errNoSession
	case err != nil:
		return nil, fmt.Errorf("console: the store: %w", err)
	}
	s := &session{key: key, revision: item.Revision}
	if err := json.Unmarshal(item.Value, s); err != nil {
		return nil, fmt.Errorf("console: the store: %w", err)
	}
	if h.left(s) <= 0 {
		return nil, errNoSession
	}
	return s, nil
}

// left is how long a session lives on without a request.
func (h *Handler) left(s *session) time.Duration {
	now := h.o.Now()
	return min(h.o.Idle-now.Sub(s.Seen), h.o.Absolute-now.Sub(s.Begun))
}

// end removes a session and tells the pages that show it.
func (h *Handler) end(ctx context.Context, key string) error {
	err := h.o.Store.Delete(ctx, sessionKey(key))
	if _, tellErr := h.o.Store.Append(ctx, changesLog(key), []byte("ended"), store.Keep{TTL: time.Minute, Most: 10}); err == nil {
		err = tellErr
	}
	return err
}

// endAll ends every session that a log names.
func (h *Handler) endAll(ctx context.Context, log string) error {
	entries, err := h.o.Store.Entries(ctx, log, 0, 0)
	if err != nil {
		return err
	}
	for _, e := range entries {
		err = errors.Join(err, h.end(ctx, string(e.Data)))
	}
	return err
}
