package bearer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxHeaderBytes = 4 << 10 // of a JOSE header, encoded
	maxKeyID       = 512     // bytes of a kid
)

// algorithms are the signatures that are ever accepted. A provider accepts some of them. "none" and the HMAC family are
// not among them: with those, whoever knows the public key could sign.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// token is a JWT that was parsed but not verified.
type token struct {
	raw    string
	alg    string
	kid    string
	typ    string // lower case, without "application/"
	nonce  bool   // a nonce stands in the header, as in tokens for Microsoft Graph
	claims claims
}

// errNotJWT tells opaque tokens from JWTs that are wrong.
var errNotJWT = errors.New("not three parts with a JOSE header")

// parseToken reads a compact JWS strictly and believes nothing of it. raw is bounded by the caller. It returns errNotJWT
// for what does not look like a JWT at all, and else a *Error.
func parseToken(raw string) (*token, error) {
	head, rest, ok := strings.Cut(raw, ".")
	if !ok || len(head) == 0 || len(head) > maxHeaderBytes {
		return nil, errNotJWT
	}
	body, signature, ok := strings.Cut(rest, ".")
	h, err := part(head)
	if err != nil || !ok || h["alg"] == nil {
		return nil, errNotJWT
	}
	if strings.Contains(signature, ".") {
		return nil, refusal(ReasonMalformed, errors.New("more than three parts"))
	}
	t := &token{raw: raw}
	if e := t.header(h); e != nil {
		return nil, e
	}
	if _, err := strict.DecodeString(signature); err != nil || signature == "" {
		return nil, refusal(ReasonMalformed, errors.New("signature: not base64url"))
	}
	c, err := part(body)
	if err != nil {
		return nil, refusal(ReasonMalformed, fmt.Errorf("claims: %w", err))
	}
	t.claims = c
	return t, nil
}

var strict = base64.RawURLEncoding.Strict()

func part(encoded string) (map[string]any, error) {
	// The decoder skips line breaks, which would give one token many spellings.
	if strings.ContainsAny(encoded, "\r\n") {
		return nil, errors.New("not base64url")
	}
	b, err := strict.DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64url")
	}
	return object(b)
}

// header reads what decides about the signature. Keys and addresses of keys in the header (jwk, jku, x5c, x5u) are never
// looked at.
func (t *token) header(h map[string]any) *Error {
	var ok bool
	if t.alg, ok = h["alg"].(string); !ok {
		return refusal(ReasonMalformed, errors.New("header: alg is not a text"))
	}
	if !slices.Contains(algorithms, t.alg) {
		return refusal(ReasonAlgorithm, fmt.Errorf("alg %.20q", t.alg))
	}
	if _, has := h["crit"]; has { // RFC 7515, section 4.1.11: we understand no extension
		return refusal(ReasonMalformed, errors.New("header: crit"))
	}
	if _, has := h["b64"]; has { // RFC 7797
		return refusal(ReasonMalformed, errors.New("header: b64"))
	}
	if v, has := h["kid"]; has {
		if t.kid, ok = v.(string); !ok || t.kid == "" || len(t.kid) > maxKeyID {
			return refusal(ReasonMalformed, errors.New("header: kid is not a text of bounded length"))
		}
	}
	if v, has := h["typ"]; has {
		typ, ok := v.(string)
		if !ok {
			return refusal(ReasonMalformed, errors.New("header: typ is not a text"))
		}
		t.typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	}
	_, t.nonce = h["nonce"]
	return nil
}
