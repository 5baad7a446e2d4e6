package audit_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/audit"
	"github.com/fastmcp-auth/fastmcp-auth/identity"
)

func Example() {
	trail, err := audit.NewTrail(audit.Options{
		Sinks: []audit.Sink{audit.NewStream("stdout", os.Stdout)},
		Now:   func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) },
	})
	if err != nil {
		panic(err)
	}
	defer trail.Close()
	caller := &identity.Identity{Issuer: "https://id.example.com", Subject: "42", Kind: identity.Person}
	event := audit.Event{Kind: audit.Decided, RequestID: "r1", Principal: audit.Of(caller), Tool: "reverse_tool", Decision: audit.Allow, Rule: "scopes"}
	if err := trail.Write(context.Background(), event); err != nil {
		fmt.Println("nothing may be done:", err)
	}
	// Output:
	// {"time":"2030-01-02T03:04:05Z","event":"decision","request_id":"r1","principal":{"issuer":"https://id.example.com","subject":"42","kind":"person"},"tool":"reverse_tool","decision":"allow","rule":"scopes"}
}
