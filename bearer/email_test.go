package bearer_test

import (
	"fmt"
	"testing"
)

// TestAttack27_AnAddressIsNobody: whatever a token says of an e-mail address, verified or not, is for showing. It makes
// nobody another caller, gives nothing and takes nothing.
func TestAttack27_AnAddressIsNobody(t *testing.T) {
	i := newIssuer(t)
	g := guardFor(t, i, nil)
	plain, err := g.Verify(t.Context(), sign(t, i.good(), signer{}))
	if err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]claimSet{
		"a verified address":                    {"email": "admin@example.com", "email_verified": true},
		"an address that is verified by a text": {"email": "admin@example.com", "email_verified": "true"},
		"an address that is not verified":       {"email": "admin@example.com", "email_verified": false},
		"an address of which nothing is said":   {"email": "admin@example.com"},
		"an address with two at signs":          {"email": "mallory@evil.example@example.com", "email_verified": true},
		"a list of addresses":                   {"email": []string{"admin@example.com"}, "email_verified": true},
		"an address as the name":                {"preferred_username": "admin@example.com", "name": "admin@example.com", "upn": "admin@example.com"},
	} {
		t.Run("attack 27 "+name+" makes nobody another caller", func(t *testing.T) {
			id, err := g.Verify(t.Context(), sign(t, i.good().with(more), signer{}))
			if err != nil {
				t.Fatal(err)
			}
			if id.Key() != plain.Key() || fmt.Sprint(id.Scopes, id.Roles, id.Groups, id.Kind, id.Guest) != fmt.Sprint(plain.Scopes, plain.Roles, plain.Groups, plain.Kind, plain.Guest) {
				t.Errorf("got %+v, without it %+v", id, plain)
			}
		})
		t.Run("attack 27 "+name+" does not stand for a subject", func(t *testing.T) {
			if id, err := g.Verify(t.Context(), sign(t, i.good().with(more).with(claimSet{"sub": nil}), signer{})); err == nil {
				t.Errorf("it is %+v", id)
			}
		})
	}
}
