package main

import (
	"encoding/json"
	"io"
	"net/http"
)

// floor is the least that a server of these calls does: it reads and parses the message, and answers the bytes ours
// answers. It checks nothing and calls nothing.
func floor(j job) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params struct {
				Name      string `json:"name"`
				Arguments struct {
					Query string `json:"query"`
				} `json:"arguments"`
			} `json:"params"`
		}
		if json.Unmarshal(body, &m) != nil || m.Params.Name != tool {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache, no-transform")
		w.Header().Set("X-Request-Id", "abcdefghijklmnop")
		out := make([]byte, 0, len(j.Answer)+64)
		out = append(out, `{"jsonrpc":"2.0","id":`...)
		out = append(out, m.ID...)
		out = append(out, `,"result":`...)
		out = append(out, j.Answer...)
		w.Write(append(out, '}'))
	})
}
