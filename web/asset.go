package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// assets serves files whose names change with what is in them. The build has compressed each; the plain form is not
// kept, and is made for the rare client that asks for it.
type assets struct{ files fs.FS }

// encodings are what a file is kept in, the smallest first.
var encodings = []struct{ name, suffix string }{{"br", ".br"}, {"gzip", ".gz"}}

func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	head := w.Header()
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Vary", "Accept-Encoding")
	for _, e := range encodings {
		if !accepts(r.Header.Get("Accept-Encoding"), e.name) {
			continue
		}
		if data, err := fs.ReadFile(a.files, name+e.suffix); err == nil {
			head.Set("Content-Encoding", e.name)
			send(w, r, name, data)
			return
		}
	}
	data, err := a.plain(name)
	if err != nil {
		head.Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	send(w, r, name, data)
}

// plain returns a file as it was before the build compressed it.
func (a assets) plain(name string) ([]byte, error) {
	if data, err := fs.ReadFile(a.files, name); err == nil {
		return data, nil
	}
	packed, err := fs.ReadFile(a.files, name+".gz")
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func send(w http.ResponseWriter, r *http.Request, name string, data []byte) {
	head := w.Header()
	head.Set("Content-Type", mediaOf(name))
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(data)
	}
}

// mediaOf does not ask the machine's own table for what scripts and styles are.
func mediaOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if media := mime.TypeByExtension(path.Ext(name)); media != "" {
		return media
	}
	return "application/octet-stream"
}

// accepts reports whether an Accept-Encoding header allows an encoding (RFC 9110, section 12.5.3).
func accepts(header, encoding string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(one, ";")
		if !strings.EqualFold(strings.TrimSpace(name), encoding) {
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(params), "=")
		q, err := strconv.ParseFloat(value, 64)
		return !strings.EqualFold(key, "q") || err == nil && q > 0
	}
	return false
}
