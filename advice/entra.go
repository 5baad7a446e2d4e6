package advice

import "slices"

// numbers are what Entra's error_codes mean for somebody who signs in to an MCP server. The page reference-error-codes of
// Microsoft's identity platform lists them; it warns that they change, which is why only advice depends on them.
var numbers = []numbered{
	// The client and its registration.
	rows(entry{cause: "the tenant {tenant} has no application {client}", page: appsPage,
		cure: "check the client id and the tenant; where the application is another tenant's, an administrator adds it by opening {consent}"}, 700016),
	rows(entry{cause: "{client} is disabled", cure: "enable the application", page: enterprisePage}, 7000112),
	rows(entry{cause: "the redirect URI is not registered", page: authenticationPage,
		cure: "add exactly the redirect URI, such as http://localhost/callback and http://127.0.0.1/callback, under the platform Mobile and desktop applications; addresses go into the manifest"}, 50011, 500113),
	rows(entry{cause: "the redirect URI stands under the wrong platform", page: authenticationPage,
		cure: "remove the redirect URI from Single-page application or Web, and add it under Mobile and desktop applications"}, 9002325, 9002326, 9002327),
	rows(entry{cause: "{client} is not set up as a public client", page: authenticationPage,
		cure: "set Allow public client flows to Yes, or give the client a secret or certificate"}, 7000218),
	rows(entry{cause: "{client} is a public client, but a secret was sent", page: authenticationPage,
		cure: "remove the client secret from the settings, or register the redirect URI under Web"}, 700025),
	rows(entry{cause: "the client secret is wrong", page: secretsPage,
		cure: "set the secret's value, not its id; a value is shown only once, so add another secret if it is lost"}, 7000215),
	rows(entry{cause: "the client secret has expired", cure: "add another client secret and set its value", page: secretsPage}, 7000222),
	rows(entry{cause: "the client's signed assertion is not accepted", page: secretsPage,
		cure: "upload the certificate that the key belongs to, and see that audience and clock are right"}, 50027, 700021, 700023, 700024, 700027, 700030),
	rows(entry{cause: "no federated credential of {client} matches this workload", page: secretsPage,
		cure: "under Federated credentials add one with exactly the issuer, subject and audience of the workload's token"}, 70021, 700211, 700212, 700213),
	rows(entry{cause: "{client} may not use this way of signing in", cure: "enable the flow for the application", page: authenticationPage}, 700054, 70001, 70003),

	// The API and its scopes.
	rows(entry{cause: "the API has no service principal in the tenant {tenant}, or its App ID URI is spelled another way", page: exposePage,
		cure: "compare the scope's prefix with Application ID URI; where the API is another tenant's, an administrator adds it by opening its admin consent address"}, 500011, 650052, 650057),
	rows(entry{cause: "the API does not have {scopes}, or one of them", page: exposePage,
		cure: "add the scope, or write it as the API spells it"}, 650053, 70011),
	rows(entry{cause: "{client} is not set up to ask for the API", cure: "add a permission › My APIs › the API", page: permissionsPage}, 65005, 650056),
	rows(entry{cause: "a scope and .default, or scopes of two APIs, were asked for together", cure: "ask for scopes of one API at a time"}, 28000, 28002, 700022),
	rows(entry{cause: "a program can ask only for .default", cure: "set the scope to the API's App ID URI followed by /.default"}, 1002012),
	rows(entry{cause: "no scope was sent when the code or the refresh token was redeemed", cure: "set the scopes of the API, such as api://<api>/<scope>"}, 28003, 90009),
	rows(entry{cause: "Entra does not take the resource parameter", next: WithoutResource, page: exposePage,
		cure: "leave it out (resource: auto or omit), or make the server's URL the API's Application ID URI"}, 901002, 9010010),

	// Consent and assignment.
	rows(entry{cause: "nobody has agreed yet that {client} may call the API", page: permissionsPage, next: SignIn,
		cure: "agree when asked; where people may not, an administrator opens {consent}"}, 65001),
	rows(entry{cause: "only an administrator may agree that {client} calls the API", page: permissionsPage,
		cure: "an administrator opens {consent}"}, 90094, 90093, 90095, 900941),
	rows(entry{cause: "the person did not agree", cure: "agree when asked, or have an administrator open {consent}", next: SignIn, page: consentPage}, 65004),
	rows(entry{cause: "the account is not assigned to the application", page: enterprisePage,
		cure: "assign the user or group under Users and groups, or switch Assignment required off"}, 50105),

	// The account.
	rows(entry{cause: "the account is not in the tenant {tenant}", page: usersPage, next: SignIn,
		cure: "sign in with an account of the tenant, or invite this one as a guest"}, 50020, 50034, 51004, 90072, 50177, 50178),
	rows(entry{cause: "the account is disabled", cure: "an administrator enables the account", page: usersPage}, 50057),
	rows(entry{cause: "the account is locked, or its address is not trusted", cure: "wait, then sign in again", next: SignIn, page: signInsPage}, 50053),
	rows(entry{cause: "user name or password is wrong", next: SignIn}, 50126, 50056),
	rows(entry{cause: "the password has expired or was changed", next: SignIn}, 50055, 50133, 50144),
	rows(entry{cause: "a second factor is needed", next: SignIn}, 50072, 50074, 50076, 50079, 50158, 500121),

	// Conditional Access.
	rows(entry{cause: "Conditional Access blocks this sign-in; where it blocks the device flow, the browser works", page: accessPage, next: SignInBrowser,
		cure: "an administrator finds the policy in the sign-in log, by the correlation id"}, 53003, 530032, 530034, 53011),
	rows(entry{cause: "Conditional Access wants a managed or compliant device", page: accessPage, next: SignInBrowser,
		cure: "sign in from a device that is joined or compliant"}, 53000, 53001, 53002, 50097, 50129, 50131, 530002, 530003),
	rows(entry{cause: "the tenant restricts which tenants may be signed in to from this network", cure: "ask the network's administrator", page: accessPage}, 500021, 500022),

	// What was granted is over.
	rows(entry{cause: "the refresh token is dead: not used for too long, too old, or revoked", next: SignIn}, 700082, 700084, 70008, 70043, 50173, 50132, 50089, 70000, 700081),
	rows(entry{cause: "the authorization code was used before or is too old", next: SignIn}, 54005, 70002),
	rows(entry{cause: "the code on the device page ran out before anybody entered it", next: SignIn}, 70019, 70020),
	rows(entry{cause: "Entra does not know the device code", next: SignIn}, 70018),
	rows(entry{cause: "the person said no on the device page", next: SignIn}, 70022),
	rows(entry{cause: "nobody is signed in at Entra in this browser", next: SignIn}, 50058, 16000, 16001),
	rows(entry{cause: "nobody has entered the code yet", next: Again}, 70016),

	// On behalf of.
	rows(entry{cause: "a program's token cannot stand for a person", cure: "send the token of a signed-in person to on-behalf-of"}, 7000114),
	rows(entry{cause: "the token to exchange was issued for another application, or is over", cure: "send the token that was issued for the server itself"}, 50013, 500131, 500133),

	// Tenant and cloud.
	rows(entry{cause: "there is no tenant {tenant} in this cloud", cure: "check the tenant id, and the cloud: public, US government or China"}, 90002, 50128, 50059),
	rows(entry{cause: "the tenant {tenant} is in another cloud", cure: "set the cloud that the tenant is in: public, US government or China"}, 90038, 900382, 900381, 90043),

	// Entra itself.
	rows(entry{cause: "Entra has a fault for the moment", next: Again}, 90033, 90036, 50000),
	rows(entry{cause: "Entra was asked the same too often", cure: "wait a minute; something may be asking in a loop", next: Again}, 50196, 90055),
	rows(entry{cause: "the request lacks a parameter, or one of them is malformed", next: Diagnose}, 900144, 9002313, 90014, 90023, 501481, 501491),
}

// numbered is the meaning that several numbers share.
type numbered struct {
	entry
	numbers []int
}

func rows(e entry, list ...int) numbered { return numbered{e, list} }

// numberFor looks a number up.
func numberFor(n int) (entry, bool) {
	i := slices.IndexFunc(numbers, func(row numbered) bool { return slices.Contains(row.numbers, n) })
	if i < 0 {
		return entry{}, false
	}
	return numbers[i].entry, true
}
