package bearer

import (
	"regexp"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Form is how a token is written.
type Form string

const (
	FormJWT       Form = "jwt"       // three parts that anybody can read
	FormEncrypted Form = "encrypted" // five parts that only its addressee can read (RFC 7516)
	FormOpaque    Form = "opaque"    // a text that only its issuer can read
	FormNone      Form = "none"      // no token
)

// Use is what a token is for.
type Use string

const (
	UseAccess  Use = "access"  // calling a resource
	UseID      Use = "id"      // telling a client who signed in
	UseRefresh Use = "refresh" // getting further tokens
	UseLogout  Use = "logout"  // telling a client who signed out
	UseUnknown Use = "unknown" // nothing in it says
)

// Description is what a token says of itself. Nothing of it was verified.
type Description struct {
	Form    Form
	Use     Use
	Why     string // what the use was told by
	Service string // the well-known service it is for, such as "Microsoft Graph"; empty for any other

	Provider string        // the preset that its issuer belongs to, such as "entra"; empty where nothing says
	Version  string        // the version of Entra's format, "1.0" or "2.0"; empty elsewhere
	Kind     identity.Kind // of whom it seems to be; empty where nothing says

	Header map[string]any // nil for what is no JWT
	Claims map[string]any // as they stand: numbers are json.Number
}

// ownMarks are how opaque tokens of well-known providers begin.
var ownMarks = []struct {
	begins   string
	use      Use
	provider string
	why      string
}{
	{"ya29.", UseAccess, "google", "it begins as Google's access tokens do"},
	{"1//", UseRefresh, "google", "it begins as Google's refresh tokens do"},
	{"0.A", UseRefresh, "entra", "it begins as Entra's refresh tokens do"},
	{"1.A", UseRefresh, "entra", "it begins as Entra's refresh tokens do"},
	{"gho_", UseAccess, "github", "it begins as GitHub's access tokens do"},
	{"ghu_", UseAccess, "github", "it begins as GitHub's access tokens do"},
	{"ghp_", UseAccess, "github", "it begins as GitHub's personal tokens do"},
	{"ghr_", UseRefresh, "github", "it begins as GitHub's refresh tokens do"},
}

// b64token is what may stand behind Bearer (RFC 6750, section 2.1). What is shorter than 16 bytes is no secret.
var b64token = regexp.MustCompile(`^[A-Za-z0-9._~+/-]{16,}=*$`)

// Describe reads a token without verifying anything: what it is, whose it seems to be, and what it says.
func Describe(raw string) Description {
	d := Description{Form: FormNone, Use: UseUnknown}
	if len(raw) > maxDescribed || !b64token.MatchString(raw) {
		return d
	}
	parts := strings.Split(raw, ".")
	head, err := part(parts[0])
	switch {
	case err == nil && len(parts) == 5 && head["enc"] != nil:
		d.Form, d.Header = FormEncrypted, head
		return d
	case err != nil || len(parts) != 3 || head["alg"] == nil:
		d.Form = FormOpaque
		for _, m := range ownMarks {
			if strings.HasPrefix(raw, m.begins) {
				d.Use, d.Provider, d.Why = m.use, m.provider, m.why
			}
		}
		return d
	}
	body, err := part(parts[1])
	if err != nil {
		return d // three parts with a header, and claims that are none
	}
	d.Form, d.Header, d.Claims = FormJWT, head, body
	d.read(claims(body))
	return d
}

const maxDescribed = 64 << 10 // bytes of a token that is described

// read tells what a JWT's members say.
func (d *Description) read(c claims) {
	p := recognize(c.text("iss"))
	if c.text("iss") != "" {
		d.Provider = p.Name
	}
	if p.Name == "entra" || c.text("tid") != "" && (c.text("ver") == "1.0" || c.text("ver") == "2.0") {
		d.Provider, d.Version = "entra", c.text("ver") // the development provider's Entra character, too
		p = idp.Entra("common")
	}
	d.Use, d.Why = d.use(c)
	audience, _ := c.audience()
	for _, a := range audience {
		d.Service = orElse(p.ForeignAudiences[a], d.Service)
	}
	if d.Version != "" && d.Header["nonce"] != nil {
		d.Service = orElse(d.Service, "Microsoft Graph")
	}
	id := &identity.Identity{}
	if c.who(id, p.Claims) == nil && c.permissions(id, p.Claims, audience) == nil {
		d.Kind = c.kind(id, p.Claims)
	}
}

// recognize is [idp.Recognize], for the issuers of Entra's first version too: what names the issuer of its tokens is not
// where one signs in.
func recognize(iss string) idp.Provider {
	for _, cloud := range []idp.EntraCloud{idp.EntraPublic, idp.EntraChina} {
		if strings.HasPrefix(iss, cloud.STS+"/") {
			return idp.EntraIn(cloud, "common")
		}
	}
	return idp.Recognize(iss)
}

// use says what a JWT is for, and what tells it.
func (d *Description) use(c claims) (Use, string) {
	typ, _ := d.Header["typ"].(string)
	switch strings.TrimPrefix(strings.ToLower(typ), "application/") {
	case "at+jwt":
		return UseAccess, "its typ is at+jwt"
	case "logout+jwt":
		return UseLogout, "its typ is logout+jwt"
	}
	switch strings.ToLower(c.text("typ")) { // Keycloak's
	case "bearer":
		return UseAccess, "its claim typ is Bearer"
	case "id":
		return UseID, "its claim typ is ID"
	case "refresh", "offline":
		return UseRefresh, "its claim typ is " + c.text("typ")
	case "logout":
		return UseLogout, "its claim typ is Logout"
	}
	switch c.text("token_use") {
	case "access", "access_token":
		return UseAccess, "its claim token_use says so"
	case "id", "id_token":
		return UseID, "its claim token_use says so"
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash"} {
		if c[name] != nil {
			return UseID, "it has the claim " + name + ", as ID tokens have"
		}
	}
	for _, name := range []string{"scope", "scp", "roles", "azp", "appid", "client_id", "cid"} {
		if c[name] != nil {
			return UseAccess, "it has the claim " + name + ", as access tokens have"
		}
	}
	return UseUnknown, "nothing in it says what it is for"
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
