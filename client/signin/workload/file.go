package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// TokenFile reads the token from a file, as Kubernetes and Azure's workload identity mount it. Whoever mounts it has
// chosen its audience.
func TokenFile(path string) Assertion {
	return func(context.Context, string) (signin.Secret, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("workload: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("workload: %w", err)
		}
		if len(b) > maxToken {
			return "", errors.New("workload: the token file is too large")
		}
		return checked(string(b))
	}
}
