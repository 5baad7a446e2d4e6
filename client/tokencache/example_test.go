package tokencache_test

import (
	"context"
	"fmt"
	"os"

	"github.com/fastmcp-auth/fastmcp-auth/client"
	"github.com/fastmcp-auth/fastmcp-auth/client/signin"
	"github.com/fastmcp-auth/fastmcp-auth/client/tokencache"
)

// A program that goes on with an earlier sign-in, and shows a code when there is none.
func Example() {
	cache, err := tokencache.New(tokencache.Options{Keyring: tokencache.SystemKeyring()})
	if err != nil {
		fmt.Println(err)
		return
	}
	const server = "https://mcp.example.com/mcp"
	call := func(ctx context.Context) error {
		options := client.Options{SignIn: cache.SignIn(&signin.Device{
			ClientID: "my-client",
			Prompt: func(p signin.DevicePrompt) {
				fmt.Fprintf(os.Stderr, "open %s and enter %s\n", p.VerificationURI, p.UserCode)
			},
		}, tokencache.Use{})}
		if tokens, err := cache.Tokens(server, tokencache.Use{}); err != nil {
			return err
		} else if tokens != nil {
			options.Token = tokens
		}
		session, err := client.Connect(ctx, server, options)
		if err != nil {
			return err
		}
		return session.Close()
	}
	_ = call
	// Output:
}
