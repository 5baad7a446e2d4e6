package identity_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func TestKeyTellsCallersApart(t *testing.T) {
	anna := identity.Identity{Issuer: "https://a.example", Tenant: "t", Subject: "s1", ObjectID: "o", Kind: identity.Person}
	for _, row := range []struct {
		name  string
		other identity.Identity
		same  bool
	}{
		{"another application's pairwise subject is the same person", identity.Identity{Issuer: anna.Issuer, Tenant: "t", Subject: "s2", ObjectID: "o", Kind: identity.Person}, true},
		{"the same subject at another issuer is somebody else", identity.Identity{Issuer: "https://b.example", Tenant: "t", Subject: "s1", ObjectID: "o", Kind: identity.Person}, false},
		{"the same object id in another tenant is somebody else", identity.Identity{Issuer: anna.Issuer, Tenant: "u", Subject: "s1", ObjectID: "o", Kind: identity.Person}, false},
		{"a program with a person's id is not the person", identity.Identity{Issuer: anna.Issuer, Tenant: "t", Subject: "s1", ObjectID: "o", Kind: identity.App}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if same := anna.Key() == row.other.Key(); same != row.same {
				t.Errorf("same = %v, want %v", same, row.same)
			}
		})
	}
}

func TestNobodyHoldsNothing(t *testing.T) {
	var nobody *identity.Identity
	if identity.FromContext(context.Background()) != nil || nobody.Key() != "" || nobody.HasScope("") || nobody.HasRole("") {
		t.Error("a caller who did not sign in holds something")
	}
}

func ExampleFromContext() {
	ctx := identity.NewContext(context.Background(), &identity.Identity{Name: "Ada", Scopes: []string{"execute"}})

	who := identity.FromContext(ctx)
	fmt.Println(who.Name, who.HasScope("execute"), who.HasScope("delete"))
	// Output: Ada true false
}
