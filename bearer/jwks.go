package bearer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 256  // of one set
	minRSABits = 2048 // RFC 7518, section 3.3
)

// signingKey is a public key that a provider publishes for checking signatures.
type signingKey struct {
	id     string
	alg    string // empty where the key does not say
	issuer string // for which issuer alone the key signs; empty where the key does not say. May hold a placeholder.
	public crypto.PublicKey
	print  string // identifies the key with all of the above

	// gone says that the provider has withdrawn the key; what it signed is then verified anew, and refused.
	gone atomic.Bool
}

// parseKeys reads a key set (RFC 7517, section 5). Keys it cannot use are left out, as the RFC asks: unknown kinds, keys
// for encryption, weak RSA keys, and anything private or symmetric. A set without a usable key is a fault.
func parseKeys(body []byte) ([]*signingKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, errors.New("the key set is not the JSON expected")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("more than %d keys", maxKeys)
	}
	var keys []*signingKey
	for _, raw := range set.Keys {
		if k := parseKey(raw); k != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("none of %d keys can check a signature", len(set.Keys))
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) *signingKey {
	var about struct {
		Use        string   `json:"use"`
		Operations []string `json:"key_ops"`
		Issuer     string   `json:"issuer"`
	}
	var k jose.JSONWebKey
	if json.Unmarshal(raw, &about) != nil || k.UnmarshalJSON(raw) != nil {
		return nil
	}
	if about.Use != "" && about.Use != "sig" || about.Operations != nil && !slices.Contains(about.Operations, "verify") {
		return nil
	}
	if !k.Valid() || !k.IsPublic() || len(k.KeyID) > maxKeyID {
		return nil
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSABits || public.N.BitLen() > 8*minRSABits {
			return nil
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil
	}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil
	}
	print := strings.Join([]string{k.KeyID, k.Algorithm, about.Issuer, base64.RawURLEncoding.EncodeToString(sum)}, "\x00")
	return &signingKey{id: k.KeyID, alg: k.Algorithm, issuer: about.Issuer, public: k.Key, print: print}
}

// fits reports whether the key may check signatures of alg.
func (k *signingKey) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// verify checks the signature of a compact JWS that was parsed before.
func (k *signingKey) verify(t *token) error {
	signed, err := jose.ParseSignedCompact(t.raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.alg)})
	if err != nil {
		return errors.New("go-jose cannot parse it")
	}
	_, err = signed.Verify(k.public)
	return err
}
