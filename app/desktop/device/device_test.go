package device

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
	"github.com/stretchr/testify/require"
)

func picture() *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, 64, 48), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = uint8(i * 7)
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = uint8(i*3), uint8(255-i)
	}
	return img
}

func encoded(t testing.TB) []byte {
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, picture(), nil))
	return b.Bytes()
}

// bare takes the Huffman tables out of a JPEG, as cameras send it.
func bare(data []byte) []byte {
	out := append([]byte{}, data[:2]...)
	for at := 2; at+4 < len(data); {
		size := int(data[at+2])<<8 | int(data[at+3])
		if data[at+1] == 0xda {
			return append(out, data[at:]...)
		}
		if data[at+1] != 0xc4 {
			out = append(out, data[at:at+2+size]...)
		}
		at += 2 + size
	}
	return out
}

func TestACamerasFrameIsMadeWhole(t *testing.T) {
	full := encoded(t)
	want, err := jpeg.Decode(bytes.NewReader(full))
	require.NoError(t, err)
	_, err = jpeg.Decode(bytes.NewReader(bare(full)))
	require.Error(t, err, "without tables it is no JPEG for others")
	for name, frame := range map[string][]byte{
		"without tables": bare(full), "with tables": full, "padded": append(bare(full), make([]byte, 500)...),
	} {
		got, err := whole(frame)
		require.NoError(t, err, name)
		img, err := jpeg.Decode(bytes.NewReader(got))
		require.NoError(t, err, name)
		require.Equal(t, want, img, name)
	}
	for name, frame := range map[string][]byte{"nothing": nil, "text": []byte("no frame"), "torn": full[:len(full)/2], "head": full[:4]} {
		_, err := whole(frame)
		require.Error(t, err, name)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(encoded(f))
	f.Add(bare(encoded(f)))
	f.Add([]byte{0xff, 0xd8, 0xff, 0xff, 0xff, 0xd9})
	f.Fuzz(func(t *testing.T, frame []byte) { _, _ = whole(frame) })
}

func TestNoCameraIsSaid(t *testing.T) {
	require.Empty(t, Cameras(t.TempDir()))
	_, err := Open(filepath.Join(t.TempDir(), "video0"))
	var camera *CameraError
	require.ErrorAs(t, err, &camera)
	require.Contains(t, []string{"absent", "not_here"}, camera.Why)
	none := filepath.Join(t.TempDir(), "video1")
	require.NoError(t, os.WriteFile(none, []byte("no camera"), 0o600))
	_, err = Open(none)
	require.ErrorAs(t, err, &camera)
}

// receiver is a gpsd that says these lines and no more.
func receiver(t *testing.T, lines string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 200))
			_, _ = c.Write([]byte(lines))
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestPositions(t *testing.T) {
	const version = `{"class":"VERSION","release":"3.22"}` + "\n"
	for _, test := range []struct{ name, lines, text, why string }{
		{"a fix with its accuracy", version + `{"class":"TPV","mode":1}` + "\n" + `{"class":"TPV","mode":3,"lat":23.109400,"lon":106.234100,"alt":310.04,"eph":8.2,"time":"2026-03-02T01:30:00.000Z"}` + "\n",
			"23.109400 106.234100 310.0 8.2", ""},
		{"an older gpsd says its accuracy by axis", `{"class":"TPV","mode":2,"lat":-1.5,"lon":7,"epx":12,"epy":15}` + "\n", "-1.500000 7.000000 0.0 15.0", ""},
		{"no fix yet", version + `{"class":"TPV","mode":1}` + "\n", "", "no_fix"},
		{"outside the world", `{"class":"TPV","mode":3,"lat":123,"lon":7}` + "\n", "", "no_fix"},
		{"something else answers", "SSH-2.0-OpenSSH\n", "", "absent"},
		{"nothing", "", "", "absent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			p, err := Locate(ctx, receiver(t, test.lines))
			if test.why == "" {
				require.NoError(t, err)
				require.Equal(t, test.text, p.Text())
				return
			}
			var position *PositionError
			require.ErrorAs(t, err, &position)
			require.Equal(t, test.why, position.Why)
		})
	}
	var position *PositionError
	_, err := Locate(context.Background(), "127.0.0.1:1")
	require.ErrorAs(t, err, &position)
	require.Equal(t, "absent", position.Why)
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"class":"TPV","mode":3,"lat":23.1,"lon":106.2}`))
	f.Add([]byte(`{"class":"TPV","mode":3,"lat":null}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if p, _, ok := readReport(line); ok && (p.Latitude < -90 || p.Latitude > 90 || p.Longitude < -180 || p.Longitude > 180) {
			t.Fatalf("%s is no place", p.Text())
		}
	})
}

func TestAFolderOfACamera(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
	}
	write("old.jpg", "was here")
	f, err := WatchFolder(dir)
	require.NoError(t, err)
	look := func() []string {
		names, err := f.Look()
		require.NoError(t, err)
		return names
	}
	require.Empty(t, look(), "what lay there is not new")
	write("a.JPG", "half")
	write("notes.txt", "no picture")
	require.Empty(t, look(), "it may still be growing")
	write("a.JPG", "half and more")
	require.Empty(t, look(), "it was")
	require.Equal(t, []string{filepath.Join(dir, "a.JPG")}, look())
	require.Empty(t, look(), "once is enough")
	require.NoError(t, os.RemoveAll(dir))
	_, err = f.Look()
	require.Error(t, err, "the card was pulled out")
	_, err = WatchFolder(dir)
	require.Error(t, err)
}

func TestBatteryAndSpace(t *testing.T) {
	sys := t.TempDir()
	require.False(t, Battery(sys).Known)
	dir := filepath.Join(sys, "class/power_supply/BAT0")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "capacity"), []byte("17\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "status"), []byte("Discharging\n"), 0o600))
	require.Equal(t, Power{17, false, true}, Battery(sys))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "capacity"), []byte("a lot"), 0o600))
	require.False(t, Battery(sys).Known)
	if free, ok := Space(sys); ok {
		require.Positive(t, free)
	}
	_, ok := Space(filepath.Join(sys, "nowhere"))
	require.False(t, ok)
}

func qr(t testing.TB, text string) []byte {
	t.Helper()
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 300, 300, nil)
	require.NoError(t, err)
	img := image.NewGray(image.Rect(0, 0, 400, 400))
	for y := range 400 {
		for x := range 400 {
			v := uint8(255)
			if x >= 50 && x < 350 && y >= 50 && y < 350 && m.Get(x-50, y-50) {
				v = 0
			}
			img.SetGray(x, y, color.Gray{v})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, img))
	return b.Bytes()
}

func TestCodesInPictures(t *testing.T) {
	const invitation = "https://yunqi.example:8642#ABCD-EFGH"
	text, err := ReadCode(bytes.NewReader(qr(t, invitation)))
	require.NoError(t, err)
	require.Equal(t, invitation, text)
	for why, data := range map[string][]byte{"no_code": encoded(t), "no_picture": []byte("no picture")} {
		_, err := ReadCode(bytes.NewReader(data))
		var code *CodeError
		require.True(t, errors.As(err, &code), why)
		require.Equal(t, why, code.Why)
	}
}

func FuzzReadCode(f *testing.F) {
	f.Add(qr(f, "A"))
	f.Add(encoded(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil && c.Width*c.Height > 200_000 {
			t.Skip("slow, not dangerous")
		}
		_, _ = ReadCode(bytes.NewReader(data))
	})
}
