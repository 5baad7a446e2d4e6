package tokencache

import (
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
)

// The kinds of records, and what each is known by.
const (
	kindSignIn = "signin" // issuer, server, client id, account: the sign-in itself
	kindChosen = "chosen" // server: which of its sign-ins is used
	kindAsking = "asking" // issuer, server: what a person is asked to do right now
	kindClient = "client" // issuer: a registration of this program
)

// chosen is the sign-in that a server is called with.
type chosen struct {
	SignIn string `json:"sign_in"` // the name of its record
}

// Pending is what somebody asks a person to do, so that whoever waits for the same sign-in can say so too.
type Pending struct {
	URL      string    `json:"url"`                 // the page to open
	UserCode string    `json:"user_code,omitempty"` // what to enter there; empty where the page asks for nothing
	Expires  time.Time `json:"expires,omitzero"`    // when that ends; zero means unknown
}

// nameOf is the name of the record of s.
func (v *vault) nameOf(s signin.State) string {
	return v.name(kindSignIn, s.Issuer, s.Server, s.ClientID, s.Account.Key())
}

// state reads a sign-in. What is damaged is put aside, and counts as not there.
func (c *Cache) state(v *vault, name string) (signin.State, error) {
	b, err := c.record(v, name)
	if err != nil {
		return signin.State{}, err
	}
	s, err := signin.ReadState(b)
	if err != nil {
		return signin.State{}, c.damaged(v, name, err)
	}
	return s, nil
}

// saveState keeps a sign-in.
func (v *vault) saveState(name string, s signin.State) error {
	b, err := s.Reveal()
	if err != nil {
		return err
	}
	return v.write(name, b)
}

// record reads a record of any kind.
func (c *Cache) record(v *vault, name string) ([]byte, error) {
	b, err := v.read(name)
	if errors.Is(err, errBroken) {
		return nil, c.damaged(v, name, err)
	}
	return b, err
}

// damaged puts a record aside, tells of it, and answers that it is not there.
func (c *Cache) damaged(v *vault, name string, why error) error {
	v.putAside(name)
	c.trouble(&DamagedError{Path: v.path(name) + broken, Err: why})
	return fs.ErrNotExist
}

// document reads a record that is JSON. One that is not there leaves into as it is.
func (c *Cache) document(v *vault, name string, into any) error {
	b, err := c.record(v, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		c.damaged(v, name, errBroken) // the cause may quote the record
	}
	return nil
}

func (v *vault) saveDocument(name string, d any) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return v.write(name, b)
}

// DamagedError tells of a record that could not be read. It was put aside and counts as not there.
type DamagedError struct {
	Path string // where it is now
	Err  error
}

// Error names the file and what is wrong with it.
func (e *DamagedError) Error() string {
	return "tokencache: a kept sign-in cannot be read and was put aside as " + e.Path + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }
