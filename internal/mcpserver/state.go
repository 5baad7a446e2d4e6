package mcpserver

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// stateLife is how long a client has to bring the answers to what it was asked.
const stateLife = 15 * time.Minute

// states seals what tools want to remember between the rounds of a call, for clients carry it. Whoever brings it back
// must be who it was given to, for the same call, in time. What another key sealed is refused, and the client begins anew.
type states struct {
	aead cipher.AEAD
	now  func() time.Time
}

const stateKeySize = 32 // bytes

var errState = errors.New("the requestState is not one that was given for this call, or it is too old; call again without it")

// newStates returns states under this key, or under one of this process's own where it is nil.
func newStates(key []byte) (*states, error) {
	if key == nil {
		key = make([]byte, stateKeySize)
		rand.Read(key)
	}
	if len(key) != stateKeySize {
		return nil, fmt.Errorf("StateKey has %d bytes, not %d", len(key), stateKeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &states{aead: aead, now: time.Now}, nil
}

// boundTo names what a state is good for: who calls what, with which arguments.
func boundTo(caller, method, name string, arguments json.RawMessage) string {
	bound, err := json.Marshal([]string{caller, method, name, canonical(arguments)})
	if err != nil {
		return method // not reached: strings are always JSON
	}
	return string(bound)
}

// canonical is the same for all spellings of a JSON value, numbers aside.
func canonical(raw json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) == 0 || d.Decode(&v) != nil || v == nil {
		return "{}"
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(out)
}

// seal returns state as a client may hold it.
func (s *states) seal(state, to string) string {
	plain := binary.BigEndian.AppendUint64(nil, uint64(s.now().Add(stateLife).Unix()))
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, append(plain, state...), []byte(to)))
}

// open returns the state that was sealed.
func (s *states) open(sealed, to string) (string, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return "", errState
	}
	plain, err := s.aead.Open(nil, nil, raw, []byte(to))
	if err != nil || len(plain) < 8 || s.now().Unix() >= int64(binary.BigEndian.Uint64(plain)) {
		return "", errState
	}
	return string(plain[8:]), nil
}
