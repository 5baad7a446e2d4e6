package signin_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
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
