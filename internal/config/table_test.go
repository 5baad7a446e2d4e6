package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestEveryRowOfTheTableHolds(t *testing.T) {
	flagNames, envs := []string{configFlag}, []string{envConfig, envIntegration}
	for i := range table {
		d := &table[i]
		if d.help == "" || !strings.HasSuffix(d.help, ".") || strings.Count(d.help, ". ") > 0 {
			t.Errorf("%s: the help is not one sentence: %q", d.key, d.help)
		}
		for _, command := range []string{Serve, IDP, Demo, Call, Show} {
			typed := d.defaultFor(command)
			if typed == "" {
				continue
			}
			value, err := d.parse([]string{typed})
			if err != nil {
				t.Errorf("%s: the default %q is refused: %v", d.key, typed, err)
			} else if got := format(d, value); got != typed {
				t.Errorf("%s: the default %q is shown as %q", d.key, typed, got)
			}
		}
		if (d.kind == span || d.kind == size || d.kind == number) && d.fallback == "" {
			t.Errorf("%s needs a default", d.key)
		}
		if d.kind == secret && d.fallback != "" {
			t.Errorf("attack 51: %s has a default", d.key)
		}
		if d.kind == span && d.to <= d.from || (d.kind == size || d.kind == number) && d.high <= d.low {
			t.Errorf("%s has no bounds", d.key)
		}
		if slices.Contains(flagNames, d.flag()) || slices.Contains(envs, d.env()) {
			t.Errorf("%s shares a name with another", d.key)
		}
		flagNames, envs = append(flagNames, d.flag()), append(envs, d.env())
	}
}

// TestTheTableAndTheSettingsAgree proves that each row has a field and each field a row.
func TestTheTableAndTheSettingsAgree(t *testing.T) {
	fields := map[string]bool{}
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for f := range of.Fields() {
			name := f.Tag.Get("koanf")
			if name == "" {
				continue
			}
			key := join(prefix, name)
			if f.Type.Kind() == reflect.Struct {
				walk(key, f.Type)
				continue
			}
			fields[key] = true
			if byKey(key) == nil {
				t.Errorf("the field %s has no row", key)
			}
		}
	}
	walk("", reflect.TypeFor[Settings]())
	for i := range table {
		if !fields[table[i].key] {
			t.Errorf("the row %s has no field", table[i].key)
		}
	}
}

// TestEverySettingCanBeSaidEverywhere says each setting in each place and finds it again.
func TestEverySettingCanBeSaidEverywhere(t *testing.T) {
	samples := map[kind]string{yes: "true", list: "one.example,two.example", scopes: "a=x y,b=z", secret: "hush", text: "sample"}
	byHand := map[string]string{
		"addr": "127.0.0.1:1", "idp.addr": "127.0.0.1:2", "public_url": "https://a.example", "trusted_proxies": "10.0.0.0/8,fd00::/8",
		"allowed_origins": "https://a.example", "provider.issuer": "https://a.example", "idp.issuer": "https://a.example",
		"provider.introspection.url": "https://a.example/i?x=1", "provider.tenant": guid, "provider.tenants": guid + "," + other,
		"provider.domain": "a.example", "admin.addr": "127.0.0.1:3", "rest.addr": "127.0.0.1:4", "admin.allowed_hosts": "one.example", "audit.syslog": "udp://127.0.0.1:514",
		"client.issuer": "https://a.example", "client.document_url": "https://a.example/client", "client.resource": "api://app",
		"model.url": "https://a.example/v1", "model.price_in": "0.15", "model.price_out": "0.6", "model.context": "2000",
		"model.entra.authority":    "https://a.example",
		"client.enterprise.issuer": "https://a.example", "client.enterprise.token_endpoint": "https://a.example/token",
	}
	for i := range table {
		d := &table[i]
		typed := byHand[d.key]
		switch {
		case typed != "":
		case len(d.oneOf) > 0:
			typed = d.oneOf[len(d.oneOf)-1]
		case d.kind == span:
			typed = formatSpan(d.from + time.Second)
		case d.kind == size:
			typed = formatSize(d.low + 1024)
		case d.kind == number:
			typed = "7"
		default:
			typed = samples[d.kind]
		}
		shown := typed
		if d.kind == secret {
			shown = hidden
		}
		inFile := typed
		if strings.HasPrefix(d.key, "model.price") {
			inFile = `"` + typed + `"`
		}
		switch d.kind {
		case list:
			inFile = `["` + strings.ReplaceAll(typed, ",", `","`) + `"]`
		case scopes:
			inFile = `{a: [x, y], b: [z]}`
		}
		parts := strings.Split(d.key, ".")
		body := ""
		for depth, part := range parts {
			body += strings.Repeat("  ", depth) + part + ":"
			if depth < len(parts)-1 {
				body += "\n"
			}
		}
		places := map[string]place{
			"environment " + d.env():                  {environ: []string{d.env() + "=" + typed}},
			".env:1 " + d.env():                       {files: dotenv(d.env() + "='" + typed + "'")},
			"fastmcp-auth.yaml:" + digits(len(parts)): {files: yamlFile(body + " " + inFile + "\n")},
		}
		if d.kind != secret {
			places["flag --"+d.flag()] = place{args: []string{"--" + d.flag() + "=" + typed}}
		}
		for origin, p := range places {
			p.command = Show
			// What a setting asks of others is not the matter here.
			if got := merged(t, p, d.key); got.Value != shown || got.Origin != origin {
				t.Errorf("%s in %s: got %q from %q, want %q", d.key, origin, got.Value, got.Origin, shown)
			}
		}
	}
}

func digits(n int) string { return string(rune('0' + n)) }

// merged merges p without holding settings against each other, and returns the row of key.
func merged(t *testing.T, p place, key string) Row {
	t.Helper()
	fs := pflag.NewFlagSet(p.command, pflag.ContinueOnError)
	Flags(fs, p.command)
	if err := fs.Parse(p.args); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, p.files)
	l := &loader{src: Source{Command: p.command, Flags: fs, Dir: dir, Environ: p.environ}, origins: map[string]said{}, refused: map[string]bool{}}
	s := &Settings{}
	if err := l.gather(s); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	if len(l.faults.List) > 0 {
		t.Errorf("%s: %v", key, l.faults.Error())
	}
	for _, r := range l.rows() {
		if r.Key == key {
			return r
		}
	}
	return Row{}
}

func TestFlagsAreThoseOfTheCommand(t *testing.T) {
	for command, want := range map[string]map[string]bool{
		Serve: {"addr": true, "provider-kind": true, "idp-expose": false, "no-auth": true, "config": true},
		IDP:   {"addr": false, "provider-kind": false, "idp-expose": true, "log-level": true, "config": true},
		Demo:  {"addr": true, "provider-kind": false, "idp-addr": true, "no-auth": false, "config": true},
		Show:  {"addr": true, "provider-kind": true, "idp-expose": true, "no-auth": true, "config": true},
	} {
		fs := pflag.NewFlagSet(command, pflag.ContinueOnError)
		Flags(fs, command)
		for name, there := range want {
			if (fs.Lookup(name) != nil) != there {
				t.Errorf("%s: --%s is there: %v", command, name, !there)
			}
		}
		if strings.Contains(fs.FlagUsages(), "--provider-introspection-client-secret ") {
			t.Errorf("attack 51: %s offers a secret as a flag", command)
		}
	}
	fs := pflag.NewFlagSet(IDP, pflag.ContinueOnError)
	Flags(fs, IDP)
	for _, part := range []string{"--idp-addr text", "127.0.0.1:9000", "--log-level debug|info|warn|error", "--idp-expose  "} {
		if !strings.Contains(fs.FlagUsages(), part) {
			t.Errorf("the help lacks %q:\n%s", part, fs.FlagUsages())
		}
	}
}
