package workload

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

const (
	fileCure = "see that the platform mounts its token there, and that this user may read it"
	// stale is how long after its end a token is not sent any more. A clock may be wrong by some of it.
	stale = 5 * time.Minute
)

// TokenFile reads the token from a file, as Kubernetes and Azure's workload identity mount it: again for each use, since
// the platform writes another before the first one ends. Whoever mounts it has chosen its audience. Its error is an
// [*Error].
func TokenFile(path string) Assertion {
	return func(context.Context, string) (signin.Secret, error) {
		token, err := readToken(path)
		if err != nil {
			return "", &Error{Platform: "the token file " + path, Cure: fileCure, Err: err}
		}
		return token, nil
	}
}

func readToken(path string) (signin.Secret, error) {
	f, err := os.Open(path)
	var named *fs.PathError // the name is said already
	if errors.As(err, &named) {
		err = named.Err
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if errors.As(err, &named) {
		err = named.Err
	}
	if err != nil {
		return "", err
	}
	token, err := checked(string(b))
	if err != nil {
		return "", err
	}
	if end := endOf(string(token)); !end.IsZero() && time.Since(end) > stale {
		return "", fmt.Errorf("its token ended on %s, and nobody has written another", end.UTC().Format(time.DateTime+"Z"))
	}
	return token, nil
}

// endOf is when a JWT ends; zero means that it does not say, or is none. Nothing is checked: its receiver does that.
func endOf(token string) time.Time {
	_, rest, _ := strings.Cut(token, ".")
	middle, _, ok := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(middle)
	var claims struct {
		Expiry int64 `json:"exp"`
	}
	if !ok || err != nil || json.Unmarshal(text, &claims) != nil || claims.Expiry <= 0 {
		return time.Time{}
	}
	return time.Unix(claims.Expiry, 0)
}
