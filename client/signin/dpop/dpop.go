// Package dpop proves possession of the key that a token is bound to (RFC 9449).
//
// It makes keys and signs proofs. It sends nothing and remembers no nonce: whoever sends a request asks for a proof of
// just that request, and puts the server's last nonce in.
//
//	a key, kept and read back     Key, NewKey, ReadKey    dpop.go
//	the proof of one request      Key.Proof               proof.go
package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-jose/go-jose/v4"
)

// Algorithm is the only one that is used: every server that takes DPoP takes it.
const Algorithm = "ES256"

// Key is a private key on P-256. It is safe for concurrent use, and never prints itself.
type Key struct {
	private *ecdsa.PrivateKey
	signer  jose.Signer
}

// NewKey makes a key.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("dpop: %w", err)
	}
	return newKey(private)
}

// ReadKey reads what [Key.Reveal] wrote. The error quotes nothing of it.
func ReadKey(jwk string) (*Key, error) {
	var k jose.JSONWebKey
	if json.Unmarshal([]byte(jwk), &k) != nil {
		return nil, errors.New("dpop: not a JWK")
	}
	private, ok := k.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() || !k.Valid() {
		return nil, errors.New("dpop: not a private key on P-256")
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (*Key, error) {
	// RFC 9449, section 4.2: the type, and the public key inside the header.
	o := (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, o)
	if err != nil {
		return nil, fmt.Errorf("dpop: %w", err)
	}
	return &Key{private, signer}, nil
}

// Reveal writes the key down as a private JWK.
func (k *Key) Reveal() (string, error) {
	b, err := json.Marshal(jose.JSONWebKey{Key: k.private})
	return string(b), err
}

// Thumbprint names the key as the cnf.jkt of a token does (RFC 7638, RFC 9449, section 6.1).
func (k *Key) Thumbprint() string {
	sum, err := (&jose.JSONWebKey{Key: k.private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "" // not for a key on P-256
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Format prints the thumbprint, whatever the verb.
func (k *Key) Format(f fmt.State, _ rune) { io.WriteString(f, "dpop.Key "+k.Thumbprint()) }

// LogValue is the thumbprint.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.Thumbprint()) }
