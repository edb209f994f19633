package trust

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// QR is the invitation's code as a picture (PNG), black on white with its quiet zone,
// to be shown on a screen or printed and read by a tablet's camera.
func (i Invitation) QR() ([]byte, error) {
	code, err := qr.Encode(i.Code(), qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the invitation: %w", err)
	}
	code.Scale = 8
	return code.PNG(), nil
}

// Blocks is the same picture in characters, two rows of it a line, for a terminal with
// light letters on a dark ground.
func (i Invitation) Blocks() (string, error) {
	code, err := qr.Encode(i.Code(), qr.L)
	if err != nil {
		return "", fmt.Errorf("draw the invitation: %w", err)
	}
	const quiet = 2
	white := func(x, y int) bool { return !code.Black(x, y) }
	var out strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := white(x, y), white(x, y+1); {
			case top && bottom:
				out.WriteRune('█')
			case top:
				out.WriteRune('▀')
			case bottom:
				out.WriteRune('▄')
			default:
				out.WriteRune(' ')
			}
		}
		out.WriteByte('\n')
	}
	return out.String(), nil
}
