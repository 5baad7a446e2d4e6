package devidp_test

import (
	"context"
	"fmt"
	"log"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

// A test signs in as a person would, and gets a real token.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	provider, err := devidp.Start(ctx, "127.0.0.1:0", devidp.Options{Audience: "my-api"})
	if err != nil {
		log.Fatal(err)
	}

	client := oauth2.Config{ClientID: devidp.ClientCLI, RedirectURL: "http://127.0.0.1:7777/callback", Scopes: []string{"execute", "time:read"},
		Endpoint: oauth2.Endpoint{AuthURL: provider.URL + "/authorize", TokenURL: provider.URL + "/token", AuthStyle: oauth2.AuthStyleInParams}}
	verifier := oauth2.GenerateVerifier()
	var person devidp.Visitor
	answer, err := person.SignIn(ctx, client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), devidp.UserUser)
	if err != nil {
		log.Fatal(err)
	}
	token, err := client.Exchange(ctx, answer.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		log.Fatal(err)
	}

	discovered, err := oidc.NewProvider(ctx, provider.Issuer())
	if err != nil {
		log.Fatal(err)
	}
	verified, err := discovered.Verifier(&oidc.Config{ClientID: "my-api"}).Verify(ctx, token.AccessToken)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verified.Subject, "may", token.Extra("scope"))
	// Output: dev-user-user may execute
}

// With the Entra character an API meets what Entra does, such as tokens of version 1.
func ExampleServer_MintToken() {
	provider, err := devidp.New(devidp.Options{Issuer: "http://127.0.0.1:9000", Character: devidp.Entra, AccessTokenVersion: 1})
	if err != nil {
		log.Fatal(err)
	}
	token, err := provider.MintToken(devidp.TokenRequest{User: devidp.UserUser, Scopes: []string{"execute"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(token) > 0, provider.Issuer() == "http://127.0.0.1:9000/"+devidp.EntraTenant+"/v2.0")
	// Output: true true
}
