package oauth_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

func TestWriteError(t *testing.T) {
	cause := errors.New("the database at 10.0.0.7 is gone")
	for _, row := range []struct {
		name   string
		err    error
		status int
		body   map[string]any
	}{
		{"code and sentence, 400 where no status is set", &oauth.Error{Code: oauth.CodeInvalidGrant, Description: "the code is used"}, 400, map[string]any{"error": "invalid_grant", "error_description": "the code is used"}},
		{"the status and page that were set", &oauth.Error{Status: 401, Code: oauth.CodeInvalidClient, URI: "https://e"}, 401, map[string]any{"error": "invalid_client", "error_uri": "https://e"}},
		{"the cause is not told", &oauth.Error{Code: "x", Cause: cause}, 400, map[string]any{"error": "x"}},
		{"an error that is wrapped", fmt.Errorf("redeem: %w", &oauth.Error{Code: "x"}), 400, map[string]any{"error": "x"}},
		{"an error that is none of ours says nothing", cause, 500, map[string]any{"error": "server_error", "error_description": "the server could not answer"}},
		{"no error at all fails closed", nil, 500, map[string]any{"error": "server_error", "error_description": "the server could not answer"}},
		{"further members cannot replace the code", &oauth.Error{Code: "x", Extra: map[string]any{"error": "y", "trace_id": "t"}}, 400, map[string]any{"error": "x", "trace_id": "t"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			oauth.WriteError(w, row.err)
			var body map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != row.status || !reflect.DeepEqual(body, row.body) {
				t.Errorf("%d %s, %v; want %d %v", w.Code, w.Body, err, row.status, row.body)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("header %v", w.Header())
			}
		})
	}
}

func TestErrorTextIsForLogs(t *testing.T) {
	cause := errors.New("cause")
	err := error(&oauth.Error{Code: "invalid_grant", Description: "the code is used", Cause: cause})
	if err.Error() != "oauth: invalid_grant: the code is used: cause" || !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestResourceMetadataURL(t *testing.T) {
	for resource, want := range map[string]string{
		"https://mcp.example.com":          "https://mcp.example.com/.well-known/oauth-protected-resource",
		"https://mcp.example.com/":         "https://mcp.example.com/.well-known/oauth-protected-resource",
		"https://mcp.example.com/mcp":      "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
		"https://mcp.example.com/mcp/":     "https://mcp.example.com/.well-known/oauth-protected-resource/mcp",
		"https://mcp.example.com:8443/a/b": "https://mcp.example.com:8443/.well-known/oauth-protected-resource/a/b",
		"https://mcp.example.com/a%2Fb":    "https://mcp.example.com/.well-known/oauth-protected-resource/a%2Fb",
		"https://mcp.example.com/mcp?k=v":  "https://mcp.example.com/.well-known/oauth-protected-resource/mcp?k=v",
		"http://127.0.0.1:8000/mcp":        "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp",
		"http://[::1]:8000/mcp":            "http://[::1]:8000/.well-known/oauth-protected-resource/mcp",
	} {
		if got, err := oauth.ResourceMetadataURL(resource); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", resource, got, err, want)
		}
	}
	for _, resource := range []string{"", "mcp", "/mcp", "ftp://a/b", "https://", "https://a/b#c", "https://a/b#", "https://u:p@a/b", "javascript:x", "https://a b", "%zz"} {
		if got, err := oauth.ResourceMetadataURL(resource); err == nil {
			t.Errorf("%q is accepted as %s", resource, got)
		}
	}
}

func TestC3_ServerMetadataURLs(t *testing.T) {
	for issuer, want := range map[string][]string{
		"https://idp.example.com":  {"https://idp.example.com/.well-known/oauth-authorization-server", "https://idp.example.com/.well-known/openid-configuration"},
		"https://idp.example.com/": {"https://idp.example.com/.well-known/oauth-authorization-server", "https://idp.example.com/.well-known/openid-configuration"},
		"https://idp.example.com/t/v2.0": {"https://idp.example.com/.well-known/oauth-authorization-server/t/v2.0",
			"https://idp.example.com/.well-known/openid-configuration/t/v2.0", "https://idp.example.com/t/v2.0/.well-known/openid-configuration"},
	} {
		if got, err := oauth.ServerMetadataURLs(issuer); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", issuer, got, err)
		}
	}
	for _, issuer := range []string{"", "idp", "https://a?b", "https://a/?", "https://a#b", "file:///etc"} {
		if got, err := oauth.ServerMetadataURLs(issuer); err == nil {
			t.Errorf("%q is accepted: %q", issuer, got)
		}
	}
}

func TestPKCE(t *testing.T) {
	// RFC 7636, appendix B.
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if oauth.ChallengeS256(verifier) != challenge || !oauth.VerifyS256(challenge, verifier) {
		t.Error("the RFC's own example fails")
	}
	one, two := oauth.NewVerifier(), oauth.NewVerifier()
	if one == two || len(one) != 43 || !oauth.VerifyS256(oauth.ChallengeS256(one), one) {
		t.Errorf("verifiers %q and %q", one, two)
	}
	for name, v := range map[string]string{
		"attack 6 another verifier":      one,
		"attack 6 no verifier":           "",
		"attack 6 the challenge (plain)": challenge,
		"one too short":                  strings.Repeat("a", 42),
		"one too long":                   strings.Repeat("a", 129),
		"one with other characters":      strings.Repeat("a", 42) + "!",
	} {
		if oauth.VerifyS256(challenge, v) {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, v := range []string{strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("a", 42) + "+"} {
		if oauth.VerifyS256(oauth.ChallengeS256(v), v) {
			t.Errorf("a verifier outside RFC 7636 is accepted: %q", v)
		}
	}
}

func TestDocumentsKeepTheirSpelling(t *testing.T) {
	for _, row := range []struct {
		value any
		text  string
	}{
		{oauth.ResourceMetadata{Resource: "https://r", AuthorizationServers: []string{"https://a"}}, `{"resource":"https://r","authorization_servers":["https://a"]}`},
		{oauth.ServerMetadata{Issuer: "https://a", IssParameterSupported: true, ClientIDMetadataDocumentSupported: true},
			`{"issuer":"https://a","authorization_response_iss_parameter_supported":true,"client_id_metadata_document_supported":true}`},
		{oauth.ClientRegistration{ClientMetadata: oauth.ClientMetadata{ClientID: "c", RedirectURIs: []string{"http://127.0.0.1/cb"}}}, `{"client_id":"c","redirect_uris":["http://127.0.0.1/cb"],"client_secret_expires_at":0}`},
	} {
		if b, err := json.Marshal(row.value); err != nil || string(b) != row.text {
			t.Errorf("%s, %v; want %s", b, err, row.text)
		}
	}
}

func ExampleResourceMetadataURL() {
	place, _ := oauth.ResourceMetadataURL("https://mcp.example.com/mcp")
	fmt.Println(place)
	// Output: https://mcp.example.com/.well-known/oauth-protected-resource/mcp
}
