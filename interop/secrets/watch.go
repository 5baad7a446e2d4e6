package secrets

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Watch is h, and learns each secret that clients send it and that it gives them: in forms, queries and JSON, in
// Authorization, DPoP and cookies, and in the address it sends a browser to. h is a provider, whose answers are short.
func (k *Known) Watch(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k.learnRequest(r, body)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		k.learnAnswer(answer)
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	})
}

// Overhear is h, and learns the secrets in the headers of requests. It changes nothing of requests and answers, which may be
// streams: h is a server that is called.
func (k *Known) Overhear(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.learnRequest(r, nil)
		h.ServeHTTP(w, r)
	})
}

func (k *Known) learnRequest(r *http.Request, body []byte) {
	k.learnForm(r.URL.Query())
	if form, err := url.ParseQuery(string(body)); err == nil {
		k.learnForm(form)
	}
	if _, secret, ok := r.BasicAuth(); ok {
		if plain, err := url.QueryUnescape(secret); err == nil {
			secret = plain
		}
		k.Learn("client_secret", secret)
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && !strings.EqualFold(scheme, "Basic") {
		k.Learn("access_token", token)
	}
	k.Learn("proof of possession", r.Header.Get("DPoP"))
	for _, c := range r.Cookies() {
		k.Learn("cookie", c.Value)
	}
}

func (k *Known) learnAnswer(answer *httptest.ResponseRecorder) {
	var fields map[string]any
	if json.Unmarshal(answer.Body.Bytes(), &fields) == nil {
		for _, name := range secretFields {
			if value, ok := fields[name].(string); ok {
				k.Learn(name, value)
			}
		}
	}
	if to, err := url.Parse(answer.Header().Get("Location")); err == nil {
		k.learnForm(to.Query())
		if form, err := url.ParseQuery(to.Fragment); err == nil {
			k.learnForm(form)
		}
	}
	for _, c := range answer.Result().Cookies() {
		k.Learn("cookie", c.Value)
	}
}
