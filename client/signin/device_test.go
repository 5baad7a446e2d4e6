package signin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestTheDeviceFlowShowsACodeAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(refuse("authorization_pending"), refuse("authorization_pending"), token("access", "refresh", "execute", 600))
		var shown signin.DevicePrompt
		source, err := s.signIn(t.Context(), &signin.Device{Prompt: func(p signin.DevicePrompt) { shown = p }})
		if err != nil {
			t.Fatal(err)
		}
		if shown.UserCode != "ABCD-EFGH" || shown.VerificationURI != "https://as.example/device" || shown.VerificationURIComplete != "" ||
			!shown.Expires.Equal(s.began.Add(15*time.Minute)) || shown.Issuer != "https://as.example" || shown.Server != "https://mcp.example/mcp" {
			t.Errorf("shown %+v", shown)
		}
		select {
		case <-shown.Done:
		default:
			t.Error("the screen is not told that it is over")
		}
		got, err := source.Token()
		if err != nil || got.AccessToken != "access" || got.RefreshToken != "" || !got.Expiry.Equal(time.Now().Add(10*time.Minute)) {
			t.Errorf("token %v, %v", got.Expiry, err)
		}
		if want := []time.Duration{5 * time.Second, 10 * time.Second, 15 * time.Second}; !slices.Equal(s.times, want) {
			t.Errorf("polled at %v, want %v", s.times, want)
		}
		last := s.forms[len(s.forms)-1]
		if last.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" || last.Get("device_code") != "the-device-code" || last.Get("client_id") != "dev-cli" {
			t.Errorf("sent %v", last)
		}
	})
}

func TestAttack39_PollingKeepsTheServersPace(t *testing.T) {
	second := func(n ...int) (d []time.Duration) {
		for _, n := range n {
			d = append(d, time.Duration(n)*time.Second)
		}
		return d
	}
	done := token("a", "", "", 600)
	for _, row := range []struct {
		name     string
		interval any
		answers  []any
		want     []time.Duration
	}{
		{"the interval is the server's", 7, []any{refuse("authorization_pending"), done}, second(7, 14)},
		{"without an interval it is five seconds", nil, []any{done}, second(5)},
		{"an interval of nothing is a second", 0, []any{refuse("authorization_pending"), done}, second(1, 2)},
		{"an interval written as a string is read", "2", []any{done}, second(2)},
		{"slow_down adds five seconds, for good", 5, []any{refuse("slow_down"), refuse("authorization_pending"), refuse("slow_down"), done}, second(5, 15, 25, 40)},
		{"a lost answer doubles the interval", 5, []any{errors.New("connection reset"), errors.New("connection reset"), done}, second(5, 15, 35)},
		{"a server in trouble is given time", 5, []any{refusal{503, nil}, done}, second(5, 15)},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(row.answers...)
				s.device = func(url.Values) (int, any) {
					m := map[string]any{"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/device", "expires_in": 900}
					if row.interval != nil {
						m["interval"] = row.interval
					}
					return 200, m
				}
				if _, err := s.signIn(t.Context(), nil); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(s.times, row.want) {
					t.Errorf("polled at %v, want %v", s.times, row.want)
				}
			})
		})
	}
}

func TestTheDeviceFlowIsRefused(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer any
		is     error
		want   string
	}{
		{"access_denied means declined", refuse("access_denied"), signin.ErrDeclined, "signin: https://as.example answers access_denied"},
		{"Entra 18 authorization_declined means declined", refuse("authorization_declined"), signin.ErrDeclined, "answers authorization_declined"},
		{"Entra 18 expired_token means expired", refuse("expired_token"), signin.ErrExpired, "answers expired_token"},
		{"Entra 18 bad_verification_code means unknown", refuse("bad_verification_code"), signin.ErrCodeUnknown, "answers bad_verification_code"},
		{"Entra 20 the ids for support are shown, on one line", refusal{400, map[string]any{
			"error": "invalid_client", "error_description": "AADSTS7000218: no assertion.\r\nTrace ID: x\x1b[31m", "error_codes": []int{7000218},
			"trace_id": "t-1", "correlation_id": "c-1"}}, nil,
			"answers invalid_client: AADSTS7000218: no assertion. Trace ID: x [31m (correlation c-1, trace t-1)"},
		{"Entra 20 its ids are told once, and not again at the end of its words", refusal{400, map[string]any{
			"error": "invalid_grant", "error_description": "AADSTS50173: Revoked.\r\nTrace ID: 00000000-0000-0000-0000-000000000001\r\n" +
				"Correlation ID: 00000000-0000-0000-0000-000000000002\r\nTimestamp: 2026-01-02 03:04:05Z"}}, signin.ErrNeeded,
			"answers invalid_grant: AADSTS50173: Revoked. (correlation 00000000-0000-0000-0000-000000000002, trace 00000000-0000-0000-0000-000000000001)"},
		{"a refusal without JSON", func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "text/html")
			rw.WriteHeader(403)
			rw.Write([]byte("<p>secret"))
		}, nil, "signin: https://as.example answers HTTP 403"},
		{"a redirect is not followed", func(rw http.ResponseWriter) {
			rw.Header().Set("Location", "https://other.example/token")
			rw.WriteHeader(307)
		}, nil, "answers HTTP 307"},
		{"an answer that is not JSON", func(rw http.ResponseWriter) {
			rw.Header().Set("Content-Type", "text/plain")
			rw.Write([]byte("access_token=secret"))
		}, nil, `answers "text/plain", not application/json`},
		{"an answer with the wrong types does not print its token", func(rw http.ResponseWriter) {
			rw.Write([]byte(`{"access_token":["secret"],"token_type":"Bearer"}`))
		}, nil, "is not the JSON it should be"},
		{"a token that cannot stand in a header", token("a\r\nb", "", "", 1), nil, "no usable access_token"},
		{"no token", map[string]any{"token_type": "Bearer"}, nil, "no usable access_token"},
		{"a token of another type", map[string]any{"access_token": "a", "token_type": "DPoP"}, nil, `a token of type "DPoP", not Bearer`},
		{"an answer that is too large", func(rw http.ResponseWriter) {
			rw.Write([]byte(`{"access_token":"` + strings.Repeat("a", 1<<20) + `"}`))
		}, nil, "larger than 1048576 bytes"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := newServer(row.answer).signIn(t.Context(), nil)
				if err == nil || !strings.Contains(err.Error(), row.want) || row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("error %v, want %q", err, row.want)
				}
				if strings.Contains(fmt.Sprint(err), "secret") || strings.ContainsAny(fmt.Sprint(err), "\r\n\x1b") {
					t.Errorf("error %q", err)
				}
			})
		})
	}
}

func TestTheFirstAnswerOfTheDeviceFlowIsRefused(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/device", "expires_in": 900}
	}
	for _, row := range []struct {
		name  string
		key   string
		value any
		want  string
	}{
		{"without device code", "device_code", "", "lacks device_code"},
		{"without user code", "user_code", "", "lacks device_code, user_code"},
		{"with a user code that draws on the screen", "user_code", "A\x1b[2J", "lacks device_code, user_code"},
		{"with a user code without end", "user_code", strings.Repeat("A", 65), "lacks device_code, user_code"},
		{"without expiry", "expires_in", 0, "expires_in"},
		{"with a negative interval", "interval", -1, "not the JSON it should be"},
		{"C-23 with a page that is a script", "verification_uri", "javascript:alert(1)", "no address to open"},
		{"C-23 with a page in the clear", "verification_uri", "http://as.example/device", "which is not https"},
		{"C-23 with a file", "verification_uri_complete", "file://host/etc/passwd", "which is not https"},
		{"C-23 with a page that draws on the screen", "verification_uri", "https://as.example/\u009b2J", "no address to open"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newServer()
			s.device = func(url.Values) (int, any) {
				m := good()
				m[row.key] = row.value
				return 200, m
			}
			_, err := s.signIn(t.Context(), &signin.Device{Prompt: func(signin.DevicePrompt) { t.Error("it is shown") }})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %q", err, row.want)
			}
		})
	}
}

func TestAttack39_ACodeThatNobodyEntersExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pending := func(url.Values) any { return refuse("authorization_pending") }
		answers := make([]any, 1000)
		for i := range answers {
			answers[i] = pending
		}
		s := newServer(answers...)
		_, err := s.signIn(t.Context(), nil)
		if !errors.Is(err, signin.ErrExpired) {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(s.began); waited != 15*time.Minute {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestACancelledContextEndsTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newServer()
		_, err := s.signIn(ctx, &signin.Device{Prompt: func(signin.DevicePrompt) { cancel() }})
		if !errors.Is(err, context.Canceled) || time.Since(s.began) != 0 {
			t.Errorf("error %v after %v", err, time.Since(s.began))
		}
	})
}

func TestADeviceThatLacksSomethingSaysWhat(t *testing.T) {
	s := newServer()
	prompt := func(signin.DevicePrompt) {}
	r := s.request()
	if _, err := (&signin.Device{Prompt: prompt}).SignIn(t.Context(), r); !errors.Is(err, signin.ErrClientIDNeeded) {
		t.Errorf("error %v", err)
	}
	if _, err := (&signin.Device{ClientID: "c"}).SignIn(t.Context(), r); err == nil || err.Error() != "signin: Device.Prompt is nil" {
		t.Errorf("error %v", err)
	}
	r.Authorization.DeviceAuthorizationEndpoint = ""
	if _, err := (&signin.Device{ClientID: "c", Prompt: prompt}).SignIn(t.Context(), r); !errors.Is(err, signin.ErrNoDeviceFlow) {
		t.Errorf("error %v", err)
	}
}

func TestTheDeviceFlowUsesPKCEOnlyWhereItIsAskedFor(t *testing.T) {
	demanding := func(form url.Values) (int, any) { // Keycloak, with a client that must use PKCE
		if form.Get("code_challenge_method") != "S256" {
			return 400, map[string]any{"error": "invalid_request", "error_description": "Missing parameter: code_challenge_method"}
		}
		return 200, map[string]any{"device_code": "d", "user_code": "u", "verification_uri": "https://as.example/device", "expires_in": 900}
	}
	for _, row := range []struct {
		name    string
		methods []string // that the metadata lists
		device  func(url.Values) (int, any)
		asked   []bool // with PKCE, in each request of the flow
		fails   string // error code; empty means that the flow comes to its end
	}{
		{"a server that does not ask for it is not sent it", []string{"S256"}, nil, []bool{false, false}, ""},
		{"a server that asks for it is asked again with it", []string{"plain", "S256"}, demanding, []bool{false, true, true}, ""},
		{"a server that knows no S256 is not asked again", []string{"plain"}, demanding, []bool{false}, "invalid_request"},
		{"another refusal is final", []string{"S256"}, func(url.Values) (int, any) { return 400, map[string]any{"error": "invalid_scope"} }, []bool{false}, "invalid_scope"},
		{"a server that refuses it too is asked no third time", []string{"S256"}, func(url.Values) (int, any) { return 400, map[string]any{"error": "invalid_request"} }, []bool{false, true}, "invalid_request"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(token("one", "", "execute", 600))
				if row.device != nil {
					s.device = row.device
				}
				r := s.request()
				r.Authorization.CodeChallengeMethodsSupported = row.methods
				_, err := (&signin.Device{ClientID: "c", Prompt: func(signin.DevicePrompt) {}}).SignIn(t.Context(), r)
				var refused *signin.Error
				if row.fails == "" && err != nil || row.fails != "" && (!errors.As(err, &refused) || refused.Code != row.fails) {
					t.Errorf("error %v, want %q", err, row.fails)
				}
				var asked []bool
				var challenge string
				for _, form := range s.forms {
					asked = append(asked, form.Has("code_challenge") || form.Has("code_verifier"))
					if form.Has("code_challenge") {
						challenge = form.Get("code_challenge")
					}
					if v := form.Get("code_verifier"); v != "" && !oauth.VerifyS256(challenge, v) {
						t.Error("the verifier does not fit the challenge")
					}
				}
				if !slices.Equal(asked, row.asked) {
					t.Errorf("PKCE in the requests: %v, want %v", asked, row.asked)
				}
			})
		})
	}
}

func TestC11_TheResourceIsSentByteForByteInEveryRequest(t *testing.T) {
	const odd = "HTTPS://MCP.example:443/mcp"
	for _, row := range []struct {
		name     string
		resource signin.Resource
		want     []string // in the device, token and refresh request; "" is none
	}{
		{"C-11 as the metadata spells it", signin.ResourceAuto, []string{odd, odd, odd}},
		{"C-11 always, when told so", signin.ResourceSend, []string{odd, odd, odd}},
		{"C-11 never, when told so", signin.ResourceOmit, []string{"", "", ""}},
		{"C-11 another, when told so", "api://app", []string{"api://app", "api://app", "api://app"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(token("one", "r1", "execute", 10), token("two", "r2", "execute", 10))
				r := s.request()
				r.Resource.Resource = odd
				source, err := (&signin.Device{ClientID: "c", Prompt: func(signin.DevicePrompt) {}, Resource: row.resource}).SignIn(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got, err := source.Token(); err != nil || got.AccessToken != "two" {
					t.Fatal(err)
				}
				for i, form := range s.forms {
					if got := form.Get("resource"); got != row.want[i] || form.Has("resource") != (row.want[i] != "") {
						t.Errorf("request %d sends resource %q, want %q", i+1, got, row.want[i])
					}
				}
			})
		})
	}
}

func TestEntra10_AResourceThatEntraRefusesIsLeftOut(t *testing.T) {
	for _, code := range []int{901002, 9010010} {
		synctest.Test(t, func(t *testing.T) {
			entra := refusal{400, map[string]any{"error": "invalid_request", "error_codes": []int{code}}}
			s := newServer(token("a", "r", "execute", 10), token("b", "r", "execute", 10))
			device := s.device
			s.device = func(form url.Values) (int, any) {
				if form.Has("resource") {
					return entra.status, entra.body
				}
				return device(form)
			}
			source, err := s.signIn(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if _, err := source.Token(); err != nil {
				t.Fatal(err)
			}
			for i, form := range s.forms {
				if form.Has("resource") != (i == 0) {
					t.Errorf("request %d: resource %q", i+1, form.Get("resource"))
				}
			}
			s = newServer()
			s.device = func(url.Values) (int, any) { return entra.status, entra.body }
			if _, err := s.signIn(t.Context(), &signin.Device{Resource: signin.ResourceSend}); err == nil || len(s.forms) != 1 {
				t.Errorf("told to send it: %d requests, error %v", len(s.forms), err)
			}
		})
	}
}

func TestC12_TheScopesAskedFor(t *testing.T) {
	for _, row := range []struct {
		name string
		set  []string
		bend func(*signin.Request)
		want string
	}{
		{"C-12 C-19 the challenge's, with offline_access where the server lists it", nil, func(*signin.Request) {}, "execute offline_access"},
		{"C-19 without offline_access where it does not", nil, func(r *signin.Request) { r.Authorization.ScopesSupported = nil }, "execute"},
		{"C-12 else all that the resource supports", nil, func(r *signin.Request) { r.Challenge = nil }, "execute time:read offline_access"},
		{"C-12 else the parameter is omitted", nil, func(r *signin.Request) { r.Challenge, r.Resource.ScopesSupported = nil, nil }, ""},
		{"C-12 those that were set come first", []string{"api://app/.default"}, func(*signin.Request) {}, "api://app/.default"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(token("a", "", "", 10))
				r := s.request()
				row.bend(r)
				if _, err := (&signin.Device{ClientID: "c", Prompt: func(signin.DevicePrompt) {}, Scopes: row.set}).SignIn(t.Context(), r); err != nil {
					t.Fatal(err)
				}
				if got := s.forms[0]; got.Get("scope") != row.want || got.Has("scope") != (row.want != "") {
					t.Errorf("asked for %q, want %q", got.Get("scope"), row.want)
				}
			})
		})
	}
}

func TestC19_NoSecretIsPrinted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("access-secret", "refresh-secret", "execute other", 600), token("narrow-secret", "refresh-secret", "execute", 600))
		source, err := s.signIn(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := signin.Narrow(t.Context(), source, []string{"execute"})
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		l := slog.New(slog.NewJSONHandler(&log, nil))
		l.Info("signed in", "source", source, "narrow", narrow, "refused", signin.Secret("refused-secret"))
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&log, format+format+format, source, narrow, signin.Secret("refused-secret"))
			fmt.Fprintf(&log, format, signin.Request{Previous: source, Refused: "refused-secret"})
		}
		if strings.Contains(log.String(), "secret") {
			t.Errorf("printed %s", log.String())
		}
	})
}

func TestC20_AStepUpAsksForMoreThanWasSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(token("one", "r", "", 100))
		r := s.request()
		r.StepUp, r.Earlier, r.Challenge.Scopes = true, []string{"execute"}, []string{"admin"}
		d := &signin.Device{ClientID: "c", Scopes: []string{"execute"}, Prompt: func(signin.DevicePrompt) {}}
		if _, err := d.SignIn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := s.forms[0].Get("scope"); got != "execute admin offline_access" {
			t.Errorf("C-20 asked for %q", got)
		}
	})
}
