package trust

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"
)

// What is drawn is read again by an implementation that is not the drawer's.
func TestAnInvitationIsDrawnAndRead(t *testing.T) {
	i := Invitation{Server: "https://county.example:8642", Root: "0123-4567-89AB-CDEF-GHJK", Token: "MNPQ-RSTV-WXYZ"}
	raw, err := i.QR()
	require.NoError(t, err)
	picture, err := png.Decode(bytes.NewReader(raw))
	require.NoError(t, err)
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	require.NoError(t, err)
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	require.NoError(t, err)
	got, err := ParseCode(read.GetText())
	require.NoError(t, err)
	require.Equal(t, i, got)

	blocks, err := i.Blocks()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(blocks), "\n")
	for _, l := range lines {
		require.Equal(t, len([]rune(lines[0])), len([]rune(l)))
	}
}
