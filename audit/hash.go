package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
)

// hashPrefix says how a fingerprint was made, so that another way can be told from it.
const hashPrefix = "hmac-sha256:"

// fingerprint is the HMAC-SHA-256 of the arguments in their canonical form. A plain hash would not do: who reads the
// record could find a short argument, such as a name or an account number, by trying them all.
func fingerprint(key []byte, arguments []byte) (string, error) {
	form, err := canonical(arguments)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(form)
	return hashPrefix + hex.EncodeToString(mac.Sum(nil)), nil
}

// canonical is JSON without needless spaces, with the members of each object sorted by name and strings in one spelling.
// Numbers stay as they were written: 1 and 1.0 are two arguments.
func canonical(raw []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return json.Marshal(value)
}
