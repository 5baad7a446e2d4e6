package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// HasKeyring reports whether there may be a keyring: where it is reached over a session bus, such a bus must be there,
// since looking for one can start one.
func HasKeyring() bool {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	if os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return true
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	_, err := os.Stat(filepath.Join(dir, "bus"))
	return dir != "" && err == nil
}

// HasBrowser reports whether a page that is opened here is seen by the person who types: not over SSH, not in WSL
// without an opener, and not without a display. BROWSER says that it is.
func HasBrowser() bool { return hasBrowser(runtime.GOOS, os.Getenv, exec.LookPath) }

func hasBrowser(system string, lookup func(string) string, find func(string) (string, error)) bool {
	said := func(names ...string) bool {
		for _, name := range names {
			if lookup(name) != "" {
				return true
			}
		}
		return false
	}
	switch {
	case said("BROWSER"):
		return true
	case said("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"):
		return false
	case system == "windows" || system == "darwin":
		return true
	case said("WSL_DISTRO_NAME", "WSL_INTEROP"):
		_, err := find("wslview")
		return err == nil
	}
	return said("DISPLAY", "WAYLAND_DISPLAY")
}

// Browsers are the commands that BROWSER names, each with its arguments, the first to be tried first.
func Browsers() [][]string { return browsers(os.Getenv("BROWSER")) }

func browsers(said string) [][]string {
	var all [][]string
	for command := range strings.SplitSeq(said, string(os.PathListSeparator)) {
		if words := strings.Fields(command); len(words) > 0 {
			all = append(all, words)
		}
	}
	return all
}

// Platform is what the platform that the program runs on says about tokens for it.
type Platform struct {
	GitHubURL     string // of a GitHub Actions job with the permission id-token: write
	GitHubToken   Secret
	AzureEndpoint string // of a managed identity in App Service and Functions; empty on a virtual machine
	AzureHeader   Secret
	AzureHost     string // of the metadata service that a virtual machine asks; empty means Azure's own
}

// ReadPlatform reads it from the environment, where the platform puts it.
func ReadPlatform() Platform {
	return Platform{
		GitHubURL: os.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), GitHubToken: Secret(os.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")),
		AzureEndpoint: os.Getenv("IDENTITY_ENDPOINT"), AzureHeader: Secret(os.Getenv("IDENTITY_HEADER")),
		AzureHost: os.Getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST"),
	}
}

// Folders are the working directory, the home directory and that for the files of the user's programs. One that cannot
// be told is empty.
func Folders() (work, home, programs string) {
	work, _ = os.Getwd()
	home, _ = os.UserHomeDir()
	programs, _ = os.UserConfigDir()
	return work, home, programs
}
