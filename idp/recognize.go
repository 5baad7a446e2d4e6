package idp

import (
	"net/url"
	"strings"
)

// Recognize returns the preset for an issuer identifier, as a client finds it in protected resource metadata: what it
// knows of the provider's habits depends on it. An issuer it does not know is [OIDC].
func Recognize(issuer string) Provider {
	u, err := url.Parse(issuer)
	if err == nil && u.User == nil && isLoopback(u.Hostname()) {
		return recognizeLocal(issuer)
	}
	if err != nil || u.Scheme != "https" || u.User != nil {
		return OIDC(issuer)
	}
	segments := strings.Split(strings.Trim(u.Path, "/"), "/")
	for _, cloud := range []EntraCloud{EntraPublic, EntraUSGov, EntraChina} {
		if "https://"+u.Host == cloud.Login && segments[0] != "" {
			return EntraIn(cloud, segments[0])
		}
	}
	switch {
	case issuer == "https://accounts.google.com":
		return Google()
	case strings.HasSuffix(u.Host, ".auth0.com") && u.Path == "/":
		return Auth0(u.Host)
	case isOkta(u.Host) && len(segments) == 2 && segments[0] == "oauth2":
		return Okta(u.Host, segments[1])
	case len(segments) >= 2 && segments[len(segments)-2] == "realms":
		base := strings.TrimSuffix(trimSlash(issuer), "/realms/"+segments[len(segments)-1])
		if p := Keycloak(base, segments[len(segments)-1]); p.Issuers[0].Name == issuer {
			return p
		}
	}
	return OIDC(issuer)
}

// recognizeLocal knows who stands in for Entra on this machine, such as the development provider in that character: its
// issuers have Entra's shape, which nobody else's have. Beyond this machine only Entra's own addresses count, since what is
// let pass for Entra, such as metadata that do not mention PKCE, must not be had by a path (C-13).
func recognizeLocal(issuer string) Provider {
	of, v2 := strings.CutSuffix(issuer, "/v2.0")
	if i := strings.LastIndexByte(of, '/'); v2 && IsGUID(of[i+1:]) && strings.Count(of, "/") == 3 {
		return EntraIn(EntraCloud{Login: of[:i], STS: of[:i]}, of[i+1:])
	}
	return OIDC(issuer)
}

func isOkta(host string) bool {
	for _, suffix := range []string{".okta.com", ".oktapreview.com", ".okta-emea.com"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
