package config

import "os"

// Terminal looks up what programs in a terminal agree on apart from any setting: NO_COLOR, CI and TERM. Any other name
// is answered with nothing, so that settings come from [Load] alone.
func Terminal(name string) string {
	switch name {
	case "NO_COLOR", "CI", "TERM":
		return os.Getenv(name)
	}
	return ""
}
