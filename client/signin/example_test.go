package signin_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/opener"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin/workload"
	"github.com/fastmcp-auth/fastmcp-auth/oauth"
)

// A command line shows the code where the person looks, and waits.
func ExampleDevice() {
	device := &signin.Device{
		ClientID: "dev-cli",
		Prompt: func(p signin.DevicePrompt) {
			fmt.Printf("open %s and enter %s\n", p.VerificationURI, p.UserCode)
		},
	}
	session, err := client.Connect(context.Background(), "https://mcp.example.com/mcp", client.Options{SignIn: device})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	// The same sign-in, with fewer scopes, for something one trusts less.
	narrow, err := signin.Narrow(context.Background(), session.TokenSource(), []string{"time:read"})
	if err != nil {
		log.Fatal(err)
	}
	_ = narrow
}

// Secrets never print, however they are printed.
func Example_secrets() {
	refused := signin.Secret("eyJhbGciOi")
	fmt.Printf("%v %+v %q %x\n", refused, refused, refused, refused)
	// Output: … … … …
}

// A program at a person's desk opens a browser, and says where to go in case that fails.
func ExampleBrowser() {
	browser := &signin.Browser{
		Clients: signin.Clients{
			Known:       []signin.Client{{Issuer: "https://sso.example.com/realms/main", ID: "desk-tool"}},
			DocumentURL: "https://tool.example.com/client.json",
			Register:    &oauth.ClientMetadata{ClientName: "Desk tool"},
		},
		Prompt: func(p signin.BrowserPrompt) { fmt.Println("sign in at", p.URL) },
		Open:   opener.Open,
	}
	session, err := client.Connect(context.Background(), "https://mcp.example.com/mcp", client.Options{SignIn: browser})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
}

// A service signs in as itself, with a key that never leaves it.
func ExampleClientCredentials() {
	text, err := os.ReadFile("/etc/report/key.pem")
	if err != nil {
		log.Fatal(err)
	}
	key, err := signin.ReadPrivateKey(text)
	if err != nil {
		log.Fatal(err)
	}
	report := &signin.ClientCredentials{Clients: signin.Clients{Known: []signin.Client{
		{Issuer: "https://sso.example.com/realms/main", ID: "nightly-report", Proof: key},
	}}}
	session, err := client.Connect(context.Background(), "https://mcp.example.com/mcp", client.Options{SignIn: report})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
}

// A workload in Azure proves an app registration by its managed identity: no secret is kept anywhere.
func ExampleClientAssertion() {
	job := &signin.ClientCredentials{Clients: signin.Clients{Known: []signin.Client{{
		Issuer: "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
		ID:     "aaaaaaaa-0000-0000-0000-00000000000a",
		Proof:  signin.ClientAssertion{Assertion: workload.ManagedIdentity{}.Assertion},
	}}}}
	session, err := client.Connect(context.Background(), "https://mcp.example.com/mcp", client.Options{SignIn: job})
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()
}

// A later process goes on with a sign-in that was kept.
func ExampleResume() {
	kept := signin.State{ // in truth read by signin.ReadState from where it was kept, encrypted
		Issuer: "https://sso.example.com/realms/main", TokenEndpoint: "https://sso.example.com/realms/main/token",
		Server: "https://mcp.example.com/mcp", ClientID: "desk-tool", TokenType: "Bearer", Access: "eyJhbGciOi", Refresh: "0.AAAA",
	}
	tokens, err := signin.Resume(kept, signin.ResumeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens, kept.Access)
	// Output: signin.Tokens of https://sso.example.com/realms/main …
}
