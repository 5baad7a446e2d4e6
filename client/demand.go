package client

import (
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// demand is what a server asks for before it does what it was asked.
type demand struct {
	challenge *oauth.Challenge // nil when a 401 came without one for tokens
	stepUp    bool             // the token is good, and not enough
	claims    string           // JSON, of a claims challenge
	err       error            // what it means when nothing is done
}

// demandOf reads the refusal of a request that carried t; nil means that resp is for the caller.
func (a *authorizer) demandOf(resp *http.Response, t credential) *demand {
	c := challengeOf(resp)
	switch {
	case resp.StatusCode == http.StatusForbidden && c != nil && c.Error == oauth.CodeInsufficientScope:
		return &demand{challenge: c, stepUp: t.token != "", err: &ScopeError{Server: a.server, Challenge: c}}
	case resp.StatusCode != http.StatusUnauthorized:
		return nil
	}
	d := &demand{challenge: c, err: &UnauthorizedError{Server: a.server, Challenge: c, Refused: t.token != ""}}
	if claims := claimsOf(c); claims != "" && t.token != "" {
		d.stepUp, d.claims = true, claims
	}
	return d
}

// maxClaims bounds what a claims challenge may ask for.
const maxClaims = 8 << 10

// claimsOf decodes the claims challenge of Entra: a 401 insufficient_claims with base64 of a JSON object. What is not
// such an object asks for nothing.
func claimsOf(c *oauth.Challenge) string {
	if c == nil || c.Error != "insufficient_claims" || c.Claims == "" || len(c.Claims) > maxClaims {
		return ""
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		decoded, err := encoding.DecodeString(c.Claims)
		var object map[string]json.RawMessage
		if err == nil && json.Unmarshal(decoded, &object) == nil && object != nil {
			return string(decoded)
		}
	}
	return ""
}

// message is the JSON-RPC message of a request, as far as it matters here.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
	} `json:"params"`
}

// messageOf reads what req carries; anything but one message is the empty one.
func messageOf(req *http.Request) (m message) {
	if req.GetBody == nil || req.Method != http.MethodPost {
		return message{}
	}
	body, err := req.GetBody()
	if err != nil {
		return message{}
	}
	defer body.Close()
	if json.NewDecoder(body).Decode(&m) != nil {
		return message{}
	}
	return m
}

// isCall reports whether somebody waits for the answer: it is a request, not a notification.
func (m *message) isCall() bool { return m.Method != "" && len(m.ID) > 0 && string(m.ID) != "null" }

// operation names what is asked for, so that step-ups are counted for each operation (C-20).
func (m *message) operation() string { return m.Method + " " + m.Params.Name + m.Params.URI }
