package opener

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestC23_OnlyWebPagesAreOpened(t *testing.T) {
	for _, bad := range []string{"", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "mailto:a@b", "vbscript:x", "//as.example/x",
		"as.example", "https:as.example", "https://", "https://user:secret@as.example/", "-a", "--help", "https://as.example/\x00", "https://" + strings.Repeat("a", 9000)} {
		if address, err := Check(bad); err == nil {
			t.Errorf("attack 5 %q is opened as %q", bad, address)
		}
	}
}

func TestC23_NothingOfAnAddressMeansAnythingToAShell(t *testing.T) {
	address, err := Check("https://as.example/a?b=`id`|$(id)\"'<>^\\{}")
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(address, "`|\"'<>^\\{} ") {
		t.Errorf("attack 5 %s", address)
	}
	good := "https://as.example/authorize?client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback&scope=a+b"
	if address, err := Check(good); err != nil || address != good {
		t.Errorf("%s, %v", address, err)
	}
}

func TestAMachineWithoutABrowserSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Open(t.Context(), "https://as.example/"); !errors.Is(err, ErrNoBrowser) {
		t.Errorf("error %v", err)
	}
}

func TestEverySystemHasAWay(t *testing.T) {
	for system, want := range map[string]string{"darwin": "open", "windows": "rundll32", "linux": "xdg-open", "freebsd": "xdg-open"} {
		if got := commands(system)[0][0]; got != want {
			t.Errorf("%s: %s", system, got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("https://as.example/authorize?a=b")
	f.Add("javascript:alert(1)")
	f.Fuzz(func(t *testing.T, page string) {
		address, err := Check(page)
		if err != nil {
			return
		}
		if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") || strings.ContainsAny(address, " \"'`|<>\\^{}\n\r\x00") {
			t.Errorf("%q is opened as %q", page, address)
		}
	})
}

func ExampleCheck() {
	_, err := Check("javascript:alert(1)")
	fmt.Println(err)
	// Output: opener: only absolute http and https addresses without a user are opened
}
