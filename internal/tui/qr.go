package tui

import (
	"strings"

	"rsc.io/qr"
)

const quiet = 2 // modules of margin; readers want four, and manage with two on a terminal

// qrCode draws text as a QR code of half blocks, two rows a line, dark on light whatever the theme. It is empty where it has
// no room, or text is too long.
func qrCode(text string, width, height int) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quiet > width || (code.Size+2*quiet+1)/2 > height {
		return ""
	}
	light := func(x, y int) bool { return !code.Black(x, y) } // what is outside is white
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		if y > -quiet {
			b.WriteByte('\n')
		}
		var line strings.Builder
		for x := -quiet; x < code.Size+quiet; x++ {
			above, below := light(x, y), light(x, y+1) || y+1 >= code.Size+quiet
			switch {
			case above && below:
				line.WriteRune('█')
			case above:
				line.WriteRune('▀')
			case below:
				line.WriteRune('▄')
			default:
				line.WriteByte(' ')
			}
		}
		b.WriteString(paper.Render(line.String()))
	}
	return b.String()
}
