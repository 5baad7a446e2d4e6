package app

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/fastmcp-auth/fastmcp-auth/internal/calls"
	"github.com/fastmcp-auth/fastmcp-auth/internal/rest"
	"github.com/fastmcp-auth/fastmcp-auth/internal/toolbox"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tools"
	"github.com/fastmcp-auth/fastmcp-auth/policy"
	"github.com/fastmcp-auth/fastmcp-auth/store"
)

var update = flag.Bool("update", false, "write docs/reference/openapi.yaml anew")

// TestTheCommittedDocumentIsWhatServeAnswers holds docs/reference/openapi.yaml to what a server at an example's address says
// of its built-in tools.
func TestTheCommittedDocumentIsWhatServeAnswers(t *testing.T) {
	options := toolbox.Options{Policy: policy.Open()}
	for _, tool := range tools.All(tools.Options{}) {
		options.Tools = append(options.Tools, toolbox.Tool(tool))
	}
	box, err := toolbox.New(options)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := calls.New(calls.Options{Box: box, Store: store.Memory(store.MemoryOptions{})})
	if err != nil {
		t.Fatal(err)
	}
	api, err := rest.New(rest.Options{Box: box, Calls: runner, Version: "devel", Public: "https://mcp.example.com", Cookie: "__Host-fastmcp-auth",
		Protect: func(h http.Handler) http.Handler { return h }, NeedsScope: func(http.ResponseWriter, *http.Request, []string) {},
		SignIn: func(context.Context) rest.SignIn {
			return rest.SignIn{Issuer: "https://sso.example.com", AuthorizationURL: "https://sso.example.com/authorize", TokenURL: "https://sso.example.com/token", Scope: "execute"}
		}})
	if err != nil {
		t.Fatal(err)
	}
	mux, w := http.NewServeMux(), httptest.NewRecorder()
	api.Register(mux)
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/api/openapi.yaml", nil))
	page := filepath.Join("..", "..", "docs", "reference", "openapi.yaml")
	if *update {
		if err := os.WriteFile(page, w.Body.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(committed, w.Body.Bytes()) {
		t.Errorf("%s is not what the server says (%v); run go test ./internal/app -run TestTheCommittedDocument -update", page, err)
	}
}
