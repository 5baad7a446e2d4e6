package identity_test

import (
	"context"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

// The key that a context has at hand is that of the identity it carries, and of no other.
func TestKeyFromIsTheKeyOfTheCaller(t *testing.T) {
	anna := &identity.Identity{Kind: identity.Person, Issuer: "https://a.example", Subject: "anna"}
	bert := &identity.Identity{Kind: identity.Person, Issuer: "https://a.example", Subject: "bert"}
	type other struct{}
	ctx := context.WithValue(identity.NewContext(context.WithValue(context.Background(), other{}, "kept"), anna), other{}, "kept")
	embedded := identity.NewCaller(bert).Context(ctx)
	for _, row := range []struct {
		name string
		ctx  context.Context
		want *identity.Identity
	}{
		{"nobody signed in", context.Background(), nil},
		{"a caller, through contexts below and above", ctx, anna},
		{"a caller within another's context", identity.NewContext(ctx, bert), bert},
		{"nobody within another's context", identity.NewContext(ctx, nil), nil},
		{"a caller in a context that is embedded", &embedded, bert},
	} {
		t.Run(row.name, func(t *testing.T) {
			if id, key := identity.FromContext(row.ctx), identity.KeyFrom(row.ctx); id != row.want || key != row.want.Key() {
				t.Errorf("carries %v with the key %q", id, key)
			}
			if row.ctx != context.Background() && row.ctx.Value(other{}) != "kept" {
				t.Error("another value is lost")
			}
		})
	}
	if identity.NewCaller(nil).Identity() != nil || identity.NewCaller(anna).Identity() != anna {
		t.Error("the caller is not the identity")
	}
}

func BenchmarkKeyFrom(b *testing.B) {
	ctx := identity.NewContext(context.Background(), &identity.Identity{Kind: identity.Person, Issuer: "https://a.example", Subject: "anna"})
	b.ReportAllocs()
	for b.Loop() {
		if identity.KeyFrom(ctx) == "" {
			b.Fatal("no key")
		}
	}
}
