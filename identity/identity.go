// Package identity says who is calling: the one typed answer that verification gives and that policy, audit and
// tools read.
//
// It holds no token and decides nothing. bearer fills an [Identity] from a verified token; everything behind it
// asks [FromContext].
package identity

import (
	"slices"
	"time"
)

// Kind tells people from programs.
type Kind string

const (
	Person Kind = "person" // a user signed in, or an app acts for one
	App    Kind = "app"    // a program calls in its own name (client credentials)
)

// Identity is a caller whose token was verified. It is read-only once made, so it may be shared between goroutines.
//
// Authorize by Issuer with Subject, or by Tenant with ObjectID; never by Name, Username or Email, which people and
// administrators can change.
type Identity struct {
	Provider string `json:"provider"` // the preset that accepted the token, such as "entra"
	Issuer   string `json:"issuer"`   // the token's iss, exactly
	Tenant   string `json:"tenant,omitempty"`
	Subject  string `json:"subject"`             // sub; pairwise per application at some providers
	ObjectID string `json:"object_id,omitempty"` // Entra's oid: the same person in every application of a tenant
	Kind     Kind   `json:"kind"`
	ClientID string `json:"client_id,omitempty"` // the program that presented the token

	Name     string `json:"name,omitempty"`     // for showing, never for deciding
	Username string `json:"username,omitempty"` // for showing, never for deciding
	Email    string `json:"email,omitempty"`    // for showing, never for deciding

	Scopes []string `json:"scopes,omitempty"`
	Roles  []string `json:"roles,omitempty"`
	Groups []string `json:"groups,omitempty"`
	// GroupsOverage reports that the person has more groups than fit into a token, so that Groups is unknown rather
	// than empty. Neither ever means "all".
	GroupsOverage bool `json:"groups_overage,omitempty"`
	// Guest reports that the person's home is another tenant or identity provider than the one that issued the token.
	Guest bool `json:"guest,omitempty"`

	TokenID string    `json:"token_id,omitempty"` // jti or uti, for finding the sign-in in the provider's log
	Expiry  time.Time `json:"expiry"`             // when the token ends
}

// Key names the caller stably and uniquely: what sessions, limits and handles are bound to. Two identities with the
// same key are the same person, or the same program, whichever token each was read from. A nil Identity has no key.
func (id *Identity) Key() string {
	if id == nil {
		return ""
	}
	who := id.Subject
	if id.ObjectID != "" {
		who = id.ObjectID
	}
	return string(id.Kind) + "\x00" + id.Issuer + "\x00" + id.Tenant + "\x00" + who
}

// HasScope reports whether the token carries scope, exactly.
func (id *Identity) HasScope(scope string) bool {
	return id != nil && slices.Contains(id.Scopes, scope)
}

// HasRole reports whether the token carries role, exactly.
func (id *Identity) HasRole(role string) bool { return id != nil && slices.Contains(id.Roles, role) }
