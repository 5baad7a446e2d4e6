//lint:file-ignore SA1019 The suite looks for the capability of roots, which old servers go on using.

// Command client is what the official conformance suite drives: package client, with nothing added but what each scenario
// of the suite wants to see done.
//
//	MCP_CONFORMANCE_SCENARIO=tools_call go run ./conformance/client http://127.0.0.1:3000/mcp
//
// The suite starts it with the server's URL as its last argument. Which scenario, which revision of the protocol and what
// else there is to know stands in its environment.
//
//	the scenario's name leads to what is done    main.go
//	how to sign in                               signin.go
//	what is called                               calls.go
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/fastmcp-auth/fastmcp-auth/client"
)

// scenario is what the suite says about one run.
type scenario struct {
	name     string
	revision string // of the protocol
	server   string
	context  hints
}

// hints are what the suite gives along; which of them depends on the scenario.
type hints struct {
	ClientID         string `json:"client_id"`
	ClientSecret     string `json:"client_secret"`
	Issuer           string `json:"issuer"`
	PrivateKey       string `json:"private_key_pem"`
	SigningAlgorithm string `json:"signing_algorithm"`
	ValidJWT         string `json:"valid_jwt"`
	IDPClientID      string `json:"idp_client_id"`
	IDPToken         string `json:"idp_id_token"`
	IDPIssuer        string `json:"idp_issuer"`
	IDPTokenEndpoint string `json:"idp_token_endpoint"`
	ToolCalls        []struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"toolCalls"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "conformance client: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if len(os.Args) < 2 {
		return errors.New("the last argument is the server's URL")
	}
	s := &scenario{name: os.Getenv("MCP_CONFORMANCE_SCENARIO"), revision: os.Getenv("MCP_CONFORMANCE_PROTOCOL_VERSION"),
		server: os.Args[len(os.Args)-1]}
	if text := os.Getenv("MCP_CONFORMANCE_CONTEXT"); text != "" {
		if err := json.Unmarshal([]byte(text), &s.context); err != nil {
			return fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	do := s.calls()
	o := client.Options{ClientName: "conformance", ProtocolVersion: s.begin(), Answer: answer,
		Roots:        []*mcp.Root{},
		AssumeIssuer: strings.HasPrefix(s.name, "auth/2025-03-26-")}
	if strings.HasPrefix(s.name, "auth/") {
		signIn, err := s.signIn(ctx)
		if err != nil {
			return err
		}
		o.SignIn = signIn
	}
	session, err := client.Connect(ctx, s.server, o)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, session), session.Close())
}

// begin is the revision that the client begins with: its newest, unless the scenario is about an older one.
func (s *scenario) begin() string {
	if s.revision >= "2026-07-28" {
		return ""
	}
	return s.revision
}
