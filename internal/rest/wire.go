package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/identity"
	"github.com/fastmcp-auth/fastmcp-auth/internal/strictjson"
)

// How many bodies of more than cheapBody bytes may be on their way at a time, as at the MCP endpoint (attack 60).
const (
	cheapBody        = 16 << 10
	maxBodies        = 256
	maxBodiesPerUser = 32
)

// How many results of more than cheapBody bytes may be held in memory at a time, because they are being written. Each is
// read from the store as a whole.
const (
	maxResults        = 64
	maxResultsPerUser = 8
)

// paced is an answer that a slow reader cannot hold for ever: each piece of it must leave in time.
type paced struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// Unwrap lets a controller come to what is below.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *paced) Write(data []byte) (written int, err error) {
	const piece = 64 << 10
	for {
		p.control.SetWriteDeadline(time.Now().Add(p.patience)) // not every writer has deadlines; net/http ends this one with the request
		n, err := p.ResponseWriter.Write(data[:min(piece, len(data))])
		if written, data = written+n, data[n:]; err != nil || len(data) == 0 {
			return written, err
		}
	}
}

// body reads a request's JSON object, strictly. Nothing else is taken, whatever it is called.
func (h *Handler) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "the body must be application/json")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, problem(http.StatusUnsupportedMediaType, "unsupported_media_type", "the body must not be encoded")
	}
	if r.ContentLength < 0 || r.ContentLength > cheapBody {
		key := identity.KeyFrom(r.Context())
		if !h.bodies.Enter(key) {
			w.Header().Set("Connection", "close") // or the answer waits for the body that nobody reads
			return nil, problem(http.StatusTooManyRequests, "busy", "you are sending too many large bodies at once; try again when one has arrived")
		}
		defer h.bodies.Leave(key)
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.o.MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problem(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than this server reads")
	case err != nil:
		return nil, problem(http.StatusBadRequest, "invalid_json", "the body could not be read")
	}
	if err := strictjson.Check(data); err != nil {
		return nil, problem(http.StatusBadRequest, "invalid_json", "the body is not one JSON object: "+err.Error())
	}
	return data, nil
}

// into decodes a body that [Handler.body] has read into a struct. Names are exact, and others than the struct's refused:
// encoding/json would take a name that differs by case for the same. required names must be there, and not null.
func into(data []byte, to any, required ...string) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for _, name := range required {
		if value := given[name]; len(value) == 0 || string(value) == "null" {
			return invalid(name, "is missing")
		}
	}
	known := reflect.TypeOf(to).Elem()
	for i := range known.NumField() {
		name, _, _ := strings.Cut(known.Field(i).Tag.Get("json"), ",")
		delete(given, name)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return invalid(strictjson.Clip(name), "is not known here")
	}
	var kind *json.UnmarshalTypeError
	err := json.Unmarshal(data, to)
	if errors.As(err, &kind) {
		return invalid(kind.Field, "has the wrong type")
	}
	return err
}

// write answers with JSON that nobody but the caller may keep.
func write(w http.ResponseWriter, status int, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	writeRaw(w, status, data)
	return nil
}

func writeRaw(w http.ResponseWriter, status int, data []byte) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	if head.Get("Cache-Control") == "" {
		head.Set("Cache-Control", "no-store")
	}
	head.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(data)
}

// writeTagged answers with JSON, or with 304 where the caller has it (RFC 9110, section 13.1.2).
func writeTagged(w http.ResponseWriter, r *http.Request, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Authorization, Cookie")
	for given := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if given = strings.TrimSpace(given); given == "*" || strings.TrimPrefix(given, "W/") == tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	writeRaw(w, http.StatusOK, data)
	return nil
}
