package store

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// KeySize is the size of a sealing key in bytes.
const KeySize = 32

// ErrUnreadable means that what stands in the store was sealed with another key, or changed by somebody.
var ErrUnreadable = errors.New("store: sealed with another key, or changed")

// Sealed returns a store that keeps in s what nobody reads or forges without a key: values and entries are sealed with
// AES-256-GCM for the name they stand under, and names are kept as keyed hashes. The first key seals, and each of them
// opens, so that keys can be changed; but names follow the first key, so what an older key wrote is found only after it
// is made the first again. Each key has [KeySize] bytes.
//
// Entries of a log are bound to their log, not to their place in it: whoever can write to s can leave out or repeat
// some.
func Sealed(s Store, keys ...[]byte) (Store, error) {
	if len(keys) == 0 {
		return nil, errors.New("store: no key to seal with")
	}
	sealed := &sealed{Store: s}
	for i, key := range keys {
		if len(key) != KeySize {
			return nil, fmt.Errorf("store: key %d has %d bytes, not %d", i+1, len(key), KeySize)
		}
		aead, err := aeadOf(key)
		if err != nil {
			return nil, err
		}
		sealed.aeads = append(sealed.aeads, aead)
	}
	var err error
	sealed.names, err = hkdf.Key(sha256.New, keys[0], nil, "fastmcp-auth store names", KeySize)
	return sealed, err
}

func aeadOf(key []byte) (cipher.AEAD, error) {
	sub, err := hkdf.Key(sha256.New, key, nil, "fastmcp-auth store values", KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

type sealed struct {
	Store
	aeads []cipher.AEAD
	names []byte
}

// name hides what stands under it from those who can list a store.
func (s *sealed) name(kind, name string) string {
	mac := hmac.New(sha256.New, s.names)
	mac.Write([]byte(kind + "\x00" + name))
	return kind + "/" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s *sealed) key(key string) string { return s.name("v", key) }
func (s *sealed) log(log string) string { return s.name("l", log) }

// overhead is what sealing adds to a value.
const overhead = 12 + 16

func (s *sealed) seal(name string, data []byte) []byte {
	nonce := make([]byte, s.aeads[0].NonceSize(), s.aeads[0].NonceSize()+len(data)+overhead)
	rand.Read(nonce)
	return s.aeads[0].Seal(nonce, nonce, data, []byte(name))
}

func (s *sealed) open(name string, box []byte) ([]byte, error) {
	for _, aead := range s.aeads {
		if len(box) < aead.NonceSize() {
			break
		}
		data, err := aead.Open(nil, box[:aead.NonceSize()], box[aead.NonceSize():], []byte(name))
		if err == nil {
			return data, nil
		}
	}
	return nil, ErrUnreadable
}

func (s *sealed) Get(ctx context.Context, key string) (Item, error) {
	return s.opened(s.key(key))(s.Store.Get(ctx, s.key(key)))
}

func (s *sealed) Take(ctx context.Context, key string) (Item, error) {
	return s.opened(s.key(key))(s.Store.Take(ctx, s.key(key)))
}

func (s *sealed) opened(name string) func(Item, error) (Item, error) {
	return func(item Item, err error) (Item, error) {
		if err != nil {
			return Item{}, err
		}
		if item.Value, err = s.open(name, item.Value); err != nil {
			return Item{}, err
		}
		return item, nil
	}
}

func (s *sealed) Put(ctx context.Context, key string, value []byte, w Write) (uint64, error) {
	if err := sealable(key, value); err != nil {
		return 0, err
	}
	return s.Store.Put(ctx, s.key(key), s.seal(s.key(key), value), w)
}

func (s *sealed) Delete(ctx context.Context, key string) error {
	return s.Store.Delete(ctx, s.key(key))
}

func (s *sealed) Append(ctx context.Context, log string, entry []byte, k Keep) (uint64, error) {
	if err := sealable(log, entry); err != nil {
		return 0, err
	}
	return s.Store.Append(ctx, s.log(log), s.seal(s.log(log), entry), k)
}

// sealable checks what the hashed name and the sealed value hide from the store's own bounds.
func sealable(name string, data []byte) error {
	if len(data) > MaxValue-overhead {
		return fmt.Errorf("%w: %d bytes to seal", ErrInvalid, len(data))
	}
	return CheckName(name)
}

func (s *sealed) Entries(ctx context.Context, log string, after uint64, most int) ([]Entry, error) {
	entries, err := s.Store.Entries(ctx, s.log(log), after, most)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		if entries[i].Data, err = s.open(s.log(log), entries[i].Data); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

func (s *sealed) Watch(ctx context.Context, log string) (<-chan struct{}, error) {
	return s.Store.Watch(ctx, s.log(log))
}

func (s *sealed) Drop(ctx context.Context, log string) error {
	return s.Store.Drop(ctx, s.log(log))
}
