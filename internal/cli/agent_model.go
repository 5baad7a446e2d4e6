package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/agent"
	"github.com/fastmcp-auth/fastmcp-auth/agent/openai"
	"github.com/fastmcp-auth/fastmcp-auth/internal/config"
	"github.com/fastmcp-auth/fastmcp-auth/internal/tui"
)

// model is the configured one, or one that is found on this machine.
func (c *conversation) model() (agent.Model, string, error) {
	m := &c.settings.Model
	o := openai.Config{URL: m.URL, Model: m.Name, Key: string(m.Key), Azure: m.IsAzure(), AzureVersion: m.AzureVersion, HTTPClient: &http.Client{Transport: http.DefaultTransport}}
	if m.URL == "" && m.Key == "" && !m.IsAzure() {
		found := openai.FindLocal(context.Background(), nil)
		if len(found) == 0 {
			return nil, "", noModel(m, true)
		}
		o.URL = found[0].URL
		if o.Model == "" {
			o.Model = found[0].Models[0]
		}
	}
	proof := m.Proof()
	if o.Model == "" || o.Azure && (o.URL == "" || o.Key == "" && proof == "") {
		return nil, "", noModel(m, false)
	}
	if proof != "" {
		var err error
		if c.azure, err = c.entra(m); err != nil {
			return nil, "", err
		}
		o.Key, o.Token = "", c.azure.token
	}
	model, err := openai.New(o)
	if err != nil {
		return nil, "", &hintError{code: exitUsage, err: err, hint: "docs/agent.md says how a model is named"}
	}
	c.endpoint = o
	return model, o.Model, nil
}

// noModel names all that is missing, how to get it, and what works without.
func noModel(m *config.Model, looked bool) error {
	var lines []string
	if looked {
		lines = append(lines, "no language model is configured, and neither Ollama nor vLLM answers on this machine")
	}
	if m.Name == "" {
		lines = append(lines, "OPENAI_MODEL is missing: the name of the model, at Azure of the deployment")
	}
	switch {
	case m.Key == "" && m.IsAzure() && m.Proof() == "":
		lines = append(lines, "AZURE_OPENAI_API_KEY is missing: a key of the resource; or, to sign in to Entra ID without one, AZURE_TENANT_ID and AZURE_CLIENT_ID")
	case m.Key == "" && m.URL == "" && !m.IsAzure():
		lines = append(lines, "OPENAI_API_KEY is missing: a key from your model's maker, for OpenAI from https://platform.openai.com/api-keys")
	}
	switch {
	case m.URL == "" && m.IsAzure():
		lines = append(lines, "AZURE_OPENAI_ENDPOINT is missing: the address of the resource, such as https://NAME.openai.azure.com")
	case m.URL == "" && looked:
		lines = append(lines, "OPENAI_BASE_URL is missing: where the model answers; not needed for OpenAI itself")
	}
	return &hintError{code: exitUsage, err: errors.New(strings.Join(lines, "\n")), hint: fmt.Sprintf(
		"set them in the environment or in .env, or start Ollama (%q); without a model %q lists the tools and %q calls them",
		"ollama run llama3.2", "fastmcp-auth tools", "fastmcp-auth call")}
}

// where says where the model answers, when a file of the folder decided that: whatever is said, and what tools answer, goes
// there.
func (c *conversation) where() string {
	u, err := url.Parse(c.settings.Model.URL)
	place, _, _ := strings.Cut(c.settings.OriginOf("model.url"), " ")
	if err != nil || u.Host == "" || place == "flag" || place == "environment" {
		return ""
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return fmt.Sprintf("%s answers at %s, as %s says.", tui.Clean(c.modelName), tui.Clean(u.Host), tui.Clean(place))
}
