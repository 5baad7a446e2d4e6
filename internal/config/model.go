package config

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Model is the language model that the agent asks.
type Model struct {
	Name         string `koanf:"name"`
	URL          string `koanf:"url"`  // empty: OpenAI's with a key, else what is found on this machine
	Kind         string `koanf:"kind"` // auto, openai or azure
	AzureVersion string `koanf:"azure_version"`
	Key          Secret `koanf:"key"` // from the setting, or read from KeyFile
	KeyFile      string `koanf:"key_file"`
	SignIn       string `koanf:"sign_in"` // auto, key, secret, workload, identity or person
	Entra        Entra  `koanf:"entra"`
	Context      int64  `koanf:"context"`   // tokens
	PriceIn      string `koanf:"price_in"`  // of a million tokens; empty: unknown
	PriceOut     string `koanf:"price_out"` // both or none
}

// Entra is who asks a model at Azure without a key.
type Entra struct {
	Tenant     string `koanf:"tenant"`
	ClientID   string `koanf:"client_id"`
	Secret     Secret `koanf:"secret"` // from the setting, or read from SecretFile
	SecretFile string `koanf:"secret_file"`
	TokenFile  string `koanf:"token_file"`
	Authority  string `koanf:"authority"` // empty: by the cloud
}

// The values of model.sign_in that are no key.
const (
	BySecret   = "secret"
	ByWorkload = "workload"
	ByIdentity = "identity"
	ByPerson   = "person"
)

// Proof is how the model is told who asks: one of those, or empty for the key, or nothing.
func (m *Model) Proof() string {
	switch {
	case m.SignIn == "key" || !m.IsAzure() || m.SignIn == "auto" && m.Key != "":
		return ""
	case m.SignIn != "auto":
		return m.SignIn
	case m.Entra.Secret != "":
		return BySecret
	case m.Entra.TokenFile != "":
		return ByWorkload
	case ReadPlatform().AzureEndpoint != "":
		return ByIdentity
	case m.Entra.ClientID != "" && m.Entra.Tenant != "":
		return ByPerson
	}
	return ""
}

// azureHosts are where Azure answers, by its clouds.
var azureHosts = []string{".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com",
	".openai.azure.us", ".cognitiveservices.azure.us", ".openai.azure.cn", ".cognitiveservices.azure.cn"}

// IsAzure reports whether the model is asked as Azure wants it.
func (m *Model) IsAzure() bool {
	u, err := url.Parse(m.URL)
	if m.Kind != "auto" || err != nil {
		return m.Kind == "azure"
	}
	return slices.ContainsFunc(azureHosts, func(end string) bool { return strings.HasSuffix(u.Hostname(), end) })
}

// Prices are what a million tokens cost, read and written; known is false where nobody said.
func (m *Model) Prices() (in, out float64, known bool) {
	if m.PriceIn == "" || m.PriceOut == "" {
		return 0, 0, false
	}
	in, _ = strconv.ParseFloat(m.PriceIn, 64) // price has checked both
	out, _ = strconv.ParseFloat(m.PriceOut, 64)
	return in, out, true
}

// openaiNames and azureNames are the names that other programs agree on for the model. Those of Azure count in a place that
// says AZURE_OPENAI_ENDPOINT, and there OPENAI_BASE_URL and OPENAI_API_KEY, which are for another address, do not.
var (
	openaiNames = map[string]string{"OPENAI_API_KEY": "model.key", "OPENAI_BASE_URL": "model.url", "OPENAI_MODEL": "model.name"}
	azureNames  = map[string]string{azureEndpoint: "model.url", "AZURE_OPENAI_API_KEY": "model.key", "AZURE_OPENAI_DEPLOYMENT": "model.name", "OPENAI_API_VERSION": "model.azure_version"}
	entraNames  = map[string]string{"AZURE_TENANT_ID": "model.entra.tenant", "AZURE_CLIENT_ID": "model.entra.client_id", "AZURE_CLIENT_SECRET": "model.entra.secret",
		"AZURE_FEDERATED_TOKEN_FILE": "model.entra.token_file", "AZURE_AUTHORITY_HOST": "model.entra.authority"}
)

const azureEndpoint = "AZURE_OPENAI_ENDPOINT"

// isForModel reports whether name is one of those names, for a command that asks a model.
func (l *loader) isForModel(name string) bool {
	key := cmp.Or(openaiNames[name], azureNames[name], entraNames[name])
	return key != "" && byKey(key).usedBy(l.src.Command)
}

// openai reads those names into the layer below the FASTMCP_AUTH_ names of their place. An empty one counts as not set.
func (l *loader) openai(into layer, vars map[string]variable) {
	azure := vars[azureEndpoint].value != ""
	for _, v := range sortedByPlace(vars) {
		key := entraNames[v.name]
		switch {
		case key != "":
		case azure && azureNames[v.name] != "":
			key = azureNames[v.name]
		case azure && (v.name != "OPENAI_MODEL" || vars["AZURE_OPENAI_DEPLOYMENT"].value != ""):
			continue
		default:
			key = openaiNames[v.name]
		}
		if d := byKey(key); d != nil && v.value != "" && d.usedBy(l.src.Command) {
			l.take(into, d, said{name: v.name, place: v.place, origin: v.origin(), found: v.place != ""}, []string{v.value})
		}
	}
}

// checkModel holds the settings of the model against each other. Attack 59: a folder somebody sent has a .env or a settings
// file that names their address, and the key in the environment of whoever works there would go to it.
func (l *loader) checkModel(m *Model) {
	if m.KeyFile != "" && l.given("model.key") {
		l.blame("model.key_file", "says the key a second time, beside %s; leave one of them out", l.origins["model.key"].name)
	}
	if (m.PriceIn == "") != (m.PriceOut == "") {
		l.blame(map[bool]string{true: "model.price_in", false: "model.price_out"}[m.PriceIn != ""], "needs the other price beside it, model.price_in and model.price_out")
	}
	if m.Entra.SecretFile != "" && l.given("model.entra.secret") {
		l.blame("model.entra.secret_file", "says the secret a second time, beside %s; leave one of them out", l.origins["model.entra.secret"].name)
	}
	if !l.trusts(modelGuarded...) {
		return
	}
	l.checkEntraModel(m)
	key, address := l.origins["model.key"], l.origins["model.url"]
	if m.KeyFile != "" {
		key = l.origins["model.key_file"]
	}
	if m.Key == "" || !address.found || key.found && placeOf(key.origin) == placeOf(address.origin) {
		return
	}
	l.blame("model.url", "would get the key that %s says; say both in one place, so that no folder can send a key elsewhere", key.name)
}

// modelGuarded are the settings of the model that a file which was found may not say.
var modelGuarded = []string{"model.key_file", "model.entra.secret_file", "model.entra.token_file", "model.entra.authority"}

// checkEntraModel asks for what the way to sign in needs. Attack 59: an address in a file that was found gets no token but one
// that the same file has all of.
func (l *loader) checkEntraModel(m *Model) {
	proof := m.Proof()
	needs := map[string][]string{
		BySecret: {"model.entra.tenant", "model.entra.client_id", "model.entra.secret"}, ByWorkload: {"model.entra.tenant", "model.entra.client_id", "model.entra.token_file"},
		ByPerson: {"model.entra.tenant", "model.entra.client_id"},
	}[proof]
	for _, key := range needs {
		if !l.given(key) && !(key == "model.entra.secret" && m.Entra.Secret != "") {
			l.lacks(key, "it signs in to Entra for the model")
		}
	}
	address := l.origins["model.url"]
	if proof == "" || !address.found {
		return
	}
	for _, key := range needs {
		where := l.origins[key]
		if proof != BySecret || !where.found || placeOf(where.origin) != placeOf(address.origin) {
			needs = nil
			break
		}
	}
	if needs == nil {
		l.blame("model.url", "would get a token of Entra that is yours; say it by the environment or a flag, so that no folder can send a token elsewhere")
	}
}

// placeOf is the place that an origin names, such as .env.
func placeOf(origin string) string {
	place, _, _ := strings.Cut(origin, " ")
	place, _, _ = strings.Cut(place, ":")
	return place
}

// price wants an amount.
func price(raw string) string {
	if p, err := strconv.ParseFloat(raw, 64); err != nil || !(p >= 0 && p <= 1e9) {
		return show(raw) + " is no amount, such as 0.15"
	}
	return ""
}

// tenantName wants a tenant's id or domain: it becomes part of an address.
func tenantName(raw string) string {
	if strings.HasPrefix(raw, ".") || strings.Contains(raw, "..") {
		return show(raw) + " is neither a tenant's id nor its domain"
	}
	for _, r := range raw {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.') {
			return show(raw) + " is neither a tenant's id nor its domain"
		}
	}
	return ""
}
