package devidp

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// entraClaims are those of access-token-claims-reference, in the version that the API app chose. The optional claim
// idtyp is there for persons and apps alike, as an API sees it that asks for it in its manifest.
func (s *Server) entraClaims(g *grant, t target, now, exp time.Time) (claims, header map[string]any) {
	version := t.api.version
	claims = map[string]any{
		"aud": t.api.id, "iss": s.issuerOf(g.tenant, version), "iat": now.Unix(), "nbf": now.Unix(), "exp": exp.Unix(),
		"tid": g.tenant, "ver": fmt.Sprintf("%d.0", version), "aio": opaque(), "rh": "1." + opaque() + ".",
	}
	client, proof := "azp", "azpacr"
	if version == 1 {
		client, proof = "appid", "appidacr"
		claims["aud"] = t.asked
	}
	claims[client], claims[proof] = g.client.ID, g.client.acr()
	if g.user == nil {
		s.appClaims(claims, g, t)
	} else {
		s.userClaims(claims, g, t)
	}
	if t.capable {
		claims["xms_cc"] = []string{"cp1"}
	}
	header = map[string]any{"typ": "JWT"}
	if t.api.graph() {
		header["nonce"] = opaque()
	}
	return claims, header
}

// acr says how the client proved itself: 0 not at all, 1 by a secret, 2 by a certificate.
func (c *client) acr() string {
	switch c.method {
	case "none":
		return "0"
	case "private_key_jwt":
		return "2"
	}
	return "1"
}

// appClaims are those of an app that acts for itself: roles, and never scp.
func (s *Server) appClaims(claims map[string]any, g *grant, t target) {
	principal := guid("principal\x00" + g.tenant + "\x00" + g.client.ID)
	claims["oid"], claims["sub"], claims["idtyp"] = principal, principal, "app"
	if t.api.main && len(g.client.Roles) > 0 {
		claims["roles"] = g.client.Roles
	}
	if t.api.version == 1 {
		claims["idp"] = s.issuerOf(g.tenant, 1)
	}
}

func (s *Server) userClaims(claims map[string]any, g *grant, t target) {
	u := g.user
	claims["oid"], claims["sub"], claims["idtyp"] = u.oidOf(g.tenant), pairwise(u, g.tenant, t.api.id), "user"
	claims["name"] = u.name
	if len(t.scopes) > 0 {
		claims["scp"] = strings.Join(t.scopes, " ")
	}
	if g.tenant != u.home {
		claims["idp"] = s.issuerOf(u.home, 1)
	}
	if t.api.version == 1 {
		claims["unique_name"], claims["family_name"], claims["given_name"] = u.email, u.family, u.given
		claims["acr"], claims["amr"] = "1", []string{"pwd"}
		if g.tenant == u.home { // guests have none
			claims["upn"] = u.email
		}
	} else {
		claims["preferred_username"] = u.email
	}
	if t.api.main && g.tenant == EntraTenant {
		if len(u.roles) > 0 {
			claims["roles"] = u.roles
		}
		s.groupClaims(claims, u, g.tenant)
	}
	if t.stepped {
		claims["acrs"] = []string{"c1"}
	}
}

// groupClaims are the person's groups, or, when these are too many, where to ask for them (access-token-claims-reference,
// groups overage claim).
func (s *Server) groupClaims(claims map[string]any, u *user, tid string) {
	if u.overage {
		claims["_claim_names"] = map[string]string{"groups": "src1"}
		claims["_claim_sources"] = map[string]any{"src1": map[string]string{
			"endpoint": "https://graph.windows.net/" + tid + "/users/" + u.oidOf(tid) + "/getMemberObjects"}}
		return
	}
	var groups []string
	for _, name := range u.groups {
		groups = append(groups, guid("group\x00"+name))
	}
	if len(groups) > 0 {
		claims["groups"] = groups
	}
}

// entraIDClaims are those of id-token-claims-reference.
func (s *Server) entraIDClaims(g *grant, now time.Time) map[string]any {
	u, version := g.user, 2
	if g.version1 {
		version = 1
	}
	claims := map[string]any{
		"aud": g.client.ID, "iss": s.issuerOf(g.tenant, version), "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"tid": g.tenant, "ver": fmt.Sprintf("%d.0", version), "uti": opaque(), "rh": "1." + opaque() + ".",
		"sub": pairwise(u, g.tenant, g.client.ID), "oid": u.oidOf(g.tenant),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	if slices.Contains(g.scopes, "profile") || g.version1 {
		claims["name"], claims["preferred_username"] = u.name, u.email
	}
	if slices.Contains(g.scopes, "email") {
		claims["email"] = u.email // there is no email_verified: an address proves nothing
	}
	if g.tenant != u.home {
		claims["idp"] = s.issuerOf(u.home, 1)
	}
	return claims
}

// swapNonce puts another nonce into an encoded header.
func swapNonce(head, old, fresh string) string {
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return head
	}
	return b64([]byte(strings.Replace(string(raw), old, fresh, 1)))
}

// entraProfile is what userinfo says (userinfo).
func (s *Server) entraProfile(t *issued) map[string]any {
	out := map[string]any{"sub": pairwise(t.user, t.grant.tenant, EntraGraph)}
	profile := t.user.released(t.scopes)
	maps.DeleteFunc(profile, func(name string, _ any) bool { return name == "email_verified" || name == "preferred_username" })
	overlay(out, profile)
	return out
}
