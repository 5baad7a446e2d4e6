package devidp_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/fastmcp-auth/fastmcp-auth/devidp"
)

func TestCodeFlowWithOIDC(t *testing.T) {
	p := start(t, devidp.Options{})
	provider, err := oidc.NewProvider(ctx(t), p.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	c := &oauth2.Config{ClientID: devidp.ClientCLI, RedirectURL: callback, Endpoint: provider.Endpoint(), Scopes: []string{"openid", "profile", "email", "execute", "time:read"}}
	tok := signIn(t, c, devidp.UserUser, oidc.Nonce("n-1"))
	id, err := provider.Verifier(&oidc.Config{ClientID: devidp.ClientCLI}).Verify(ctx(t), tok.Extra("id_token").(string))
	if err != nil {
		t.Fatal(err)
	}
	if id.Nonce != "n-1" {
		t.Errorf("nonce is %q", id.Nonce)
	}
	if err := id.VerifyAccessToken(tok.AccessToken); err != nil {
		t.Error(err)
	}
	info, err := provider.UserInfo(ctx(t), c.TokenSource(ctx(t), tok))
	if err != nil {
		t.Fatal(err)
	}
	if info.Subject != id.Subject || info.Email != "user@"+devidp.EntraDomain {
		t.Errorf("userinfo says %+v", info)
	}
	if scope := claims(t, tok.AccessToken)["scope"]; scope != "openid profile email execute" {
		t.Errorf("scope is %q: time:read is not for this user", scope)
	}
}

func TestDeviceFlowWithOAuth2(t *testing.T) {
	p := start(t, devidp.Options{DeviceInterval: 1e9})
	c := cli(p, "execute")
	da, err := c.DeviceAuth(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := new(devidp.Visitor).ApproveDevice(ctx(t), da.VerificationURI, da.UserCode, devidp.UserUser); err != nil {
		t.Fatal(err)
	}
	tok, err := c.DeviceAccessToken(ctx(t), da)
	if err != nil {
		t.Fatal(err)
	}
	old := *tok
	tok.Expiry = tok.Expiry.Add(-2 * 3600e9)
	fresh, err := c.TokenSource(ctx(t), tok).Token()
	if err != nil {
		t.Fatal(err)
	}
	if fresh.RefreshToken == old.RefreshToken {
		t.Error("the refresh token was not rotated")
	}
}
