package devidp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyring holds the signing keys. They are made when first needed, never read from anywhere.
type keyring struct {
	mu      sync.Mutex
	current map[jose.SignatureAlgorithm]*signingKey
	earlier []*signingKey // still published after a roll, newest first
	foreign *signingKey   // published by Entra's common key set, bound to another issuer
}

type signingKey struct {
	kid     string
	alg     jose.SignatureAlgorithm
	private crypto.Signer
	cert    []byte // DER, self-signed: Entra publishes one with each key
	x5t     string // the certificate's SHA-1, as Entra names keys
}

const earlierKeys = 64 // both kinds together

// signer returns the current key for alg.
func (k *keyring) signer(alg jose.SignatureAlgorithm) (*signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.signerLocked(alg)
}

func (k *keyring) signerLocked(alg jose.SignatureAlgorithm) (*signingKey, error) {
	if key, ok := k.current[alg]; ok {
		return key, nil
	}
	key, err := newSigningKey(alg)
	if err != nil {
		return nil, err
	}
	if k.current == nil {
		k.current = map[jose.SignatureAlgorithm]*signingKey{}
	}
	k.current[alg] = key
	return key, nil
}

// foreignKey returns the key that is bound to an issuer not ours.
func (k *keyring) foreignKey() (*signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.foreign == nil {
		key, err := newSigningKey(jose.RS256)
		if err != nil {
			return nil, err
		}
		k.foreign = key
	}
	return k.foreign, nil
}

// roll makes keys that sign from now on. The old ones stay published, unless drop is set.
func (k *keyring) roll(drop bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		if old, ok := k.current[alg]; ok {
			k.earlier = append([]*signingKey{old}, k.earlier...)
		}
	}
	k.current = nil
	if drop {
		k.earlier = nil
	}
	k.earlier = k.earlier[:min(len(k.earlier), earlierKeys)]
}

// published lists the keys a key set shows, current ones first.
func (k *keyring) published(algs ...jose.SignatureAlgorithm) ([]*signingKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var keys []*signingKey
	for _, alg := range algs {
		key, err := k.signerLocked(alg)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return append(keys, k.earlier...), nil
}

func newSigningKey(alg jose.SignatureAlgorithm) (*signingKey, error) {
	var private crypto.Signer
	var err error
	switch alg {
	case jose.RS256:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("%s is neither RS256 nor ES256", alg)
	}
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(random(16)),
		Subject:      pkix.Name{CommonName: "development only"},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, fmt.Errorf("make signing certificate: %w", err)
	}
	sum := sha1.Sum(cert)
	jwk := jose.JSONWebKey{Key: private.Public()}
	thumb, err := jwk.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return nil, fmt.Errorf("name signing key: %w", err)
	}
	return &signingKey{kid: b64(thumb), alg: alg, private: private, cert: cert, x5t: b64(sum[:])}, nil
}

// sign makes a compact JWS of claims with exactly the members of header, beside alg and kid.
func (k *signingKey) sign(kid string, header, claims map[string]any) (string, error) {
	opts := &jose.SignerOptions{}
	for name, v := range header {
		opts.WithHeader(jose.HeaderKey(name), v)
	}
	opts.WithHeader("kid", kid)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.alg, Key: k.private}, opts)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return jws.CompactSerialize()
}

// kidOf is the name a key goes by: its RFC 7638 thumbprint, and its certificate's with the Entra character.
func (s *Server) kidOf(k *signingKey) string {
	if s.entra() {
		return k.x5t
	}
	return k.kid
}

var errNotOurs = errors.New("not a token of this provider")

// verified returns the claims of a JWT that this provider signed with a key it still publishes. It checks nothing
// else. With the Entra character it also reads tokens for Microsoft Graph, whose signature nobody else can check.
func (s *Server) verified(token string) (claims map[string]any, header map[string]any, err error) {
	if len(token) > maxToken || strings.Count(token, ".") != 2 {
		return nil, nil, errNotOurs
	}
	head, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
	if err != nil || json.Unmarshal(head, &header) != nil {
		return nil, nil, errNotOurs
	}
	if nonce, ok := header["nonce"].(string); ok && s.entra() {
		head = bytes.Replace(head, []byte(nonce), []byte(hashed(nonce)), 1)
		token = b64(head) + token[strings.IndexByte(token, '.'):]
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, nil, errNotOurs
	}
	keys, err := s.allKeys()
	if err != nil {
		return nil, nil, err
	}
	for _, k := range keys {
		if s.kidOf(k) != header["kid"] || string(k.alg) != header["alg"] {
			continue
		}
		payload, err := jws.Verify(k.private.Public())
		if err != nil || json.Unmarshal(payload, &claims) != nil {
			return nil, nil, errNotOurs
		}
		return claims, header, nil
	}
	return nil, nil, errNotOurs
}

// allKeys are the keys that tokens of this provider may be signed by.
func (s *Server) allKeys() ([]*signingKey, error) {
	keys, err := s.keys.published(jose.RS256, jose.ES256)
	if err != nil || !s.opts.AppSigningKey {
		return keys, err
	}
	own, err := s.appKeys.published(jose.RS256)
	return append(own, keys...), err
}

// serveKeys answers with the JWK set (RFC 7517, section 5).
func (s *Server) serveKeys(w http.ResponseWriter, r *http.Request) {
	s.faults.count("jwks")
	keys, err := s.keys.published(jose.RS256, jose.ES256)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Algorithm: string(k.alg), Use: "sig"})
	}
	writeDocument(w, set)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// opaque makes an unguessable name of 256 random bits.
func opaque() string { return b64(random(32)) }

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64(sum[:])
}
