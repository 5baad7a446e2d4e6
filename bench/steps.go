package main

import (
	"context"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// steps measures single steps of a call inside this process.
func steps(ctx context.Context, provider *devidp.Running) ([]budget, error) {
	const resource = "http://127.0.0.1:1/mcp"
	guard, err := bearer.New(bearer.Config{Resource: resource, Providers: []idp.Provider{idp.Dev(provider.Issuer())}})
	if err != nil {
		return nil, err
	}
	token, err := mint(provider, resource, 0)
	if err != nil {
		return nil, err
	}
	if _, err := guard.Verify(ctx, token); err != nil {
		return nil, err
	}
	seen := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			guard.Verify(ctx, token)
		}
	})
	rules, err := policy.New(policy.DefaultRules())
	if err != nil {
		return nil, err
	}
	caller := &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "p", Scopes: []string{"openid", "profile", "execute"}}
	decided := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			rules.Decide(caller, tool)
		}
	})
	return []budget{
		{"token_seen", float64(seen.NsPerOp()), "ns", 2000, true},
		{"token_seen_allocs", float64(seen.AllocsPerOp()), "allocations", 2, true},
		{"policy_decision", float64(decided.NsPerOp()), "ns", 5000, true},
	}, nil
}
