package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/reference/settings.md and the goldens anew")

const referencePage = "../../docs/reference/settings.md"

// TestReferencePages holds the committed page to the table. Run with -update to write it.
func TestReferencePages(t *testing.T) {
	page := reference()
	if *update {
		if err := os.WriteFile(referencePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != page {
		t.Errorf("%s is not what the table says; run go test ./internal/config -run TestReferencePages -update", referencePage)
	}
}

// reference writes the page.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	b.WriteString("\n## How it listens and what it may cost\n\n")
	writeTable(&b, atStart)
	b.WriteString("\n## Who may call, and what is recorded\n\n")
	writeTable(&b, whileRunning)
	b.WriteString("\n## How servers are called\n\n")
	b.WriteString(referenceCalling)
	writeTable(&b, whenCalling)
	b.WriteString("\n## How a language model is asked\n\n")
	b.WriteString(referenceTalking)
	writeTable(&b, whenTalking)
	b.WriteString(referenceTail)
	return b.String()
}

func writeTable(b *strings.Builder, section int) {
	b.WriteString("| key in the file | flag | environment | default | commands | meaning |\n|---|---|---|---|---|---|\n")
	for i := range table {
		d := &table[i]
		if d.section != section {
			continue
		}
		fallback := "`" + d.fallback + "`"
		if d.fallback == "" {
			fallback = "none"
		}
		for _, command := range []string{IDP, Demo, Call} {
			v, differs := d.byCmd[command]
			if !differs {
				continue
			}
			fallback += ", and `" + v + "` for " + command
		}
		name := "`--" + d.flag() + "`"
		if d.kind == secret {
			name = "none, since other people on the machine see flags"
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s | %s | %s |\n", d.key, name, d.env(), fallback, strings.Join(d.users(), ", "), meaning(d))
	}
}

// meaning is the help, and what the value may be.
func meaning(d *setting) string {
	text := strings.NewReplacer("<", "&lt;", ">", "&gt;", "|", "\\|", "*", "\\*").Replace(d.help)
	switch {
	case len(d.oneOf) > 0:
		return text + " One of `" + strings.Join(d.oneOf, "`, `") + "`."
	case d.kind == span:
		return text + fmt.Sprintf(" A duration from %s to %s.", formatSpan(d.from), formatSpan(d.to))
	case d.kind == size:
		return text + fmt.Sprintf(" A size from %s to %s.", formatSize(d.low), formatSize(d.high))
	case d.kind == number:
		return text + fmt.Sprintf(" A number from %d to %d.", d.low, d.high)
	case d.kind == list:
		return text + " A list."
	case d.kind == scopes:
		return text + " A table."
	case d.kind == yes:
		return text + " `true` or `false`."
	}
	return text
}

const referenceTalking = "`OPENAI_MODEL`, `OPENAI_BASE_URL` and `OPENAI_API_KEY` mean `model.name`, `model.url` and `model.key`; the name with\n" +
	"`FASTMCP_AUTH_` before counts more. Where `AZURE_OPENAI_ENDPOINT` is set, it is `model.url` at Azure, and `AZURE_OPENAI_API_KEY`,\n" +
	"`AZURE_OPENAI_DEPLOYMENT` and `OPENAI_API_VERSION` mean `model.key`, `model.name` and `model.azure_version`. `AZURE_TENANT_ID`,\n" +
	"`AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET`, `AZURE_FEDERATED_TOKEN_FILE` and `AZURE_AUTHORITY_HOST` are what `model.entra` has. A key of the environment goes to no address that a file of the working directory names: say\n" +
	"both in one place. [The agent](../agent.md) has more.\n\n"

const referenceHead = `<!-- Written by go test ./internal/config -run TestReferencePages -update. Change internal/config/table.go instead. -->

# Settings

Each setting can be said in four places. The first that says it wins:

1. a flag, such as ` + "`--provider-kind entra`" + `;
2. the environment, such as ` + "`FASTMCP_AUTH_PROVIDER_KIND=entra`" + `;
3. ` + "`.env`" + ` in the working directory, with the names of the environment;
4. the settings file, which is YAML: the one that ` + "`--config`" + ` or ` + "`FASTMCP_AUTH_CONFIG`" + ` names, else ` + "`fastmcp-auth.yaml`" + ` in the working
   directory if it is there.

What nobody says has its default. ` + "`fastmcp-auth config`" + ` shows each value and where it came from; ` + "`--json`" + ` prints the same as
JSON. Settings are read when a command starts, and a change takes effect at the next start; what ` + "`audit`" + ` says is taken over
on SIGHUP too, and [policy files](policy.md) are read again whenever they change.

Everything that is wrong is reported at once, under the name that was typed and with what would be right; then nothing
is started and the exit code is 2. An unknown key in the file, and an unknown name that begins with ` + "`FASTMCP_AUTH_`" + `, is
wrong too. A value that cannot be read is wrong even where a higher place says something else.

` + "```yaml" + `
addr: 127.0.0.1:8000
public_url: https://mcp.example.com
provider:
  kind: entra
  tenant: 11111111-2222-3333-4444-555555555555
  audience: [66666666-7777-8888-9999-000000000000]
scopes:
  tools:
    get_current_time: [time:read]
` + "```" + `

## How values are written

| | in a flag or the environment | in the file |
|---|---|---|
| text | as it is; nothing is trimmed | a text, in quotes where YAML would see a number or a date |
| boolean | ` + "`true` or `false`; a flag alone means `true`" + ` | ` + "`true` or `false`" + `, without quotes |
| duration | a number with its unit: ` + "`500ms`, `30s`, `1h30m`, `0s`" + ` | the same |
| size | a whole number with its unit: ` + "`B`, `KiB`, `MiB`, `GiB`" + ` | the same |
| list | items with commas between them, without spaces; a flag may be repeated | a list, ` + "`[one, two]`" + ` |
| table | ` + "`tool=scope scope,tool=scope`" + `; a flag may be repeated | keys below it, each with a list |

A list or a table replaces what lower places say; nothing is added up. Paths start from the working directory. The file,
` + "`.env`" + ` and the files of the certificate may have 256 KiB, a file with a secret 8 KiB. The file is one YAML document without aliases and without a key
twice.

` + "`.env`" + ` has a variable on each line: ` + "`NAME=value`, `NAME='value'` or `NAME=\"value\"`, with `export`" + ` before it or not. A ` + "`#`" + `
begins a comment at the start of a line and after a space. In double quotes ` + "`\\\\`, `\\\"`, `\\$`, `\\n`, `\\r` and `\\t`" + ` are read. Nothing
is expanded: a ` + "`$NAME`" + ` outside of single quotes is refused. Variables of other programs are read past, and the environment
of the process is never changed.
`

const referenceCalling = `These are for ` + "`login`, `call`" + ` and every other command that calls a server. The file can name servers and say for each of them
what differs: ` + "`url`, `ca_file`" + `, and everything that begins with ` + "`client`" + `. What stands there counts more than the same setting
outside of it, and less than the environment and a flag. It counts whether the server is called by its name or by its URL.

` + "```yaml" + `
servers:
  tools:
    url: https://mcp.example.com/mcp
    client:
      id: my-client
      issuer: https://sso.example.com/realms/main
      scopes: [execute]
  partner:
    url: https://partner.example.org/mcp
    ca_file: partner-ca.pem
` + "```" + `

A folder may be a stranger's. So ` + "`fastmcp-auth.yaml` and `.env`" + ` that were found in the working directory, and not named by ` + "`--config`" + ` or
` + "`FASTMCP_AUTH_CONFIG`" + ` of the environment, may say servers, ` + "`client.id`, `client.issuer`, `client.scopes`" + ` and how a person signs in. They may not
say a proof, a ` + "`model.key_file`, a file or the authority of `model.entra`, `client.resource`, `client.provider`, `ca_file`, `store_dir` or `insecure_storage`" + `; and where the client has a proof, nothing of
` + "`client`" + ` and not the server either. What is said there is refused by its name, and nothing is sent. For settings of your own in every
folder, export ` + "`FASTMCP_AUTH_CONFIG=~/.config/fastmcp-auth.yaml`" + `.

A proxy is taken from ` + "`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`" + `, as everywhere.

`

const referenceTail = `
## What settings ask of each other

- Without ` + "`provider.kind`" + ` the server starts the development provider, and then listens on loopback only: any other ` + "`addr`" + `,
  or a ` + "`public_url`" + ` beyond this machine, is refused.
- With a provider, an ` + "`addr`" + ` beyond this machine needs ` + "`public_url`" + `: tokens are for ` + "`<public_url>/mcp`" + `, and no header of a
  request changes that.
- ` + "`entra`" + ` needs ` + "`provider.tenant`" + ` and ` + "`provider.audience`" + `. With the tenant ` + "`common`" + ` or ` + "`organizations`" + ` it needs ` + "`provider.tenants`" + ` too.
  Without ` + "`provider.scope_prefix`" + ` the prefix follows from the audience.
- ` + "`keycloak`" + ` needs ` + "`provider.issuer`" + `: the base URL together with ` + "`provider.realm`" + `, or the issuer of the realm, which ends in
  ` + "`/realms/<realm>`" + `.
- ` + "`auth0`" + ` and ` + "`okta`" + ` need ` + "`provider.domain`" + `, ` + "`oidc`" + ` needs ` + "`provider.issuer`" + `, ` + "`google`" + ` needs ` + "`provider.audience`" + `.
- ` + "`dev`" + ` with ` + "`provider.issuer`" + ` uses a ` + "`fastmcp-auth idp`" + ` that runs already; without, the server starts one.
- An audience that is not set means the server's own URL. It never means any.
- A provider's setting that its kind does not use is refused.
- ` + "`no_auth`" + ` beyond this machine needs ` + "`force_no_auth`" + `. A provider that is configured beside it is not used.
- ` + "`tls.cert`" + ` and ` + "`tls.key`" + ` belong together, and so do the parts of ` + "`provider.introspection`" + `.
- A client has one proof: ` + "`client.secret`, `client.secret_file`, `client.key_file` or `client.platform`" + `. With one it needs ` + "`client.id`" + `
  and ` + "`client.issuer`" + `, so that the proof goes nowhere else.
- ` + "`client.flow`" + ` needs what it signs in with: ` + "`credentials`" + ` a proof or ` + "`client.token_file`, `workload`" + ` a ` + "`client.token_file` or `client.platform`" + `,
  ` + "`exchange`" + ` a ` + "`client.token_file`" + `, both with ` + "`client.issuer`" + `, where alone that token goes, and ` + "`enterprise` a `client.token_file`" + ` and ` + "`client.enterprise`" + `.
- ` + "`fastmcp-auth demo`" + ` uses its own development provider, whatever provider is configured.

## Names of the earlier demonstration

Four names without prefix are understood, in the environment and in ` + "`.env`" + `. They describe an application at Entra ID. In
each of the two places they count less than the ` + "`FASTMCP_AUTH_`" + ` names there, and more than the places below. An empty one
counts as not set.

| name | means |
|---|---|
| ` + "`TENANT_ID`" + ` | ` + "`provider.kind` is `entra`, and `provider.tenant`" + ` |
| ` + "`API_AUDIENCE`" + ` | ` + "`provider.audience`" + ` |
| ` + "`API_SCOPE`" + ` | a full scope such as ` + "`api://<app>/execute`: `provider.scope_prefix` is `api://<app>/` and `scopes.execute` is `execute`" + `; without ` + "`API_AUDIENCE`, `<app>`" + ` is the audience |
| ` + "`CLIENT_ID`" + ` | ` + "`provider.client_id`; without `API_AUDIENCE` and `API_SCOPE`" + ` it is the API's own client id, and so the audience and the scope prefix too |

An application's GUID and ` + "`api://<GUID>`" + ` are the same application, so either of them stands for both in the audience: version 2
tokens of Entra carry the first, version 1 tokens either. ` + "`TENANT_ID`" + ` needs one of the other three. Any of the three without
` + "`TENANT_ID`" + ` and without ` + "`provider.kind`" + ` is refused, and so are the four beside another kind of provider, and an ` + "`API_AUDIENCE`" + `
and an ` + "`API_SCOPE`" + ` of two applications.
`
