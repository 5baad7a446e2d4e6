package tui

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"rsc.io/qr"
)

func TestAQRCodeIsDrawnModuleByModule(t *testing.T) {
	const text = "http://127.0.0.1:41234/device?user_code=WDJB-MJHT"
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	drawn := strings.Split(ansi.Strip(qrCode(text, 80, 40)), "\n")
	for y := -quiet; y < code.Size+quiet; y++ {
		line := []rune(drawn[(y+quiet)/2])
		if len(line) != code.Size+2*quiet {
			t.Fatalf("line %d has %d columns", (y+quiet)/2, len(line))
		}
		for x := -quiet; x < code.Size+quiet; x++ {
			light := strings.ContainsRune(map[bool]string{true: "█▀", false: "█▄"}[(y+quiet)%2 == 0], line[x+quiet])
			if inside := x >= 0 && y >= 0 && x < code.Size && y < code.Size; light == (inside && code.Black(x, y)) {
				t.Fatalf("module %d, %d is drawn light: %v", x, y, light)
			}
		}
	}
}

func TestAQRCodeIsLeftOutWhereItHasNoRoom(t *testing.T) {
	for _, room := range [][2]int{{20, 40}, {80, 10}, {0, 0}} {
		if drawn := qrCode("https://microsoft.com/devicelogin", room[0], room[1]); drawn != "" {
			t.Errorf("%v: drawn\n%s", room, drawn)
		}
	}
	if drawn := qrCode(strings.Repeat("x", 5000), 1000, 1000); drawn != "" {
		t.Error("a text that no code holds is drawn")
	}
}

func TestTheCodeIsCopiedAndItsAddressIsAQRCode(t *testing.T) {
	c := newClock()
	d := device(c)
	m := &deviceModel{screen: &Screen{o: Options{Terminal: true, Now: c.now}, device: d}, width: 80, height: 50}
	if drawn := m.View().Content; !strings.Contains(drawn, "▀▀▀▀▀") || strings.Count(drawn, "\n") >= 50 {
		t.Errorf("drawn\n%s", drawn)
	}
	m.height = 24
	if drawn := m.View().Content; strings.Count(drawn, "\n") >= 24 || strings.Contains(drawn, "▀▀▀▀▀▀▀") {
		t.Errorf("24 lines hold\n%s", drawn)
	}
	out := &until{want: "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(d.UserCode)), seen: make(chan struct{})}
	screen := DeviceScreen(out, d, Options{Terminal: true, Width: 80})
	<-out.seen
	screen.Close(nil)
}

// until is an output that tells when something was written.
type until struct {
	want string
	all  bytes.Buffer
	seen chan struct{}
	once sync.Once
}

func (u *until) Write(p []byte) (int, error) {
	u.all.Write(p)
	if strings.Contains(u.all.String(), u.want) {
		u.once.Do(func() { close(u.seen) })
	}
	return len(p), nil
}
