package tokencache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"path/filepath"
)

const (
	keyBytes    = 32
	keyFile     = "key"
	ringService = "fastmcp-auth"
)

var errKey = errors.New("the key of the sign-ins is damaged")

// ringKey gets the key of dir from the keyring, or makes one. Only the key is kept there: a keyring may hold no more than
// 2560 bytes in an entry, as that of Windows, and tokens of Entra are larger.
func ringKey(ring Keyring, dir string) ([]byte, error) {
	sum := sha256.Sum256([]byte(dir))
	entry := "sign-ins " + hex.EncodeToString(sum[:8])
	text, err := ring.Get(ringService, entry)
	if errors.Is(err, ErrNotInKeyring) {
		text, err = newRingKey(ring, dir, entry)
	}
	if err != nil {
		return nil, err
	}
	return decodeKey(text)
}

// newRingKey puts a key into the keyring, unless another process was faster, and reads it back: a keyring that forgets
// is none.
func newRingKey(ring Keyring, dir, entry string) (string, error) {
	unlock, err := lockNow(filepath.Join(dir, string(InKeyring)+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if text, err := ring.Get(ringService, entry); err == nil {
		return text, nil
	}
	if err := ring.Set(ringService, entry, base64.StdEncoding.EncodeToString(randomKey())); err != nil {
		return "", err
	}
	return ring.Get(ringService, entry)
}

// fileKey reads the key that lies in dir, or makes one.
func fileKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	text, err := readPrivate(path, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = newFileKey(path)
	}
	if err != nil {
		return nil, err
	}
	return decodeKey(string(text))
}

func newFileKey(path string) ([]byte, error) {
	unlock, err := lockNow(path + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if text, err := readPrivate(path, 1<<10); err == nil {
		return text, nil
	}
	text := []byte(base64.StdEncoding.EncodeToString(randomKey()))
	p, err := newPending(path, len(text))
	if err != nil {
		return nil, err
	}
	return text, p.commit(text)
}

func decodeKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return nil, errKey
	}
	return key, nil
}
