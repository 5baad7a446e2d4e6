// Package secrets holds what programs say against what they must not say, for tests.
//
// It learns each token, code, verifier and secret that passes a provider, and each that a test hands it, and finds them in any
// text: as they are, escaped for a URL, or in base64, whatever stands before them. It takes no part in the program.
//
//	Known    what is known                  secrets.go
//	Watch    what passes a provider         watch.go, with Overhear for a server that is called
//	Find     where it stands in a text      find.go
//	Suite    all that a test binary says    suite.go
package secrets

import (
	"maps"
	"net/url"
	"slices"
	"sync"
)

// least is how long a secret is at least. A shorter one would be found where it is not.
const least = 8

// Known are the secrets that must stand in no output. The zero value knows none; it is safe for concurrent use.
type Known struct {
	mu    sync.Mutex
	kinds map[string]string // by secret: what it is
}

// Learn remembers a secret by what it is, such as "refresh token". A value that is too short to be one is left out.
func (k *Known) Learn(what, value string) {
	if len(value) < least {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kinds == nil {
		k.kinds = map[string]string{}
	}
	k.kinds[value] = what
}

// Count is how many secrets are known, by what they are.
func (k *Known) Count() map[string]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := map[string]int{}
	for _, what := range k.kinds {
		counts[what]++
	}
	return counts
}

// all are the secrets and what they are.
func (k *Known) all() map[string]string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.kinds)
}

// secretFields are the names under which a form, a query or an answer holds a secret.
var secretFields = []string{"access_token", "refresh_token", "id_token", "device_code", "code", "code_verifier", "client_secret", "token", "assertion",
	"client_assertion", "subject_token", "actor_token", "registration_access_token", "id_token_hint", "logout_token"}

// learnForm learns what a form or a query holds.
func (k *Known) learnForm(form url.Values) {
	for name, values := range form {
		if slices.Contains(secretFields, name) {
			for _, v := range values {
				k.Learn(name, v)
			}
		}
	}
}
