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

// registry knows one client, until it is forgotten.
type registry struct{ known string }

func (r *registry) Registered(string) (signin.Registered, bool) {
	return signin.Registered{ID: r.known}, r.known != ""
}

func (r *registry) Forget(string) error { r.known = ""; return nil }

func TestAProgramThatIsNoLongerKnownRegistersAnewOnce(t *testing.T) {
	unknown := &signin.Error{Issuer: "https://idp.example", Code: "invalid_client"}
	for _, row := range []struct {
		name  string
		known string
		ends  []error
		tries int
		want  error
	}{
		{"it is forgotten, and registers", "old", []error{unknown, nil}, 2, nil},
		{"the second is refused, too", "old", []error{unknown, unknown}, 2, unknown},
		{"it had registered just now", "", []error{unknown}, 1, unknown},
		{"the person says no", "old", []error{signin.ErrDeclined}, 1, signin.ErrDeclined},
	} {
		t.Run(row.name, func(t *testing.T) {
			tries, clients := 0, &registry{row.known}
			g := &registered{flowFunc(func(context.Context, *signin.Request) (oauth2.TokenSource, error) {
				tries++
				if tries == 2 && clients.known != "" {
					t.Error("the old registration is used again")
				}
				return nil, row.ends[tries-1]
			}), clients}
			if _, err := g.SignIn(t.Context(), &signin.Request{}); !errors.Is(err, row.want) || tries != row.tries {
				t.Errorf("%d tries, error %v", tries, err)
			}
		})
	}
}
