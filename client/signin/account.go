package signin

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Account is who signed in, as the tokens tell it: for display, and to keep several sign-ins apart. It is not proof of
// anything: nobody checked a signature, and a server decides by the token.
type Account struct {
	Issuer  string `json:"issuer,omitempty"`  // the authorization server
	Tenant  string `json:"tenant,omitempty"`  // Entra's tid
	Subject string `json:"subject,omitempty"` // sub; at Entra oid, which is one for all programs
	Name    string `json:"name,omitempty"`    // a display name; may be empty
	Email   string `json:"email,omitempty"`   // or the name that one signs in with; may be empty
}

// Key names the account among all accounts: issuer, tenant and subject. It is empty when the subject is unknown.
func (a Account) Key() string {
	if a.Subject == "" {
		return ""
	}
	return a.Issuer + " " + a.Tenant + " " + a.Subject
}

// String is what to show a person: the e-mail address, else the name, else the subject.
func (a Account) String() string {
	for _, s := range []string{a.Email, a.Name, a.Subject} {
		if s != "" {
			return s
		}
	}
	return "unknown account"
}

const maxClaims = 64 << 10 // bytes of a token that is read for display

// accountOf reads who signed in from the ID token, and what it lacks from the access token. Both came straight from the
// token endpoint (OpenID Connect Core 1.0, section 3.1.3.7, item 6).
func accountOf(issuer string, tokens ...string) Account {
	a := Account{Issuer: issuer}
	for _, token := range tokens {
		var c struct {
			Subject           string `json:"sub"`
			Tenant            string `json:"tid"`
			Object            string `json:"oid"`
			Name              string `json:"name"`
			Email             string `json:"email"`
			PreferredUsername string `json:"preferred_username"`
			UPN               string `json:"upn"`
			UniqueName        string `json:"unique_name"`
		}
		if !readClaims(token, &c) {
			continue
		}
		if c.Tenant != "" && c.Object != "" {
			c.Subject = c.Object
		} else {
			c.Tenant = ""
		}
		if a.Subject == "" {
			a.Subject, a.Tenant = line(c.Subject), line(c.Tenant)
		}
		if a.Subject != line(c.Subject) {
			continue // another person's, or a pairwise subject: better nothing than a mixture
		}
		a.Name = first(a.Name, line(c.Name))
		a.Email = first(a.Email, line(first(c.Email, c.PreferredUsername, c.UPN, c.UniqueName)))
	}
	return a
}

// readClaims decodes the claims of a JWT without checking anything.
func readClaims(token string, claims any) bool {
	parts := strings.Split(token, ".")
	if len(token) > maxClaims || len(parts) != 3 {
		return false
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(body, claims) == nil
}

// first is the first of texts that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
