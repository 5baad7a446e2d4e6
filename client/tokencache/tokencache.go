// Package tokencache keeps sign-ins between processes.
//
// Each sign-in is a record of its own, known by issuer, server, client id and account, and sealed with a key that the
// keyring of the operating system holds, or a file where there is no keyring. A sign-in is refreshed by one process at a
// time, and kept before it is used; a command that fails loses none. It signs nobody in and draws nothing: package
// signin does the one, a [Cache.Waiting] tells of the other.
//
//	find, sign in     what client.Connect asks for                 signin.go
//	keep              one refresh between all processes            keep.go
//	accounts          list, choose, forget                         accounts.go
//	clients           registrations of this program (RFC 7591)     clients.go
//	records           names and contents                           record.go
//	vault             where records are, and who may read them     vault.go
//	key               what they are sealed with                    key.go, keyring.go
//	files             replaced whole, private                      file.go, file_unix.go, file_other.go
//	locks             between processes                            lock.go
package tokencache

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Where says where sign-ins are kept, and how well.
type Where string

// The places, the best first.
const (
	InKeyring Where = "keyring" // encrypted files, whose key the keyring of the operating system holds
	InFile    Where = "file"    // encrypted files, whose key lies beside them: as safe as the folder
	InPlain   Where = "plain"   // files that are not encrypted
	InMemory  Where = "memory"  // nowhere: they end with the process
)

// Options says where to keep sign-ins. The zero value keeps encrypted files in the folder that [DefaultDir] names, with
// their key beside them.
type Options struct {
	// Dir is the folder; empty means what DefaultDir names. It is made where it is missing, for its owner alone.
	Dir string
	// Keyring holds the key that records are sealed with; nil means that a file does. [SystemKeyring] is the one of the
	// operating system.
	Keyring Keyring
	// Plain writes records without a seal. It is for machines on which neither of the others works.
	Plain bool
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Cache keeps sign-ins. It is safe for concurrent use, by any number of processes.
type Cache struct {
	dir     string
	keyring Keyring
	plain   bool
	now     func() time.Time

	// Waiting hears what somebody else, in this process or another, asks a person to do, while this one waits for it; nil
	// means that nobody hears. It is called once for each thing to do, and once with nothing to do where the other one says
	// nothing for a while: it may have been stopped. It must return at once. Set it before use.
	Waiting func(Pending)
	// Trouble hears of what was lost or could not be kept; nil means that nobody does. Set it before use.
	Trouble func(error)

	mu    sync.Mutex
	vault *vault // nil until the first use
}

// New returns a cache. Nothing is opened or made before it is used.
func New(o Options) (*Cache, error) {
	c := &Cache{dir: o.Dir, keyring: o.Keyring, plain: o.Plain, now: o.Now}
	if c.now == nil {
		c.now = time.Now
	}
	if c.dir == "" {
		dir, err := DefaultDir()
		if err != nil {
			return nil, err
		}
		c.dir = dir
	}
	return c, nil
}

// DefaultDir is the folder for this user: fastmcp-auth/sign-ins where the system keeps settings of programs.
func DefaultDir() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", errors.New("tokencache: there is no home folder to keep sign-ins in")
	}
	return filepath.Join(dir, "fastmcp-auth", "sign-ins"), nil
}

// Where says where sign-ins are kept on this machine.
func (c *Cache) Where() Where { return c.open().where }

// Dir is the folder of the records.
func (c *Cache) Dir() string { return c.dir }

// open opens the vault at the first use. Where none can be had, sign-ins last as long as the process.
func (c *Cache) open() *vault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vault != nil {
		return c.vault
	}
	v, err := openVault(c.dir, c.keyring, c.plain)
	if err != nil {
		c.trouble(&KeepError{Dir: c.dir, Err: err})
		v = &vault{where: InMemory, memory: map[string][]byte{}}
	}
	c.vault = v
	return v
}

func (c *Cache) trouble(err error) {
	if c.Trouble != nil {
		c.Trouble(err)
	}
}

// KeepError means that sign-ins cannot be kept.
type KeepError struct {
	Dir string
	Err error
}

// Error names folder and cause.
func (e *KeepError) Error() string {
	return "tokencache: sign-ins cannot be kept in " + e.Dir + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *KeepError) Unwrap() error { return e.Err }
