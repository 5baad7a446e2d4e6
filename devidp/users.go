package devidp

import "slices"

// The people one can sign in as.
const (
	UserAdmin    = "admin"    // every scope, role Tools.Admin; with the Entra character in more groups than fit into a token
	UserUser     = "user"     // scope execute
	UserReader   = "reader"   // scope time:read only
	UserGuest    = "guest"    // scope execute; with the Entra character at home in another tenant
	UserDisabled = "disabled" // cannot sign in
)

// Roles that tokens carry.
const (
	RoleAdmin = "Tools.Admin"   // of the user admin
	RoleApp   = "Tools.Execute" // of the client dev-service, in tokens for itself
)

// Users lists the people one can sign in as.
func Users() []string {
	return []string{UserAdmin, UserUser, UserReader, UserGuest, UserDisabled}
}

type user struct {
	id, name, given, family, email string
	note                           string // what the sign-in page says of this person
	scopes                         []string
	roles, groups                  []string
	home                           string // the tenant where the account lives
	oid, homeOID                   string // the account in EntraTenant, and at home
	overage, disabled              bool
}

// people are the users of a provider that serves o.
func people(o Options) []*user {
	only := func(scopes ...string) []string {
		return slices.DeleteFunc(scopes, func(sc string) bool { return !slices.Contains(o.Scopes, sc) })
	}
	return []*user{
		{id: UserAdmin, name: "Ada Admin", given: "Ada", family: "Admin", email: "admin@" + EntraDomain, home: EntraTenant,
			note: "may do everything", scopes: o.Scopes, roles: []string{RoleAdmin}, overage: true,
			oid: "5ef4eae0-d3c7-4a36-9d9f-0d5c4f6ee0a1", groups: []string{"administrators", "developers"}},
		{id: UserUser, name: "Uma User", given: "Uma", family: "User", email: "user@" + EntraDomain, home: EntraTenant,
			note: "may call the tools", scopes: only("execute"),
			oid: "83b1bd25-22bb-4af2-9a8e-4e7c3eb1a0b2", groups: []string{"developers"}},
		{id: UserReader, name: "Rae Reader", given: "Rae", family: "Reader", email: "reader@" + EntraDomain, home: EntraTenant,
			note: "may only read the time", scopes: only("time:read"),
			oid: "0f9d1c6e-7a46-4d8b-8c51-93c4a2f7d0c3"},
		{id: UserGuest, name: "Gus Guest", given: "Gus", family: "Guest", email: "guest@" + EntraGuestDomain, home: EntraGuestTenant,
			note: "comes from another organization", scopes: only("execute"),
			oid: "b6a3f9d4-5a0e-47bb-b1f6-2c8e61d9e0d4", homeOID: "e2c7d8b1-3f94-4f6d-a0c2-7b15f8a3e0e5"},
		{id: UserDisabled, name: "Dee Disabled", given: "Dee", family: "Disabled", email: "disabled@" + EntraDomain, home: EntraTenant,
			note: "the account is disabled", scopes: only("execute"), disabled: true,
			oid: "47d0b5c2-6e1a-4b39-9f7d-d8a4c3b2e0f6"},
	}
}

func (s *Server) userNamed(id string) *user {
	for _, u := range s.users {
		if u.id == id {
			return u
		}
	}
	return nil
}

// subject is the person's sub with the Standard character: stable, and the same for every client.
func (u *user) subject() string { return "dev-user-" + u.id }

// may is what the person may have of scopes.
func (u *user) may(scopes []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(sc string) bool { return !slices.Contains(u.scopes, sc) })
}
