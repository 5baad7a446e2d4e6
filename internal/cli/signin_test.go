package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

func TestACodeThatRunsOutIsFollowedByThreeMore(t *testing.T) {
	for _, row := range []struct {
		name         string
		ends         []error // what each try ends with
		tries, again int
		want         error
	}{
		{"the third is entered", []error{signin.ErrExpired, fmt.Errorf("x: %w", signin.ErrExpired), nil}, 3, 2, nil},
		{"none is entered", []error{signin.ErrExpired, signin.ErrExpired, signin.ErrExpired, signin.ErrExpired}, 4, 3, signin.ErrExpired},
		{"the person says no", []error{signin.ErrExpired, signin.ErrDeclined}, 2, 1, signin.ErrDeclined},
		{"the person goes away", []error{context.Canceled}, 1, 0, context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			tries, again := 0, 0
			p := &patient{
				inner: flowFunc(func(context.Context, *signin.Request) (oauth2.TokenSource, error) {
					tries++
					return nil, row.ends[tries-1]
				}),
				again: func() { again++ },
			}
			if _, err := p.SignIn(t.Context(), &signin.Request{}); !errors.Is(err, row.want) || tries != row.tries || again != row.again {
				t.Errorf("%d tries, %d told, error %v", tries, again, err)
			}
		})
	}
}
