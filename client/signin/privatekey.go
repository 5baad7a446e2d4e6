package signin

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

const (
	assertionLife = 5 * time.Minute
	minRSABits    = 2048
)

// PrivateKey proves a client by a JWT that it signs itself (private_key_jwt; RFC 7523, section 2.2). It never prints
// its key.
type PrivateKey struct {
	Key crypto.Signer // required: RSA of 2048 bits or more, or ECDSA on P-256
	// Algorithm is "ES256", "RS256" or "PS256"; empty means ES256 for ECDSA and RS256 for RSA, at Entra PS256.
	Algorithm string
	// KeyID names the key in the client's key set; empty means that the header names none.
	KeyID string
	// Certificate is that of the key; its SHA-256 goes along as x5t#S256, by which Entra finds it. nil means that the
	// client registered a bare key, which Entra has no place for.
	Certificate *x509.Certificate
	// Audience is whom the JWT is made out to; empty means the token endpoint at Entra, and elsewhere the issuer.
	Audience string
}

// ReadPrivateKey reads a PEM file with a private key and, where there is one, its certificate. The error quotes
// nothing of it.
func ReadPrivateKey(text []byte) (*PrivateKey, error) {
	k := &PrivateKey{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, errors.New("signin: the certificate cannot be read")
			}
			if k.Certificate == nil { // the first is the key's own, the others lead to its authority
				k.Certificate = c
			}
		case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
			if k.Key != nil {
				return nil, errors.New("signin: the file holds more than one private key")
			}
			signer, err := parseKey(block)
			if err != nil {
				return nil, err
			}
			k.Key = signer
		}
	}
	if k.Key == nil {
		return nil, errors.New("signin: the file holds no private key in the clear")
	}
	return k, k.check()
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("signin: the private key cannot be read")
	}
	return signer, nil
}

// check names what keeps the key from signing.
func (k *PrivateKey) check() error {
	if k.Key == nil {
		return errors.New("signin: PrivateKey.Key is nil")
	}
	allowed := []string{}
	switch public := k.Key.Public().(type) {
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			allowed = []string{"ES256"}
		}
	case *rsa.PublicKey:
		if public.N.BitLen() >= minRSABits {
			allowed = []string{"RS256", "PS256"}
		}
	}
	if len(allowed) == 0 {
		return fmt.Errorf("signin: a private key is RSA of %d bits or more, or ECDSA on P-256", minRSABits)
	}
	if k.Algorithm != "" && !slices.Contains(allowed, k.Algorithm) {
		return fmt.Errorf("signin: the private key cannot sign with %s", line(k.Algorithm))
	}
	if public, ok := k.Key.Public().(interface{ Equal(crypto.PublicKey) bool }); k.Certificate != nil && (!ok || !public.Equal(k.Certificate.PublicKey)) {
		return errors.New("signin: the certificate is not that of the private key")
	}
	return nil
}

func (k *PrivateKey) authenticate(_ context.Context, a *asking) error {
	now, audience, signs := a.now(), a.issuer, *k
	if k.Certificate != nil && now.After(k.Certificate.NotAfter) {
		return fmt.Errorf("%w: the certificate of client %s ended on %s", ErrProof, line(a.clientID), k.Certificate.NotAfter.UTC().Format(time.DateTime+"Z"))
	}
	if isEntra(a.provider) {
		audience = a.tokenURL
		if k.Certificate == nil {
			return fmt.Errorf("%w: Entra knows a client by its certificate: put it into the file of the private key", ErrProof)
		}
		if _, is := k.Key.Public().(*rsa.PublicKey); is && k.Algorithm == "" {
			signs.Algorithm = "PS256"
		}
	}
	assertion, err := signs.sign(a.clientID, first(k.Audience, audience), now)
	if err != nil {
		return err
	}
	a.form.Set("client_assertion_type", assertionType)
	a.form.Set("client_assertion", string(assertion))
	return nil
}

// sign makes an assertion that is good for one request (RFC 7523, section 3).
func (k *PrivateKey) sign(clientID, audience string, now time.Time) (Secret, error) {
	if err := k.check(); err != nil {
		return "", err
	}
	algorithm := jose.SignatureAlgorithm(k.Algorithm)
	if algorithm == "" {
		algorithm = jose.RS256
		if _, ok := k.Key.Public().(*ecdsa.PublicKey); ok {
			algorithm = jose.ES256
		}
	}
	o := (&jose.SignerOptions{}).WithType("JWT")
	if k.KeyID != "" {
		o = o.WithHeader("kid", k.KeyID)
	}
	if k.Certificate != nil {
		sum := sha256.Sum256(k.Certificate.Raw)
		o = o.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: cryptosigner.Opaque(k.Key)}, o)
	if err != nil {
		return "", fmt.Errorf("signin: %w", err)
	}
	claims, err := json.Marshal(map[string]any{"iss": clientID, "sub": clientID, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(assertionLife).Unix()})
	if err != nil {
		return "", fmt.Errorf("signin: %w", err)
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("signin: sign the assertion: %w", err)
	}
	text, err := signed.CompactSerialize()
	return Secret(text), err
}

// Format prints the name of the key, never the key.
func (k *PrivateKey) Format(f fmt.State, _ rune) { io.WriteString(f, "signin.PrivateKey "+k.KeyID) }

// LogValue is the name of the key.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }
