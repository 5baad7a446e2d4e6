package tui

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func device(c *clock) Device {
	return Device{
		UserCode: "WDJB-MJHT", VerificationURI: "http://127.0.0.1:41234/device", Server: "http://127.0.0.1:8000/mcp",
		VerificationURIComplete: "http://127.0.0.1:41234/device?user_code=WDJB-MJHT", Expires: c.now().Add(15 * time.Minute),
	}
}

func TestTheDeviceScreenIsDrawn(t *testing.T) {
	for _, width := range []int{80, 40} {
		c := newClock()
		d := device(c)
		d.Keys, d.Hint = strings.NewReader(""), "press Enter to approve as admin"
		s := &Screen{o: Options{Terminal: true, Now: c.now}, device: d}
		c.after(61 * time.Second)
		drawn := s.view(width)
		fits(t, drawn, width)
		golden(t, fmt.Sprintf("device-%d", width), drawn)
		for _, want := range []string{"\x1b]8;;http://127.0.0.1:41234/device\x07", "13:59", "press Enter to approve"} {
			if !strings.Contains(drawn, want) {
				t.Errorf("%d columns: %q is missing", width, want)
			}
		}
		c.after(time.Hour)
		if drawn := s.view(width); !strings.Contains(drawn, "the code has ended") {
			t.Errorf("after its end: %q", drawn)
		}
	}
}

func TestTheDeviceScreenOfEntraHasNoSecondAddress(t *testing.T) {
	c := newClock()
	s := &Screen{o: Options{Terminal: true, Now: c.now}, device: Device{
		UserCode: "DSF5P3K8C", VerificationURI: "https://microsoft.com/devicelogin", Expires: c.now().Add(15 * time.Minute)}}
	golden(t, "device-entra-80", s.view(80))
}

func TestThePlainDeviceScreenIsLines(t *testing.T) {
	c := newClock()
	var out bytes.Buffer
	s := DeviceScreen(&out, device(c), Options{Now: c.now})
	s.Close(nil)
	s.Close(errors.New("too late"))
	want := `Sign in to http://127.0.0.1:8000/mcp
  open  http://127.0.0.1:41234/device
  enter WDJB-MJHT
  or open http://127.0.0.1:41234/device?user_code=WDJB-MJHT
The code is good for 15 min 00 s.
Signed in.
`
	if got := out.String(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func TestAProviderCannotDrawOnTheDeviceScreen(t *testing.T) {
	for _, o := range []Options{{Width: 80}, {Terminal: true, Width: 80}} {
		var out bytes.Buffer
		s := DeviceScreen(&out, Device{UserCode: nasty, VerificationURI: nasty, VerificationURIComplete: nasty, Server: nasty}, o)
		s.Close(errors.New(nasty))
		for _, forbidden := range []string{"\x1b]0;", "\x1b[2J", "http://evil", "\u202e", "\u009b", "\x00"} {
			if strings.Contains(out.String(), forbidden) {
				t.Errorf("%q reaches the terminal", forbidden)
			}
		}
		if !strings.Contains(out.String(), "Not signed in: abcdef g tab h") {
			t.Errorf("said %q", out.String())
		}
	}
}

func TestKeysAreHeard(t *testing.T) {
	for typed, want := range map[string]string{"\r": "enter", "a": "a", "\x03": "ctrl+c"} {
		var out bytes.Buffer
		keys, keyboard := io.Pipe()
		heard := make(chan string, 1)
		d := device(newClock())
		d.Keys, d.OnKey = keys, func(key string) { heard <- key }
		s := DeviceScreen(&out, d, Options{Terminal: true, Width: 80})
		if _, err := io.WriteString(keyboard, typed); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != want {
			t.Errorf("%q is heard as %q, want %q", typed, got, want)
		}
		keyboard.Close()
		s.Close(nil)
		if !strings.Contains(out.String(), "Signed in.") {
			t.Errorf("drawn %q", out.String())
		}
	}
}

func TestCodesAreDrawnBigWhereTheyFit(t *testing.T) {
	lines, ok := letters("A0-")
	if want := [3]string{"▄▀▀▄ ▄▀▀█▄    ", "█▀▀█ █▄▀ █ ▀▀▀", "▀  ▀  ▀▀▀     "}; !ok || lines != want {
		for _, line := range lines {
			t.Logf("%q", line)
		}
		t.Errorf("drawn %v", ok)
	}
	for _, code := range []string{"", "ÄÖ", "a b"} {
		if _, ok := letters(code); ok {
			t.Errorf("%q has a picture", code)
		}
	}
	if drawn := bigCode("WDJB-MJHT", 30); !strings.Contains(drawn, "╭") || !strings.Contains(drawn, "WDJB-MJHT") {
		t.Errorf("where it has no room: %q", drawn)
	}
	for r, picture := range pictures {
		rows := strings.Fields(picture)
		for _, row := range rows {
			if len(rows) != 5 || len(row) != len(rows[0]) || strings.Trim(row, "#.") != "" {
				t.Errorf("the picture of %c is crooked", r)
			}
		}
	}
}

// TestAttack59NothingButACodeGoesToTheClipboard: it may be pasted into a shell by mistake.
func TestAttack59NothingButACodeGoesToTheClipboard(t *testing.T) {
	for code, want := range map[string]bool{
		"WDJB-MJHT": true, "123456789": true, "abcDEF": true,
		"": false, "-rf": false, "rm -rf .": false, "a;id": false, "$(id)": false, "a|sh": false, "x\nid": false, "аbc": false,
		strings.Repeat("A", 33): false,
	} {
		if isCode(code) != want {
			t.Errorf("%q: %v", code, !want)
		}
	}
}
