// Package advice says what a refusal means and what mends it.
//
// It is the one map from error to advice, for every face: a terminal, an agent, a page, a doctor. It reads codes,
// numbers and types, never a provider's sentences, which change. It decides nothing: who branches on an error branches
// on its code, and asks here only for words. It opens no connection.
//
//	what is asked, what is answered             advice.go
//	OAuth's codes                               oauth.go
//	Microsoft Entra's numbers (AADSTS)          entra.go
//	pages of its admin center                   portal.go
//	why a server refuses a token                token.go
//	what a network says: names, TLS, time       network.go
package advice

import (
	"regexp"
	"slices"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// Refusal is what an authorization server or a protected server answered. The zero value of a field means that it is
// not known. Its texts come from strangers; the ids among them are left out of advice where they are no ids.
type Refusal struct {
	Code  string // the OAuth error code, such as "invalid_grant"
	Codes []int  // Entra's error_codes; their presence says that Entra answered

	Issuer   string   // the authorization server
	ClientID string   // who asked
	Server   string   // the MCP server it was about
	Scopes   []string // what was asked for
	Program  bool     // who asked signs in without a person

	CorrelationID string // Entra's, for its sign-in log and its support
	TraceID       string // Entra's, for its support
}

// Advice is what to say to a person. Its texts are sentences without a full stop, safe to print.
type Advice struct {
	Cause string // what went wrong
	Cure  string // what to change, and where; empty where Next says it all
	Next  Next   // what this program can do about it
	// Portal is the page of the provider's portal where Cure is done; the zero Page where there is none.
	Portal Page
	// Support names the ids that the provider's log and support know the refusal by; empty where there are none.
	Support string
}

// Page is a page of a provider's portal.
type Page struct {
	Path string // as one walks there: "App registrations › API permissions"
	URL  string
}

// Next is a step that a program can take, or offer. Each face has its own words for it, such as a command or a button.
type Next string

const (
	Nothing         Next = ""                // somebody has to change something first
	SignIn          Next = "sign-in"         // sign in again
	SignInBrowser   Next = "sign-in-browser" // sign in again, by browser and not by device code
	MoreScope       Next = "more-scope"      // sign in again for the scopes that are missing
	Again           Next = "again"           // the same once more, a little later
	Diagnose        Next = "diagnose"        // find the broken leg
	WithoutResource Next = "no-resource"     // the same without the resource parameter; the sign-in flows do it by themselves
)

// For looks a refusal up: by the most telling of its numbers, else by its code. It reports false where nothing is known
// about either.
func For(r Refusal) (Advice, bool) {
	for _, number := range r.Codes {
		if e, known := numberFor(number); known {
			return e.advice(r), true
		}
	}
	e, known := codes[r.Code]
	if own, there := programs[r.Code]; r.Program && there {
		e = own
	}
	if !known {
		return Advice{Support: support(r)}, false
	}
	return e.advice(r), true
}

// entry is one row of a table. In its texts {client}, {tenant}, {server}, {scopes} and {issuer} stand for what is known
// of the refusal, or for a word where it is not.
type entry struct {
	cause, cure string
	next        Next
	page        page
}

func (e entry) advice(r Refusal) Advice {
	a := Advice{Cause: fill(e.cause, r), Cure: fill(e.cure, r), Next: e.next, Support: support(r)}
	if e.page != noPage && (len(r.Codes) > 0 || idp.Recognize(r.Issuer).Name == "entra") {
		a.Portal = e.page.of(r)
	}
	return a
}

func fill(text string, r Refusal) string {
	return strings.NewReplacer(
		"{client}", orElse(id(r.ClientID), "the client"),
		"{tenant}", orElse(tenantOf(r.Issuer), "<tenant>"),
		"{server}", orElse(id(r.Server), "the server"),
		"{scopes}", orElse(scopes(r.Scopes), "the scopes it asks for"),
		"{issuer}", orElse(id(r.Issuer), "the authorization server"),
		"{consent}", consentURL(r),
	).Replace(text)
}

// support names the ids, where they look like ids.
func support(r Refusal) string {
	var parts []string
	if c := id(r.CorrelationID); c != "" {
		parts = append(parts, "correlation id "+c)
	}
	if t := id(r.TraceID); t != "" {
		parts = append(parts, "trace id "+t)
	}
	return strings.Join(parts, ", ")
}

// plain is what ids, URLs and scopes of strangers may hold to stand in a sentence.
var plain = regexp.MustCompile(`^[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]{1,300}$`)

func id(s string) string {
	if !plain.MatchString(s) {
		return ""
	}
	return s
}

func scopes(list []string) string {
	if slices.ContainsFunc(list, func(s string) bool { return id(s) == "" }) {
		return ""
	}
	return strings.Join(list, " ")
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
