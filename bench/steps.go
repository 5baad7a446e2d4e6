package main

import (
	"context"
	"encoding/json"
	"flag"
	"slices"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/bearer"
	"github.com/fastmcp-auth/fastmcp-auth/devidp"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
)

// steps measures single steps of a call inside this process, as Go benchmarks. What is reported is the CPU they took:
// the time on the clock is longer where other processes want the machine too.
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
	rules, err := policy.New(policy.DefaultRules())
	if err != nil {
		return nil, err
	}
	file, err := policy.Parse("policy.yaml", []byte(policyFile), nil)
	if err != nil {
		return nil, err
	}
	caller := &identity.Identity{Kind: identity.Person, Issuer: "https://issuer.example.com", Subject: "p", Scopes: []string{"openid", "profile", "execute"}}
	arguments := json.RawMessage(`{"query":"` + query + `"}`)
	testing.Init()
	if err := flag.Set("test.benchtime", "200ms"); err != nil {
		return nil, err
	}
	seen, allocations := step(func() { guard.Verify(ctx, token) })
	decided, _ := step(func() { rules.DecideCall(caller, tool, arguments) })
	byFile, _ := step(func() { file.DecideCall(caller, tool, arguments) })
	return []budget{
		{"token_seen", seen, "ns", 2000, true},
		{"token_seen_allocs", allocations, "allocations", 2, true},
		{"policy_decision", decided, "ns", 5000, true},
		{"policy_decision_by_file", byFile, "ns", 5000, true},
	}, nil
}

// step is the nanoseconds of CPU and the allocations of f: the median of several benchmarks.
func step(f func()) (ns, allocations float64) {
	var all []float64
	for range 5 {
		r := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			before, _ := used()
			for b.Loop() {
				f()
			}
			after, _ := used()
			b.ReportMetric(float64(after.CPU-before.CPU)/float64(b.N), "cpu-ns/op")
		})
		all = append(all, r.Extra["cpu-ns/op"])
		allocations = float64(r.AllocsPerOp())
	}
	slices.Sort(all)
	return all[len(all)/2], allocations
}
