package signin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// At Entra the scopes choose whom a token is for, and it is the server that names them: any server could ask for a token
// with which it reads the mail of whoever signs in. A token for one of Microsoft's own APIs goes to no server but
// Microsoft's, unless the caller itself names the scope (C-18).

// checkAudience refuses scopes of Microsoft's own APIs that neither the caller set nor an earlier sign-in had.
func (g *grant) checkAudience(r *Request, set []string) error {
	if !isEntra(g.provider) || isMicrosofts(r.Server) {
		return nil
	}
	for _, s := range g.scopes {
		if ofMicrosoft(s) && !slices.Contains(set, s) && !slices.Contains(r.Earlier, s) {
			return fmt.Errorf("%w: %s asks for %s, with which it could act as you at Microsoft; set the scopes if you trust it so far",
				ErrForeignScope, line(r.Server), line(s))
		}
	}
	return nil
}

// ofMicrosoft reports whether scope is of one of Microsoft's own APIs. One without an API is of Microsoft Graph, whose names
// have a dot; another is nobody's.
func ofMicrosoft(scope string) bool {
	api, name := cutLast(scope)
	switch {
	case name == "":
		return strings.Contains(scope, ".")
	case isMicrosofts(api):
		return true
	}
	id := strings.ToLower(api)
	for _, prefix := range []string{"api://", "spn:"} {
		id = strings.TrimPrefix(id, prefix)
	}
	return slices.Contains(microsoftAPIs, id)
}

// isMicrosofts reports whether address is below one of Microsoft's domains.
func isMicrosofts(address string) bool {
	u, err := url.Parse(strings.ToLower(address))
	if err != nil {
		return false
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	return slices.ContainsFunc(microsoftDomains, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
}

// microsoftAPIs are the application ids of the APIs that are worth most.
var microsoftAPIs = []string{
	"00000003-0000-0000-c000-000000000000", // Microsoft Graph
	"00000002-0000-0000-c000-000000000000", // Azure AD Graph
	"00000002-0000-0ff1-ce00-000000000000", // Exchange Online
	"00000003-0000-0ff1-ce00-000000000000", // SharePoint Online
	"797f4846-ba00-4fd7-ba43-dac1f8f63013", // Azure Resource Manager
	"cfa8b339-82a2-471a-a3c9-0fc0be7a4093", // Key Vault
	"e406a681-f3d4-42a8-90b6-c2b029497af1", // Storage
	"499b84ac-1321-427f-aa17-267ca6975798", // Azure DevOps
}

// microsoftDomains hold its APIs, and nobody else's. Those on which customers get names, such as azurewebsites.net, are not
// among them.
var microsoftDomains = []string{
	"graph.microsoft.com", "graph.microsoft.us", "microsoftgraph.chinacloudapi.cn", "graph.windows.net", "api.microsoft.com", "cloud.microsoft",
	"management.azure.com", "management.core.windows.net", "management.usgovcloudapi.net", "management.chinacloudapi.cn", "dev.azure.com", "visualstudio.com",
	"vault.azure.net", "storage.azure.com", "database.windows.net", "cognitiveservices.azure.com", "ai.azure.com",
	"outlook.office.com", "outlook.office365.com", "office.com", "office365.com", "office.net", "sharepoint.com", "substrate.office.com",
	"service.powerapps.com", "analysis.windows.net", "api.powerplatform.com", "dynamics.com", "api.spaces.skype.com",
}
