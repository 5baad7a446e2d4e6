package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// claims are the members of a token or of an introspection answer, as object reads them.
type claims map[string]any

// at walks down path.
func (c claims) at(path idp.Path) (any, bool) {
	var v any = map[string]any(c)
	for _, name := range path {
		o, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = o[name]; !ok {
			return nil, false
		}
	}
	return v, len(path) > 0
}

// text is the text at path, or empty.
func (c claims) text(path ...string) string {
	v, _ := c.at(path)
	s, _ := v.(string)
	return s
}

// first is the first text that is present.
func (c claims) first(paths []idp.Path) string {
	for _, p := range paths {
		if s := c.text(p...); s != "" {
			return s
		}
	}
	return ""
}

// plain is a text that identifies somebody. Control characters in it are a fault, and so is U+FFFD, which every character
// that cannot be read becomes: both could make two callers look alike.
func (c claims) plain(path ...string) (string, error) {
	v, ok := c.at(path)
	if !ok {
		return "", nil
	}
	s, ok := v.(string)
	if !ok || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) || len(s) > 1024 {
		return "", fmt.Errorf("claim %s is not a plain text", idp.Path(path))
	}
	return s, nil
}

// list reads texts at path. A single text is split into words where words is set, and else one element.
func (c claims) list(path idp.Path, words bool) ([]string, error) {
	v, ok := c.at(path)
	if !ok || v == nil {
		return nil, nil
	}
	switch v := v.(type) {
	case string:
		if words { // RFC 6749, section 3.3: a space and nothing else parts them
			return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' }), nil
		}
		return []string{v}, nil
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok || s == "" {
				return nil, fmt.Errorf("claim %s holds something else than texts", path)
			}
			list = append(list, s)
		}
		return list, nil
	}
	return nil, fmt.Errorf("claim %s is neither a text nor a list", path)
}

// union joins the lists at all paths, each element once. "{audience}" in a path stands for each of audience.
func (c claims) union(paths []idp.Path, words bool, audience []string) ([]string, error) {
	var all []string
	for _, p := range paths {
		for _, q := range expand(p, audience) {
			list, err := c.list(q, words)
			if err != nil {
				return nil, err
			}
			for _, s := range list {
				if !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all, nil
}

func expand(p idp.Path, audience []string) []idp.Path {
	i := slices.Index(p, "{audience}")
	if i < 0 {
		return []idp.Path{p}
	}
	var all []idp.Path
	for _, a := range audience {
		q := slices.Clone(p)
		q[i] = a
		all = append(all, q)
	}
	return all
}

// time reads a NumericDate (RFC 7519, section 2) between 1970 and 9999.
func (c claims) time(name string) (t time.Time, present bool, err error) {
	v, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, fmt.Errorf("claim %s is not a number", name)
	}
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 253402300799 {
		return time.Time{}, true, fmt.Errorf("claim %s is not a time", name)
	}
	return time.Unix(int64(f), 0), true, nil
}

// audience reads aud: a text, or a list of texts (RFC 7519, section 4.1.3).
func (c claims) audience() ([]string, error) {
	list, err := c.list(idp.Path{"aud"}, false)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 || slices.Contains(list, "") {
		return nil, errors.New("no aud")
	}
	return list, nil
}

// identity reads who calls. It must be asked only once the claims are trustworthy. audience are the accepted values that
// the token carries.
func (c claims) identity(p *provider, spelling idp.Claims, issuer string, audience []string) (*identity.Identity, *Error) {
	id := &identity.Identity{Provider: p.Name, Issuer: issuer}
	if err := c.who(id, spelling); err != nil {
		return nil, refusal(ReasonSubject, err)
	}
	id.Name = c.first(spelling.Name)
	id.Username = c.first(spelling.Username)
	id.Email = c.first(spelling.Email)
	id.TokenID = c.first(spelling.TokenID)
	if err := c.permissions(id, spelling, audience); err != nil {
		return nil, refusal(ReasonMalformed, err)
	}
	id.Kind = c.kind(id, spelling)
	id.Guest = c.guest(p, id, spelling)
	if id.Guest && p.Guests == idp.GuestsDenied {
		return nil, refusal(ReasonGuest, nil)
	}
	if p.NeedsPermission && len(id.Scopes) == 0 && len(id.Roles) == 0 {
		return nil, refusal(ReasonPermission, nil)
	}
	return id, nil
}

func (c claims) who(id *identity.Identity, spelling idp.Claims) (err error) {
	if id.Subject, err = c.plain("sub"); err != nil {
		return err
	}
	if id.Tenant, err = c.plain(spelling.Tenant...); err != nil {
		return err
	}
	if id.ObjectID, err = c.plain(spelling.ObjectID...); err != nil {
		return err
	}
	for _, p := range spelling.ClientID {
		if id.ClientID, err = c.plain(p...); err != nil {
			return err
		}
		if id.ClientID != "" {
			break
		}
	}
	if id.Subject == "" {
		return errors.New("no sub")
	}
	if spelling.NeedsObjectID && (id.Tenant == "" || id.ObjectID == "") {
		return fmt.Errorf("no %s or no %s", spelling.Tenant, spelling.ObjectID)
	}
	return nil
}

func (c claims) permissions(id *identity.Identity, spelling idp.Claims, audience []string) (err error) {
	if id.Scopes, err = c.union(spelling.Scopes, true, audience); err != nil {
		return err
	}
	if id.Roles, err = c.union(spelling.Roles, false, audience); err != nil {
		return err
	}
	if id.Groups, err = c.union(spelling.Groups, false, audience); err != nil {
		return err
	}
	if !spelling.GroupsOverage {
		return nil
	}
	_, elsewhere := c.at(idp.Path{"_claim_names", "groups"})
	if has, ok := c["hasgroups"]; elsewhere || ok && has != false {
		id.Groups, id.GroupsOverage = nil, true // a part of the groups is not the groups
	}
	return nil
}

func (c claims) kind(id *identity.Identity, spelling idp.Claims) identity.Kind {
	switch {
	case c.matches(id, spelling.AppWhen):
		return identity.App
	case c.matches(id, spelling.PersonWhen):
		return identity.Person
	case spelling.AppWithoutScopes && len(id.Scopes) == 0:
		return identity.App
	}
	return identity.Person
}

func (c claims) matches(id *identity.Identity, all []idp.Match) bool {
	for _, m := range all {
		want := m.Value
		if strings.Contains(want, "{client_id}") {
			if id.ClientID == "" {
				return false
			}
			want = strings.ReplaceAll(want, "{client_id}", id.ClientID)
		}
		if c.text(m.Path...) != want {
			return false
		}
	}
	return len(all) > 0
}

// guest reports whether the home issuer is another than the one that issued the token, in any of its spellings.
func (c claims) guest(p *provider, id *identity.Identity, spelling idp.Claims) bool {
	if flag, ok := c.at(spelling.GuestFlag); ok {
		if n, number := flag.(json.Number); number && n == "1" || flag == "1" {
			return true
		}
	}
	home, ok := c.at(spelling.HomeIdP)
	if !ok || home == id.Issuer {
		return false
	}
	issuer, ok := home.(string)
	return !ok || !slices.ContainsFunc(p.Issuers, func(i idp.Issuer) bool { return i.Accepts(issuer, id.Tenant) })
}
