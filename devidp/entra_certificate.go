package devidp

import (
	"crypto/sha1"
	"crypto/sha256"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// certified keeps of keys the one whose certificate the header of an assertion names by its hash, as Entra finds it:
// x5t#S256, or x5t of older libraries (certificate-credentials). A bare key is none, and neither is one that is not RSA.
func (s *Server) certified(token *jwt.JSONWebToken, keys *jose.JSONWebKeySet) (*jose.JSONWebKeySet, error) {
	head := token.Headers[0]
	if head.Algorithm == string(jose.ES256) {
		return nil, refuseAssertion.of("alg is neither PS256 nor RS256")
	}
	name, _ := head.ExtraHeaders["x5t#S256"].(string)
	older, _ := head.ExtraHeaders["x5t"].(string)
	if name == "" && older == "" {
		return nil, refuseAssertion.of("its header names no certificate by x5t#S256")
	}
	found := &jose.JSONWebKeySet{}
	for _, k := range keys.Keys {
		if len(k.Certificates) == 0 {
			continue
		}
		der := k.Certificates[0].Raw
		if now := s.clock(); now.Before(k.Certificates[0].NotBefore) || now.After(k.Certificates[0].NotAfter) {
			continue
		}
		long, short := sha256.Sum256(der), sha1.Sum(der)
		if name == b64(long[:]) || name == "" && strings.TrimRight(older, "=") == b64(short[:]) {
			k.KeyID = "" // the hash names it, whatever kid says
			found.Keys = append(found.Keys, k)
		}
	}
	if len(found.Keys) == 0 {
		return nil, refuseAssertion.of("no certificate of the application has this hash")
	}
	return found, nil
}
