package bearer

import (
	"context"
	"net"
	"sync/atomic"
)

// ConnContext is for [http.Server.ConnContext]: it lets a connection remember its last good token, so that the
// fingerprint of a token that comes over it again need not be made again. That is all that is remembered: each request's
// token is looked up as any other is, and ends when it ends. Without it everything works, and each fingerprint is made.
//
// The server's own buffer of the connection holds that token as well, and for as long.
func ConnContext(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, lastKey{}, &last{})
}

type lastKey struct{}

// lastOf returns what the connection remembers, or nil.
func lastOf(ctx context.Context) *last {
	l, _ := ctx.Value(lastKey{}).(*last)
	return l
}

// last is the last good token of one connection. Over HTTP/2 many requests use it at a time.
type last struct{ token atomic.Pointer[fingerprinted] }

type fingerprinted struct {
	token string
	sum   [32]byte
}

// maxRemembered is the longest token that a connection remembers.
const maxRemembered = 4 << 10

// fingerprint returns the fingerprint of a token, and whether it had to be made.
func (l *last) fingerprint(token string) (sum [32]byte, made bool) {
	if l != nil {
		if seen := l.token.Load(); seen != nil && same(seen.token, token) {
			return seen.sum, false
		}
	}
	return fingerprint(token), true
}

// remember keeps a token that was let in.
func (l *last) remember(token string, sum [32]byte) {
	if l != nil && len(token) <= maxRemembered {
		l.token.Store(&fingerprinted{token, sum})
	}
}

// same compares texts of one length in a time that does not depend on what stands in them, eight bytes at a time.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	var differ uint64
	for len(a) >= 8 && len(b) >= 8 {
		differ |= word(a[:8]) ^ word(b[:8])
		a, b = a[8:], b[8:]
	}
	for i := range min(len(a), len(b)) {
		differ |= uint64(a[i] ^ b[i])
	}
	return differ == 0
}

// word is the number that eight bytes stand for. The compiler makes one load of it.
func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
