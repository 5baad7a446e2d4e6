package advice

import (
	"net/url"
	"strings"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

// page is a place in Entra's admin center.
type page int

const (
	noPage page = iota
	appsPage
	overviewPage
	authenticationPage
	secretsPage
	permissionsPage
	exposePage
	enterprisePage
	accessPage
	consentPage
	usersPage
	signInsPage
)

// pages are the places, as one walks there and as an address. {app} is the client's id; without one the list of
// applications has to do.
var pages = map[page]Page{
	appsPage:           {"App registrations", "/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade"},
	overviewPage:       {"App registrations › {app} › Overview", "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Overview/appId/{app}"},
	authenticationPage: {"App registrations › {app} › Authentication", "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Authentication/appId/{app}"},
	secretsPage:        {"App registrations › {app} › Certificates & secrets", "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/Credentials/appId/{app}"},
	permissionsPage:    {"App registrations › {app} › API permissions", "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI/appId/{app}"},
	exposePage:         {"App registrations › {app} › Expose an API", "/#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/ProtectAnAPI/appId/{app}"},
	enterprisePage:     {"Enterprise applications", "/#view/Microsoft_AAD_IAM/StartboardApplicationsMenuBlade/~/AppAppsPreview"},
	accessPage:         {"Conditional Access › Policies", "/#view/Microsoft_AAD_ConditionalAccess/ConditionalAccessBlade/~/Policies"},
	consentPage:        {"Enterprise applications › Consent and permissions › User consent settings", "/#view/Microsoft_AAD_IAM/ConsentPoliciesMenuBlade/~/UserSettings"},
	usersPage:          {"Users › All users", "/#view/Microsoft_AAD_UsersAndTenants/UserManagementMenuBlade/~/AllUsers"},
	signInsPage:        {"Monitoring & health › Sign-in logs", "/#view/Microsoft_AAD_IAM/SignInEventsV3Blade"},
}

// of is the page for a refusal: in the admin center of its cloud, and of its application. Expose an API is the page of
// the application that the scopes name.
func (p page) of(r Refusal) Page {
	app := r.ClientID
	if p == exposePage {
		app = apiOf(r.Scopes)
	}
	at := pages[p]
	if strings.Contains(at.URL, "{app}") && !idp.IsGUID(strings.ToLower(app)) {
		at = Page{Path: strings.ReplaceAll(at.Path, "{app}", map[bool]string{true: "the API", false: "the client"}[p == exposePage]), URL: pages[appsPage].URL}
	}
	fill := strings.NewReplacer("{app}", app)
	return Page{Path: fill.Replace(at.Path), URL: adminCenter(r.Issuer) + fill.Replace(at.URL)}
}

// adminCenter is the portal of the cloud that issuer belongs to.
func adminCenter(issuer string) string {
	switch {
	case strings.HasPrefix(issuer, idp.EntraUSGov.Login+"/"):
		return "https://entra.microsoft.us"
	case strings.HasPrefix(issuer, idp.EntraChina.Login+"/"):
		return "https://entra.microsoftonline.cn"
	}
	return "https://entra.microsoft.com"
}

// apiOf is the application id in the scopes' prefix api://<id>/, or empty.
func apiOf(scopes []string) string {
	for _, s := range scopes {
		rest, ok := strings.CutPrefix(s, "api://")
		if app, _, named := strings.Cut(rest, "/"); ok && named && idp.IsGUID(strings.ToLower(app)) {
			return app
		}
	}
	return ""
}

// tenantOf is the tenant in an issuer of Entra, {login}/{tenant}/v2.0, or empty.
func tenantOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil || !strings.HasSuffix(u.Path, "/v2.0") {
		return ""
	}
	return id(strings.Trim(strings.TrimSuffix(u.Path, "/v2.0"), "/"))
}

// consentURL is where an administrator agrees for everybody.
func consentURL(r Refusal) string {
	base, ok := strings.CutSuffix(r.Issuer, "/v2.0")
	if !ok || id(base) == "" {
		base = idp.EntraPublic.Login + "/<tenant>"
	}
	return base + "/adminconsent?client_id=" + orElse(id(r.ClientID), "<client id>")
}

// Portal is the page for an application in Entra's admin center, for advice that no error code led to. app is a client
// id, or empty for the list of all; an issuer that is not Entra's has no page.
func Portal(issuer, app string) Page {
	if idp.Recognize(issuer).Name != "entra" {
		return Page{}
	}
	if !idp.IsGUID(strings.ToLower(app)) {
		return appsPage.of(Refusal{Issuer: issuer})
	}
	return overviewPage.of(Refusal{Issuer: issuer, ClientID: app})
}
