package tokencache

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring keeps small secrets. Get returns [ErrNotInKeyring] where there is no entry. No method may take long; a keyring
// that is locked, or asks a person, is an error.
type Keyring interface {
	Get(service, entry string) (string, error)
	Set(service, entry, secret string) error
}

// ErrNotInKeyring means that a keyring works and has no such entry.
var ErrNotInKeyring = errors.New("tokencache: not in the keyring")

const keyringLimit = 3 * time.Second // for one call, however it hangs

// SystemKeyring is the keyring of the operating system: Keychain, Credential Manager, or a Secret Service on the session
// bus. A call that takes longer than three seconds is an error, and so is every call after it.
func SystemKeyring() Keyring { return &systemKeyring{} }

type systemKeyring struct {
	mu    sync.Mutex
	stuck error
}

func (k *systemKeyring) Get(service, entry string) (string, error) {
	return k.within(func() (string, error) {
		secret, err := keyring.Get(service, entry)
		if errors.Is(err, keyring.ErrNotFound) {
			err = ErrNotInKeyring
		}
		return secret, err
	})
}

func (k *systemKeyring) Set(service, entry, secret string) error {
	_, err := k.within(func() (string, error) { return "", keyring.Set(service, entry, secret) })
	return err
}

// within runs f, and leaves it behind when it does not come back: the bus has no way to stop it.
func (k *systemKeyring) within(f func() (string, error)) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stuck != nil {
		return "", k.stuck
	}
	type answer struct {
		secret string
		err    error
	}
	came := make(chan answer, 1)
	go func() {
		secret, err := f()
		came <- answer{secret, err}
	}()
	limit := time.NewTimer(keyringLimit)
	defer limit.Stop()
	select {
	case a := <-came:
		return a.secret, a.err
	case <-limit.C:
		k.stuck = fmt.Errorf("the keyring does not answer within %s", keyringLimit)
		return "", k.stuck
	}
}
