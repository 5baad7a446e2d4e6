package tokencache

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

const (
	sealed    = ".sealed"
	unsealed  = ".json"
	broken    = ".broken" // what could not be read is put aside, not wiped
	maxRecord = 1 << 20   // bytes
)

// errBroken means that a record is not what this vault wrote.
var errBroken = errors.New("the record is damaged, or sealed with another key")

// vault is a folder of records. Each is written whole or not at all.
type vault struct {
	where  Where
	dir    string
	suffix string
	key    []byte
	aead   cipher.AEAD // nil: records are not sealed

	mu     sync.Mutex
	memory map[string][]byte // instead of dir, when where is InMemory
}

// openVault chooses where records are: as asked for, where there is a key already, or in the best place that works.
//
// The places are folders of their own, so that a keyring that is out of reach for a while, as over SSH, costs nothing:
// what it guards is there again when the keyring is.
func openVault(dir string, ring Keyring, plain bool) (*vault, error) {
	if err := privateDir(dir); err != nil {
		return nil, err
	}
	if plain {
		return newVault(dir, InPlain, nil)
	}
	inKeyring, inFile := filepath.Join(dir, string(InKeyring)), filepath.Join(dir, string(InFile))
	if ring != nil && (exists(inKeyring) || !exists(filepath.Join(inFile, keyFile))) {
		key, err := ringKey(ring, dir)
		if err == nil {
			return newVault(dir, InKeyring, key)
		}
	}
	if err := privateDir(inFile); err != nil {
		return nil, err
	}
	key, err := fileKey(inFile)
	if err != nil {
		return nil, err
	}
	return newVault(dir, InFile, key)
}

func newVault(dir string, where Where, key []byte) (*vault, error) {
	v := &vault{where: where, dir: filepath.Join(dir, string(where)), suffix: unsealed, key: key}
	if err := privateDir(v.dir); err != nil {
		return nil, err
	}
	sweep(v.dir)
	if where == InPlain {
		return v, nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	v.suffix = sealed
	v.aead, err = cipher.NewGCMWithRandomNonce(block)
	return v, err
}

// name makes the name of a record from what it is known by. It says nothing to those without the key.
func (v *vault) name(kind string, parts ...string) string {
	mac := hmac.New(sha256.New, v.key)
	for _, p := range append([]string{kind}, parts...) {
		fmt.Fprintf(mac, "%d:%s,", len(p), p)
	}
	return kind + "-" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// read returns the record, or an error that is fs.ErrNotExist when there is none. A record that is damaged is put aside.
func (v *vault) read(name string) ([]byte, error) {
	if v.memory != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		b, there := v.memory[name]
		if !there {
			return nil, fs.ErrNotExist
		}
		return b, nil
	}
	b, err := readPrivate(v.path(name), maxRecord)
	if err != nil || v.aead == nil {
		return b, err
	}
	clear, err := v.aead.Open(nil, nil, b, v.context(name))
	if err != nil {
		return nil, errBroken
	}
	return clear, nil
}

// write keeps the record: when it returns nil, it is on the disk.
func (v *vault) write(name string, b []byte) error {
	r, err := v.reserve(name, len(b))
	if err != nil {
		return err
	}
	return r.write(b)
}

// remove forgets the record; one that is not there is no error.
func (v *vault) remove(name string) error {
	if v.memory != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		delete(v.memory, name)
		return nil
	}
	err := os.Remove(v.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		syncDir(v.dir)
	}
	return err
}

// putAside keeps a damaged record under another name.
func (v *vault) putAside(name string) {
	if v.memory == nil {
		os.Rename(v.path(name), v.path(name)+broken)
	}
}

// names lists the records of a kind.
func (v *vault) names(kind string) ([]string, error) {
	var names []string
	if v.memory != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		for name := range v.memory {
			if strings.HasPrefix(name, kind+"-") {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names, nil
	}
	entries, err := os.ReadDir(v.dir)
	for _, e := range entries {
		name, ours := strings.CutSuffix(e.Name(), v.suffix)
		if ours && strings.HasPrefix(name, kind+"-") {
			names = append(names, name)
		}
	}
	return names, err
}

func (v *vault) path(name string) string { return filepath.Join(v.dir, name+v.suffix) }

// context is what a seal is good for: this record under this name.
func (v *vault) context(name string) []byte { return []byte("fastmcp-auth/1 " + name) }

// reservation is room on the disk for a record that is about to change, taken before what it holds is used up.
type reservation struct {
	vault *vault
	name  string
	file  *pending // nil in memory
}

// reserve takes room for a record of size bytes, so that a full disk is noticed before a refresh token is spent. The
// reservation is written or dropped.
func (v *vault) reserve(name string, size int) (*reservation, error) {
	r := &reservation{vault: v, name: name}
	if v.memory != nil {
		return r, nil
	}
	if size > maxRecord/2 {
		return nil, fmt.Errorf("a record of %d bytes is too large", size)
	}
	var err error
	r.file, err = newPending(v.path(name), size+sealOverhead)
	return r, err
}

const sealOverhead = 28 // nonce and tag

func (r *reservation) write(b []byte) error {
	v := r.vault
	if v.memory != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.memory[r.name] = slices.Clone(b)
		return nil
	}
	if v.aead != nil {
		b = v.aead.Seal(nil, nil, b, v.context(r.name))
	}
	return r.file.commit(b)
}

func (r *reservation) drop() {
	if r.file != nil {
		r.file.drop()
	}
}

// randomKey makes a key for AES-256.
func randomKey() []byte {
	key := make([]byte, keyBytes)
	rand.Read(key)
	return key
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
