package config

import (
	"errors"
	"reflect"
	"testing"
)

func TestABrowserIsUsedWhereThePersonSeesIt(t *testing.T) {
	for _, row := range []struct {
		name    string
		system  string
		environ map[string]string
		opener  bool
		want    bool
	}{
		{"a desktop", "linux", map[string]string{"DISPLAY": ":0"}, true, true},
		{"a Wayland desktop", "linux", map[string]string{"WAYLAND_DISPLAY": "wayland-0"}, true, true},
		{"no display", "linux", nil, true, false},
		{"a desktop over SSH", "linux", map[string]string{"DISPLAY": ":10", "SSH_CONNECTION": "a b c d"}, true, false},
		{"macOS", "darwin", nil, true, true},
		{"macOS over SSH", "darwin", map[string]string{"SSH_TTY": "/dev/ttys001"}, true, false},
		{"Windows", "windows", nil, false, true},
		{"WSL with an opener", "linux", map[string]string{"WSL_DISTRO_NAME": "Debian"}, true, true},
		{"WSL without an opener", "linux", map[string]string{"WSL_INTEROP": "/run/WSL/1"}, false, false},
		{"a browser that was named, even over SSH", "linux", map[string]string{"SSH_TTY": "/dev/pts/1", "BROWSER": "code"}, false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			find := func(string) (string, error) {
				if !row.opener {
					return "", errors.New("not there")
				}
				return "/usr/bin/wslview", nil
			}
			if got := hasBrowser(row.system, func(name string) string { return row.environ[name] }, find); got != row.want {
				t.Error(got)
			}
		})
	}
}

func TestBrowsersAreCommandsAndNoShell(t *testing.T) {
	got := browsers("firefox -P work:lynx; rm -rf:")
	if want := [][]string{{"firefox", "-P", "work"}, {"lynx;", "rm", "-rf"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
}
