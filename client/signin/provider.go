package signin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// providerOf is what is known of the habits of issuer: given, or what its address tells.
func providerOf(issuer string, given *idp.Provider) *idp.Provider {
	if given != nil {
		return given
	}
	p := idp.Recognize(issuer)
	return &p
}

func isEntra(p *idp.Provider) bool { return p != nil && p.Name == "entra" }

const defaultScope = "/.default" // Entra: everything that was consented to for one API

// mixable drops .default from scopes that it cannot stand beside (Entra: AADSTS70011).
func mixable(p *idp.Provider, scopes []string) []string {
	named := func(s string) bool { return strings.Contains(s, "/") && !strings.HasSuffix(s, defaultScope) }
	if !isEntra(p) || !slices.ContainsFunc(scopes, named) {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return strings.HasSuffix(s, defaultScope) })
}

// unattended is what a program asks for by itself. At Entra that is .default of the API that scopes belong to, and
// nothing else (AADSTS1002012).
func unattended(p *idp.Provider, scopes []string) ([]string, error) {
	if !isEntra(p) || len(scopes) == 1 && strings.HasSuffix(scopes[0], defaultScope) {
		return scopes, nil
	}
	for _, s := range scopes {
		if api, name := cutLast(s); api != "" && name != "" {
			return []string{api + defaultScope}, nil
		}
	}
	return nil, fmt.Errorf("signin: Microsoft Entra wants the scope <App ID URI>/.default, and no App ID URI can be told from %q: set the scopes",
		line(strings.Join(scopes, " ")))
}

// cutLast cuts s at its last slash, which must not be one of "://".
func cutLast(s string) (before, after string) {
	i := strings.LastIndexByte(s, '/')
	if i <= 0 || strings.HasSuffix(s[:i+1], "://") {
		return "", ""
	}
	return s[:i], s[i+1:]
}

// mergeClaims is the claims parameter that answers a claims challenge. At Entra it says, too, that this client answers
// such challenges (xms_cc, cp1). claims was checked to be a JSON object.
func mergeClaims(p *idp.Provider, claims string) (string, error) {
	if claims == "" {
		return "", nil
	}
	var c map[string]json.RawMessage
	if err := json.Unmarshal([]byte(claims), &c); err != nil || c == nil {
		return "", fmt.Errorf("signin: the claims that the server asks for are not a JSON object")
	}
	if !isEntra(p) {
		return claims, nil
	}
	access := map[string]json.RawMessage{}
	if raw := c["access_token"]; len(raw) > 0 && string(raw) != "null" {
		if err := json.Unmarshal(raw, &access); err != nil {
			return "", fmt.Errorf("signin: the claims that the server asks for are not those of an access token")
		}
	}
	access["xms_cc"] = json.RawMessage(`{"values":["cp1"]}`)
	raw, err := json.Marshal(access)
	if err != nil {
		return "", err
	}
	c["access_token"] = raw
	merged, err := json.Marshal(c)
	return string(merged), err
}
