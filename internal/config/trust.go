package config

import (
	"slices"
	"strings"
)

// Somebody may call servers in a folder that is a stranger's: a repository just fetched, an archive just unpacked. So
// fastmcp-auth.yaml and .env that merely lie there may say which server there is and by which public id it is called. They
// do not decide which file or token of this person goes where, which certificates are believed, what a token is made out
// for, be it by its scopes, or where sign-ins are kept (attack 59).

// guarded are the settings of a client that a file which was found may not say.
var guarded = []string{"client.secret", "client.secret_file", "client.key_file", "client.token_file", "client.platform", "client.platform_id",
	"client.audience", "client.resource", "client.provider", "client.enterprise.issuer", "client.enterprise.token_endpoint",
	"client.enterprise.client_id", "client.enterprise.secret_file"}

// checkTrust refuses what a file that was found says beyond that. Where the client has a proof, the file may say nothing of
// who the client is and where its proof goes, not even by naming the server.
func (l *loader) checkTrust(c *Client, serverFound bool) {
	if slices.ContainsFunc(c.Scopes, choosesAPI) {
		l.trusts("client.scopes")
	}
	if !l.trusts("ca_file") || !l.trusts(guarded...) || !c.isProgram() {
		return
	}
	for i := range table {
		if key := table[i].key; strings.HasPrefix(key, "client.") && !l.trusts(key) {
			return
		}
	}
	if serverFound {
		l.faults.add("server", "", "stands in a file that was found in the working directory, and a client with a proof signs in where it is told: "+
			"give the URL, or name the file with --config if you trust it")
	}
}

// choosesAPI reports whether scope may say whom a token is for, beyond an API of its own: addresses and ids of other APIs do,
// as Microsoft's and Google's, and so do the names of Microsoft Graph, which have a dot.
func choosesAPI(scope string) bool {
	if rest, own := strings.CutPrefix(scope, "api://"); own {
		scope = rest[strings.LastIndexByte(rest, '/')+1:]
	}
	return strings.ContainsAny(scope, "./")
}

// isProgram reports whether c signs in without a person.
func (c *Client) isProgram() bool {
	switch c.Flow {
	case "auto":
		return c.HasProof() || c.SecretFile != ""
	case "browser", "device", "paste":
		return false
	}
	return true
}

// trusts reports whether none of keys was said by a file that was found, and blames those that were.
func (l *loader) trusts(keys ...string) bool {
	all := true
	for _, key := range keys {
		where := l.origins[key]
		if !where.found {
			continue
		}
		all = false
		cure := "name the file with --config if you trust it"
		if strings.HasPrefix(where.origin, dotenvFile+":") {
			cure = "export it if you trust it"
		}
		l.blame(key, "stands in a file that was found in the working directory, which may be a stranger's: %s, or say it by the environment or a flag", cure)
	}
	return all
}
