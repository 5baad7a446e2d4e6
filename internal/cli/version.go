package cli

import "runtime/debug"

// release is what the linker was told with -X, for builds of a source that has no repository with it, such as the
// container image. Nothing else sets it.
var release string

// version is the release that the linker was told, else the module's version where the binary was built from one, else
// the commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
