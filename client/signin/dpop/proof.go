package dpop

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// Request is what a proof is made for.
type Request struct {
	Method string
	URL    string // its query and fragment are left out of the proof
	Token  string // the token that goes along; empty at a token endpoint
	Nonce  string // the server's last; empty means that it gave none
	Now    time.Time
}

// Proof signs a proof for one request, good for this request alone (RFC 9449, section 4.2).
func (k *Key) Proof(r Request) (string, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return "", fmt.Errorf("dpop: %w", err)
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = "", false, "", ""
	claims := map[string]any{"jti": rand.Text(), "htm": r.Method, "htu": u.String(), "iat": r.Now.Unix()}
	if r.Token != "" {
		sum := sha256.Sum256([]byte(r.Token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if r.Nonce != "" {
		claims["nonce"] = r.Nonce
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("dpop: %w", err)
	}
	signed, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("dpop: %w", err)
	}
	return signed.CompactSerialize()
}
