package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

const (
	jwt    = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
	opaque = "s3cr3t-0paque-v4lue"
)

// logged is the one line that log writes, as JSON and as text.
func logged(t *testing.T, log func(*slog.Logger)) (asJSON map[string]any, asText string) {
	t.Helper()
	var j, x bytes.Buffer
	log(Logger(&j, "debug", "json"))
	log(Logger(&x, "debug", "text"))
	if err := json.Unmarshal(j.Bytes(), &asJSON); err != nil {
		t.Fatalf("%v in %q", err, j.String())
	}
	return asJSON, x.String()
}

func TestRS19_NoSecretIsLogged(t *testing.T) {
	type nested struct {
		AccessToken string `json:"access_token"`
		Kind        string `json:"kind"`
	}
	for _, tt := range []struct {
		name string
		log  func(*slog.Logger)
	}{
		{"a JWT under a harmless key", func(l *slog.Logger) { l.Info("m", "detail", "got "+jwt+" here") }},
		{"a JWT in the message", func(l *slog.Logger) { l.Info("got " + jwt) }},
		{"an encrypted JWT", func(l *slog.Logger) { l.Info("m", "detail", "eyJhbGciOiJSU0Et.a."+opaque+".c.d") }},
		{"a key named token", func(l *slog.Logger) { l.Info("m", "token", opaque) }},
		{"a key named accessToken", func(l *slog.Logger) { l.Info("m", "accessToken", opaque) }},
		{"a key named Authorization", func(l *slog.Logger) { l.Info("m", "Authorization", opaque) }},
		{"a key named client_secret", func(l *slog.Logger) { l.Info("m", "client_secret", opaque) }},
		{"a key named code", func(l *slog.Logger) { l.Info("m", "code", opaque) }},
		{"a key named device-code", func(l *slog.Logger) { l.Info("m", "device-code", opaque) }},
		{"a key named code_verifier", func(l *slog.Logger) { l.Info("m", "code_verifier", opaque) }},
		{"a key named client_assertion", func(l *slog.Logger) { l.Info("m", "client_assertion", opaque) }},
		{"a key named Set-Cookie", func(l *slog.Logger) { l.Info("m", "Set-Cookie", opaque) }},
		{"a secret key inside a group", func(l *slog.Logger) { l.Info("m", slog.Group("g", "token", opaque)) }},
		{"a secret key given with With", func(l *slog.Logger) { l.With("token", opaque).WithGroup("g").Info("m", "a", 1) }},
		{"bytes under a secret key", func(l *slog.Logger) { l.Info("m", "token", []byte(opaque)) }},
		{"a header value with Bearer", func(l *slog.Logger) { l.Info("m", "detail", "Bearer "+opaque) }},
		{"a header value with bearer in lower case and two spaces", func(l *slog.Logger) { l.Info("m", "detail", "bearer  "+opaque) }},
		{"a header value with Basic", func(l *slog.Logger) { l.Info("m", "detail", "Basic "+opaque+"==") }},
		{"an error that quotes a URL with a code", func(l *slog.Logger) {
			l.Info("m", "cause", &url.Error{Op: "Get", URL: "https://a.example/cb?x=1&code=" + opaque, Err: errors.New("refused")})
		}},
		{"an error that quotes a token response", func(l *slog.Logger) {
			l.Info("m", "cause", errors.New(`response: {"token_type":"Bearer","access_token": "`+opaque+`"}`))
		}},
		{"an error that quotes a token response with escaped quotes", func(l *slog.Logger) {
			l.Info("m", "cause", fmt.Errorf("response: %q", `{"access_token":"`+opaque+`"}`))
		}},
		{"an error that quotes a form", func(l *slog.Logger) {
			l.Info("m", "cause", errors.New("body grant_type=refresh_token&refresh_token="+opaque))
		}},
		{"a header map", func(l *slog.Logger) {
			l.Info("m", "header", http.Header{"Authorization": {"Bearer " + opaque}, "X-Other": {"fine"}})
		}},
		{"a struct with a token in it", func(l *slog.Logger) { l.Info("m", "answer", nested{opaque, "fine"}) }},
		{"a pointer to a struct in a slice", func(l *slog.Logger) { l.Info("m", "answers", []*nested{{opaque, "fine"}}) }},
		{"a URL with a query", func(l *slog.Logger) {
			l.Info("m", "url", &url.URL{Scheme: "https", Host: "a.example", RawQuery: "session=" + opaque})
		}},
		{"a URL with a password", func(l *slog.Logger) {
			l.Info("m", "url", url.URL{Scheme: "https", Host: "a.example", User: url.UserPassword("u", opaque)})
		}},
		{"a request", func(l *slog.Logger) {
			r, _ := http.NewRequest("GET", "http://a.example/?q="+opaque, nil)
			r.Header.Set("Authorization", "Bearer "+opaque)
			l.Info("m", "request", r)
		}},
		{"a Secret under any key", func(l *slog.Logger) { l.Info("m", "detail", Secret(opaque)) }},
		{"a Secret inside a struct", func(l *slog.Logger) { l.Info("m", "detail", struct{ S Secret }{opaque}) }},
		{"a Secret put into a sentence", func(l *slog.Logger) {
			l.Info(fmt.Sprintf("%s %v %+v %#v %q %x %d", Secret(opaque), Secret(opaque), Secret(opaque), Secret(opaque), Secret(opaque), Secret(opaque), Secret(opaque)))
		}},
	} {
		t.Run("RS-19 "+tt.name, func(t *testing.T) {
			asJSON, asText := logged(t, tt.log)
			whole := fmt.Sprint(asJSON) + asText
			for _, secret := range []string{opaque, jwt, "c2lnbmF0dXJl", fmt.Sprintf("%x", opaque), "czNjcjN0"} {
				if strings.Contains(whole, secret) {
					t.Errorf("the log holds the secret: %s", whole)
				}
			}
			if !strings.Contains(asText, hidden) || !strings.Contains(fmt.Sprint(asJSON), hidden) {
				t.Errorf("nothing shows that something was left out: %s", whole)
			}
		})
	}
}

func TestWhatIsNoSecretIsLoggedAsItIs(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		value     any
		want      any
	}{
		{"a status under code is a number", "code", 401, 401.0},
		{"a count of tokens", "tokens", 3, 3.0},
		{"whether there is a token", "has_token", true, true},
		{"a sentence about a bearer token", "detail", "no bearer token was sent", "no bearer token was sent"},
		{"a challenge", "detail", `Bearer resource_metadata="https://a.example/x", scope="execute"`, `Bearer resource_metadata="https://a.example/x", scope="execute"`},
		{"an error with a package's name", "cause", errors.New("bearer: invalid token: expired"), "bearer: invalid token: expired"},
		{"an empty token", "token", "", ""},
		{"a list of scopes", "scopes", []string{"execute", "time:read"}, []any{"execute", "time:read"}},
		{"a URL without a query", "url", &url.URL{Scheme: "https", Host: "a.example", Path: "/x"}, "https://a.example/x"},
		{"nothing", "token", nil, nil},
		{"a nil pointer that cannot tell its text", "who", (*stringer)(nil), "<nil>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := logged(t, func(l *slog.Logger) { l.Info("m", tt.key, tt.value) })
			if fmt.Sprint(got[tt.key]) != fmt.Sprint(tt.want) {
				t.Errorf("got %v, want %v", got[tt.key], tt.want)
			}
		})
	}
}

type stringer struct{ name string }

func (s *stringer) String() string { return s.name }

func TestSecretPrintsAsAnEllipsis(t *testing.T) {
	s := Secret(opaque)
	body, err := json.Marshal([]any{s, &s})
	if err != nil {
		t.Fatal(err)
	}
	if want := `["…","…"]`; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s", "%T-%v"} {
		if got := fmt.Sprintf(verb, s, s); strings.Contains(got, opaque) || strings.Contains(got, "7333") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if s.String() != hidden || s.GoString() != hidden || s.LogValue().String() != hidden {
		t.Error("a method shows something else than …")
	}
	if string(s) != opaque {
		t.Error("the secret cannot be used")
	}
}

func TestLevels(t *testing.T) {
	for level, lines := range map[string]int{"debug": 4, "info": 3, "warn": 2, "error": 1, "": 3, "loud": 3} {
		var out bytes.Buffer
		l := Logger(&out, level, "text")
		l.Debug("m")
		l.Info("m")
		l.Warn("m")
		l.Error("m")
		if got := strings.Count(out.String(), "\n"); got != lines {
			t.Errorf("level %q writes %d lines, want %d", level, got, lines)
		}
	}
}

func TestAutoIsJSONWhereThereIsNoTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	Logger(file, "info", "auto").Info("m")
	body, err := os.ReadFile(file.Name())
	if err != nil || !json.Valid(body) {
		t.Errorf("a file gets %q, %v", body, err)
	}
	var out bytes.Buffer
	Logger(&out, "info", "auto").Info("m")
	if !json.Valid(out.Bytes()) {
		t.Errorf("a buffer gets %q", out.String())
	}
}

func TestALineThatNamesItsRequestKeepsThatName(t *testing.T) {
	ctx := &identified{Context: context.Background(), id: [1]string{"of-the-session"}}
	var out bytes.Buffer
	Logger(&out, "info", "json").InfoContext(ctx, "m", "request_id", "of-the-call")
	if strings.Count(out.String(), "request_id") != 1 || !strings.Contains(out.String(), `"request_id":"of-the-call"`) {
		t.Errorf("got %s", out.String())
	}
}

func TestTheRequestIDStandsOutsideOfGroups(t *testing.T) {
	ctx := &identified{Context: context.Background(), id: [1]string{"the-id"}}
	for _, tt := range []struct {
		name string
		with func(*slog.Logger) *slog.Logger
		want string
	}{
		{"without a group", func(l *slog.Logger) *slog.Logger { return l.With("a", 1) }, `{"a":1,"x":2,"request_id":"the-id"}`},
		{"with a group", func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g").With("b", 1) }, `{"a":1,"request_id":"the-id","g":{"b":1,"x":2}}`},
		{"with two groups", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").WithGroup("h") }, `{"request_id":"the-id","g":{"h":{"x":2}}}`},
		{"with a group without a name", func(l *slog.Logger) *slog.Logger { return l.WithGroup("") }, `{"x":2,"request_id":"the-id"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.with(Logger(&out, "info", "json")).InfoContext(ctx, "m", "x", 2)
			_, rest, _ := strings.Cut(out.String(), `"msg":"m",`)
			if got := "{" + strings.TrimSpace(rest); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
	var out bytes.Buffer
	Logger(&out, "info", "json").InfoContext(context.Background(), "m")
	if strings.Contains(out.String(), "request_id") {
		t.Errorf("outside of a request there is %s", out.String())
	}
}
