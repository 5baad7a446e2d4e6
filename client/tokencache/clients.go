package tokencache

import (
	"errors"
	"io/fs"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// Clients remembers the registrations of this program (RFC 7591), one for each issuer (C-10). It is a [signin.Registry].
func (c *Cache) Clients() *Clients { return &Clients{cache: c} }

// Clients are registrations that are kept.
type Clients struct{ cache *Cache }

// registration is a client as it is written down.
type registration struct {
	Issuer      string    `json:"issuer"`
	ID          string    `json:"client_id"`
	Secret      string    `json:"client_secret,omitempty"`
	Method      string    `json:"token_endpoint_auth_method,omitempty"`
	RedirectURI string    `json:"redirect_uri,omitempty"`
	Expires     time.Time `json:"expires,omitzero"`
}

// Registered returns the client of issuer, if there is one.
func (s *Clients) Registered(issuer string) (signin.Registered, bool) {
	v := s.cache.open()
	var r registration
	if err := s.cache.document(v, v.name(kindClient, issuer), &r); err != nil || r.Issuer != issuer || r.ID == "" {
		return signin.Registered{}, false
	}
	return signin.Registered{Issuer: r.Issuer, ID: r.ID, Secret: signin.Secret(r.Secret), Method: r.Method, RedirectURI: r.RedirectURI, Expires: r.Expires}, true
}

// Remember keeps r in place of what was known of r.Issuer. Where that cannot be done, the next sign-in registers anew.
func (s *Clients) Remember(r signin.Registered) error {
	v := s.cache.open()
	err := v.saveDocument(v.name(kindClient, r.Issuer), registration{
		Issuer: r.Issuer, ID: r.ID, Secret: string(r.Secret), Method: r.Method, RedirectURI: r.RedirectURI, Expires: r.Expires,
	})
	if err != nil {
		s.cache.trouble(&KeepError{Dir: v.dir, Err: err})
	}
	return nil
}

// Forget removes the registration at issuer; one that is not there is no error.
func (s *Clients) Forget(issuer string) error {
	v := s.cache.open()
	err := v.remove(v.name(kindClient, issuer))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ForgetAll removes every registration.
func (s *Clients) ForgetAll() error {
	v := s.cache.open()
	names, err := v.names(kindClient)
	for _, name := range names {
		err = errors.Join(err, v.remove(name))
	}
	return err
}
