package config

import (
	"net/url"
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
	Context      int64  `koanf:"context"`   // tokens
	PriceIn      string `koanf:"price_in"`  // of a million tokens; empty: unknown
	PriceOut     string `koanf:"price_out"` // both or none
}

// IsAzure reports whether the model is asked as Azure wants it.
func (m *Model) IsAzure() bool {
	u, err := url.Parse(m.URL)
	if m.Kind != "auto" || err != nil {
		return m.Kind == "azure"
	}
	host := u.Hostname()
	return strings.HasSuffix(host, ".openai.azure.com") || strings.HasSuffix(host, ".cognitiveservices.azure.com")
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

// openaiNames are the names that other programs agree on for the model.
var openaiNames = map[string]string{"OPENAI_API_KEY": "model.key", "OPENAI_BASE_URL": "model.url", "OPENAI_MODEL": "model.name"}

// openai reads those names into the layer below the FASTMCP_AUTH_ names of their place. An empty one counts as not set.
func (l *loader) openai(into layer, vars map[string]variable) {
	for _, v := range sortedByPlace(vars) {
		d := byKey(openaiNames[v.name])
		if d == nil || v.value == "" || !d.usedBy(l.src.Command) {
			continue
		}
		l.take(into, d, said{name: v.name, place: v.place, origin: v.origin(), found: v.place != ""}, []string{v.value})
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
	if !l.trusts("model.key_file") {
		return
	}
	key, address := l.origins["model.key"], l.origins["model.url"]
	if m.KeyFile != "" {
		key = l.origins["model.key_file"]
	}
	if m.Key == "" || !address.found || key.found && placeOf(key.origin) == placeOf(address.origin) {
		return
	}
	l.blame("model.url", "would get the key that %s says; say both in one place, so that no folder can send a key elsewhere", key.name)
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
