package bearer

import (
	"crypto/sha256"
	"net/http"
	"strings"
)

// Known reports whether r brings a token that was verified before and is still good, as far as is remembered. It costs
// next to nothing and reaches out to nobody. It lets nobody in: it is for saying whom to serve first where there is more
// to do than can be done.
func (g *Guard) Known(r *http.Request) bool {
	lines := r.Header["Authorization"]
	if len(lines) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > g.cfg.MaxTokenBytes {
		return false
	}
	id, _ := g.cache.look(sha256.Sum256([]byte(strings.Trim(token, " "))), g.now())
	return id != nil
}
