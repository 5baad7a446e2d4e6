package config

import (
	"strings"
)

const (
	envPrefix = "FASTMCP_AUTH_"
	envConfig = envPrefix + "CONFIG"
	// envIntegration switches tests against real parties on; it is no setting, but may stand in any environment.
	envIntegration = envPrefix + "INTEGRATION"
)

// variable is one NAME=value of the environment or of .env.
type variable struct {
	name, value string
	place       string // .env:3, or nothing for the environment
}

// origin is how Explain names where v stands.
func (v variable) origin() string {
	if v.place != "" {
		return v.place + " " + v.name
	}
	return "environment " + v.name
}

// environ splits the environment. Of a name given twice, the last counts.
func (l *loader) environ() map[string]variable {
	vars := map[string]variable{}
	for _, pair := range l.src.Environ {
		if name, value, found := strings.Cut(pair, "="); found && name != "" {
			vars[name] = variable{name: name, value: value}
		}
	}
	return vars
}

// variables reads the settings among vars, and refuses names that only look like ours.
func (l *loader) variables(vars map[string]variable) layer {
	into := layer{}
	for _, v := range sortedByPlace(vars) {
		if len(v.name) < len(envPrefix) || !strings.EqualFold(v.name[:len(envPrefix)], envPrefix) ||
			v.name == envConfig || v.name == envIntegration {
			continue
		}
		d := byEnv(v.name)
		if d == nil {
			l.faults.add(v.name, v.place, "is no setting%s", didYouMean(strings.ToUpper(v.name[len(envPrefix):]), envNames(), envPrefix))
			continue
		}
		l.take(into, d, said{name: v.name, place: v.place, origin: v.origin(), found: v.place != ""}, []string{v.value})
	}
	return into
}

func byEnv(name string) *setting {
	for i := range table {
		if table[i].env() == name {
			return &table[i]
		}
	}
	return nil
}

// envNames is every name in the environment, without the prefix.
func envNames() []string {
	names := []string{envConfig[len(envPrefix):]}
	for i := range table {
		names = append(names, table[i].env()[len(envPrefix):])
	}
	return names
}
