// Package workload gets the token that the platform a program runs on gives it.
//
// Each function returns what signin.Workload and signin.ClientAssertion take as their Assertion: it fetches the token
// anew each time, since platforms rotate them. Where the platform says which address and which secret to use, the caller
// passes them in: nothing is read from the environment here.
//
//	a file, as Kubernetes mounts it          TokenFile          file.go
//	GitHub Actions                           GitHub             github.go
//	a managed identity in Azure              ManagedIdentity    azure.go
//	asking a platform, for a while           fetch              fetch.go
//	why there is no token                    Error              error.go
package workload

import (
	"context"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// Assertion fetches a token that is made out to audience.
type Assertion = func(ctx context.Context, audience string) (signin.Secret, error)
