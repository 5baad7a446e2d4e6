package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"go.yaml.in/yaml/v3"

	"github.com/fastmcp-auth/fastmcp-auth/idp"
)

const (
	serversKey = "servers"
	maxServers = 256
)

// Called is a server that is to be called, with all that the settings say about it.
type Called struct {
	Name   string // in servers; empty for one that is not there
	URL    string
	CAFile string
	Client Client
}

// Client is who calls a server, to its authorization server.
type Client struct {
	Flow        string     `koanf:"flow"` // auto, browser, device, paste, credentials, workload, exchange or enterprise
	ID          string     `koanf:"id"`   // empty: it registers itself
	Issuer      string     `koanf:"issuer"`
	Provider    string     `koanf:"provider"` // auto or entra
	DocumentURL string     `koanf:"document_url"`
	Scopes      []string   `koanf:"scopes"`   // empty: those that the server asks for
	Resource    string     `koanf:"resource"` // auto, send, omit or a URI
	Port        int64      `koanf:"port"`
	Secret      Secret     `koanf:"secret"` // from the setting, or read from SecretFile
	SecretFile  string     `koanf:"secret_file"`
	KeyFile     string     `koanf:"key_file"` // absolute, as all files here; empty: none
	TokenFile   string     `koanf:"token_file"`
	Platform    string     `koanf:"platform"` // github or azure
	PlatformID  string     `koanf:"platform_id"`
	Audience    string     `koanf:"audience"`
	Enterprise  Enterprise `koanf:"enterprise"`

	key Secret // read from KeyFile
}

// Enterprise is the identity provider of the enterprise, which gives the ID-JAG.
type Enterprise struct {
	Issuer        string `koanf:"issuer"`
	TokenEndpoint string `koanf:"token_endpoint"`
	ClientID      string `koanf:"client_id"`
	SecretFile    string `koanf:"secret_file"`

	secret Secret // read from SecretFile
}

// Key is what stands in KeyFile, or nil.
func (c *Client) Key() []byte {
	if c.key == "" {
		return nil
	}
	return []byte(c.key)
}

// Secret is what stands in SecretFile; empty means that there is none.
func (e *Enterprise) Secret() Secret { return e.secret }

// Preset is what is known of the authorization server's habits; nil means what its address tells.
func (c *Client) Preset() *idp.Provider {
	if c.Provider != "entra" {
		return nil
	}
	p := idp.Entra("common")
	return &p
}

// HasProof reports that the client can show who it is, and so can sign in without a person.
func (c *Client) HasProof() bool {
	return c.Secret != "" || c.KeyFile != "" || c.TokenFile != "" || c.Platform != ""
}

// servers reads the mapping of names to servers.
func (r *fileReader) servers(n *yaml.Node) {
	r.loader.servers = map[string]layer{}
	r.pairs(serversKey, n, func(name string, at, value *yaml.Node) {
		full := join(serversKey, name)
		switch problem := serverName(name); {
		case problem != "":
			r.fault(at, full, "%s", problem)
			return
		case len(r.loader.servers) >= maxServers:
			r.fault(at, full, "is one more than %d servers", maxServers)
			return
		}
		one := &fileReader{loader: r.loader, path: r.path, found: r.found, into: layer{}}
		one.server(full, value)
		r.loader.servers[name] = one.into
		if _, said := one.into["server"]; !said && !r.refused[full] {
			r.fault(at, full, "has no url")
		}
	})
}

// server reads one server: url, ca_file and client, of which the last two are as outside servers.
func (r *fileReader) server(full string, n *yaml.Node) {
	known := map[string]string{"url": "server", "ca_file": "ca_file"}
	r.pairs(full, n, func(name string, at, value *yaml.Node) {
		d := byKey(known[name])
		switch {
		case d != nil:
			one := *d
			if name == "url" {
				one.check = endpointURL
			}
			r.within(&one, join(full, name), at, value)
		case name == "client":
			r.client(full, "client", value)
		default:
			r.fault(at, join(full, name), "is no setting of a server%s", didYouMean(name, []string{"url", "ca_file", "client"}, full+"."))
		}
	})
}

// client reads what begins with key below a server, by the rows of the table.
func (r *fileReader) client(full, key string, n *yaml.Node) {
	r.pairs(join(full, key), n, func(name string, at, value *yaml.Node) {
		below := join(key, name)
		switch d := byKey(below); {
		case d != nil:
			r.within(d, join(full, below), at, value)
		case isSection(below) && !strings.Contains(name, "."):
			r.client(full, below, value)
		default:
			r.fault(at, join(full, below), "is no setting%s", nearKey(key, name))
		}
	})
}

// within reads a value of d that stands below a server, under its full name.
func (r *fileReader) within(d *setting, full string, at, value *yaml.Node) {
	before := len(r.faults.List)
	refused := r.refused[d.key]
	r.setting(d, at, value)
	r.refused[d.key] = refused
	for i := before; i < len(r.faults.List); i++ {
		if r.faults.List[i].Name == d.key {
			r.faults.List[i].Name = full
		}
	}
	if len(r.faults.List) > before {
		r.refused[full[:strings.IndexByte(full[len(serversKey)+1:]+".", '.')+len(serversKey)+1]] = true
	}
}

func (l *loader) serverRows() []Row {
	rows := []Row{}
	for _, name := range slices.Sorted(maps.Keys(l.servers)) {
		one := l.servers[name]
		for _, key := range slices.Sorted(maps.Keys(one)) {
			shown := key
			if key == "server" {
				shown = "url"
			}
			rows = append(rows, Row{Key: join(join(serversKey, name), shown), Value: format(byKey(key), one[key].value), Origin: one[key].origin})
		}
	}
	return rows
}

// Call says how to call the server that typed names: a name in servers, a URL, or a host, for which https is assumed, and
// http on this machine. What servers says of it, by name or by URL, counts more than the file outside of it, and less than
// the environment and flags. The error is a [*Faults].
func (s *Settings) Call(typed string) (*Called, error) {
	l := &loader{src: s.loader.src, origins: map[string]said{}, refused: map[string]bool{}}
	name, address, problem := s.named(typed)
	if problem != "" {
		l.faults.add(show(typed), "", "%s", problem)
		return nil, &l.faults
	}
	called := &Called{Name: name, URL: address, CAFile: s.CAFile}
	flat := map[string]any{}
	for i := range table {
		key := table[i].key
		where, there := s.loader.origins[key]
		if !there {
			where = said{name: key, origin: fromDefault, value: table[i].zero()}
		}
		if own, said := s.servers[name][key]; said && !outranks(where) {
			where = own
		}
		l.origins[key] = where
		if rest, ours := strings.CutPrefix(key, "client."); ours {
			flat[rest] = where.value
		}
	}
	if own, said := s.servers[name]["ca_file"]; said && !outranks(s.loader.origins["ca_file"]) {
		called.CAFile = l.inDir(own.value.(string))
		if !own.found {
			l.checkCA(called.CAFile)
		}
	}
	k := koanf.New(".")
	if err := k.Load(confmap.Provider(flat, "."), nil); err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	err := k.UnmarshalWithConf("", &called.Client, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook: mapstructure.TextUnmarshallerHookFunc(), ErrorUnused: true, Result: &called.Client,
	}})
	if err != nil {
		return nil, fmt.Errorf("merge: %w", err)
	}
	l.checkTrust(&called.Client, cmp.Or(s.servers[name]["server"].found, typed == s.Server && s.loader.origins["server"].found))
	if len(l.faults.List) > 0 {
		return nil, &l.faults
	}
	if l.completeClient(&called.Client); len(l.faults.List) > 0 {
		return nil, &l.faults
	}
	return called, nil
}

// outranks reports whether a value was said where it counts more than what servers says.
func outranks(where said) bool {
	return slices.ContainsFunc([]string{"flag ", "environment ", ".env:"}, func(place string) bool { return strings.HasPrefix(where.origin, place) })
}

// named finds the server that typed stands for.
func (s *Settings) named(typed string) (name, address, problem string) {
	if one, there := s.servers[typed]; there {
		return typed, one["server"].value.(string), ""
	}
	names := slices.Sorted(maps.Keys(s.servers))
	if serverName(typed) == "" && !loopbackHost(typed) {
		return "", "", "is no server: write a URL, or a name that stands in servers" + didYouMean(typed, names, "")
	}
	address = typed
	if !strings.Contains(address, "://") {
		scheme := "https://"
		if u, err := url.Parse("//" + typed); err == nil && loopbackHost(u.Hostname()) {
			scheme = "http://"
		}
		address = scheme + typed
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return "", "", "is not an http or https URL without user and fragment"
	}
	address = u.String()
	for _, n := range names {
		if s.servers[n]["server"].value == address {
			return n, address, ""
		}
	}
	return "", address, ""
}

// IsUnknownName reports whether typed is a name, and none of those that stand in servers: somebody else may know it.
func (s *Settings) IsUnknownName(typed string) bool {
	_, there := s.servers[typed]
	return !there && serverName(typed) == "" && !loopbackHost(typed)
}

// Servers are the servers that are called by name, in the order of their names.
func (s *Settings) Servers() []Called {
	all := []Called{}
	for _, name := range slices.Sorted(maps.Keys(s.servers)) {
		all = append(all, Called{Name: name, URL: s.servers[name]["server"].value.(string)})
	}
	return all
}

// completeClient reads the files that c names, and holds its settings against each other.
func (l *loader) completeClient(c *Client) {
	if c.SecretFile != "" {
		if c.Secret != "" {
			l.blame("client.secret_file", "says the secret a second time, beside %s; leave one of them out", l.origins["client.secret"].name)
		}
		c.Secret = l.secretFile("client.secret_file", c.SecretFile)
	}
	if c.KeyFile != "" {
		c.KeyFile = l.inDir(c.KeyFile)
		body, err := readFile(c.KeyFile, maxFile)
		if err != nil {
			l.blame("client.key_file", "%s %v", c.KeyFile, err)
		}
		c.key = Secret(body)
	}
	if c.TokenFile != "" {
		c.TokenFile = l.inDir(c.TokenFile)
	}
	if c.Enterprise.SecretFile != "" {
		c.Enterprise.secret = l.secretFile("client.enterprise.secret_file", c.Enterprise.SecretFile)
	}
	var proofs []string
	for _, key := range []string{"client.secret", "client.secret_file", "client.key_file", "client.platform"} {
		if l.given(key) {
			proofs = append(proofs, key)
		}
	}
	if len(proofs) > 1 && !slices.Equal(proofs, []string{"client.secret", "client.secret_file"}) {
		l.blame(proofs[1], "is a second proof of the client, beside %s; leave one of them out", l.origins[proofs[0]].name)
	}
	l.checkFlow(c, cmp.Or(slices.Concat(proofs, []string{""})[0], ""))
}

// checkFlow names what a flow lacks.
func (l *loader) checkFlow(c *Client, proof string) {
	needs := func(key, value, why string) {
		if value == "" {
			l.lacks(key, why)
		}
	}
	switch flow := c.Flow; {
	case proof != "" || flow == "credentials":
		needs("client.id", c.ID, "a client with a proof has an id")
		needs("client.issuer", c.Issuer, "a proof goes to its own authorization server only")
	}
	switch c.Flow {
	case "credentials":
		if !c.HasProof() {
			l.lacks("client.secret_file", "client.flow is credentials, and the client has no proof (client.key_file, client.token_file or client.platform will do)")
		}
	case "workload":
		if c.TokenFile == "" && c.Platform == "" {
			l.lacks("client.token_file", "client.flow is workload, and there is no token of the platform (client.platform will do)")
		}
		needs("client.issuer", c.Issuer, "the platform's token goes to one authorization server only")
	case "exchange":
		needs("client.token_file", c.TokenFile, "client.flow is exchange, and there is no token to exchange")
		needs("client.issuer", c.Issuer, "the token to exchange goes to one authorization server only")
	case "enterprise":
		needs("client.token_file", c.TokenFile, "client.flow is enterprise, and there is no ID token of the person")
		needs("client.enterprise.issuer", c.Enterprise.Issuer, "client.flow is enterprise")
		needs("client.enterprise.token_endpoint", c.Enterprise.TokenEndpoint, "client.flow is enterprise")
		needs("client.enterprise.client_id", c.Enterprise.ClientID, "client.flow is enterprise")
	}
}
