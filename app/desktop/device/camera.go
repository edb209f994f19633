package device

import (
	"bytes"
	"errors"
	"fmt"
)

// A CameraError says why there is no picture.
type CameraError struct {
	Why  string // absent, busy, no_mjpeg, no_frame, not_here
	Path string
	Err  error
}

func (e *CameraError) Error() string {
	switch e.Why {
	case "absent":
		return "no camera is connected; choose a photo from a file instead"
	case "not_here":
		return "the camera cannot be used on this system; choose a photo from a file instead"
	}
	return fmt.Sprintf("camera %s: %s: %v", e.Path, e.Why, e.Err)
}

func (e *CameraError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *CameraError) Code() string { return "device.camera_" + e.Why }

var errNoFrame = errors.New("it sends no whole picture")

// whole completes a frame of a camera's motion JPEG: most cameras leave out the
// Huffman tables, which then are those of ITU-T T.81 Annex K.3, and pad the end.
func whole(frame []byte) ([]byte, error) {
	if len(frame) < 4 || frame[0] != 0xff || frame[1] != 0xd8 {
		return nil, errNoFrame
	}
	if end := bytes.LastIndex(frame, []byte{0xff, 0xd9}); end > 0 {
		frame = frame[:end+2]
	} else {
		return nil, errNoFrame
	}
	tables := false
	for at := 2; at+4 <= len(frame); {
		if frame[at] != 0xff {
			return nil, errNoFrame
		}
		marker, size := frame[at+1], int(frame[at+2])<<8|int(frame[at+3])
		switch {
		case marker == 0xff: // a fill byte
			at++
			continue
		case marker == 0xc4:
			tables = true
		case marker == 0xda: // the picture itself begins
			if tables {
				return bytes.Clone(frame), nil
			}
			out := make([]byte, 0, len(frame)+len(huffman))
			out = append(out, frame[:at]...)
			out = append(out, huffman...)
			return append(out, frame[at:]...), nil
		}
		if size < 2 {
			return nil, errNoFrame
		}
		at += 2 + size
	}
	return nil, errNoFrame
}

// huffman is the segment of the four tables of ITU-T T.81 Annex K.3.
var huffman = func() []byte {
	type table struct {
		class  byte
		counts [16]byte
		values []byte
	}
	ac := func(head []byte, rows ...[2]byte) []byte { // the long tails run through a row of run lengths
		out := head
		for _, r := range rows {
			for v := int(r[0]); v <= int(r[1]); v++ {
				out = append(out, byte(v))
			}
		}
		return out
	}
	dc := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	tables := []table{
		{0x00, [16]byte{0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0}, dc},
		{0x10, [16]byte{0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d}, ac(
			[]byte{0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72, 0x82},
			[2]byte{0x09, 0x0a}, [2]byte{0x16, 0x1a}, [2]byte{0x25, 0x2a}, [2]byte{0x34, 0x3a}, [2]byte{0x43, 0x4a}, [2]byte{0x53, 0x5a}, [2]byte{0x63, 0x6a}, [2]byte{0x73, 0x7a},
			[2]byte{0x83, 0x8a}, [2]byte{0x92, 0x9a}, [2]byte{0xa2, 0xaa}, [2]byte{0xb2, 0xba}, [2]byte{0xc2, 0xca}, [2]byte{0xd2, 0xda}, [2]byte{0xe1, 0xea}, [2]byte{0xf1, 0xfa})},
		{0x01, [16]byte{0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, dc},
		{0x11, [16]byte{0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77}, ac(
			[]byte{0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0, 0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1},
			[2]byte{0x17, 0x1a}, [2]byte{0x26, 0x2a}, [2]byte{0x35, 0x3a}, [2]byte{0x43, 0x4a}, [2]byte{0x53, 0x5a}, [2]byte{0x63, 0x6a}, [2]byte{0x73, 0x7a},
			[2]byte{0x82, 0x8a}, [2]byte{0x92, 0x9a}, [2]byte{0xa2, 0xaa}, [2]byte{0xb2, 0xba}, [2]byte{0xc2, 0xca}, [2]byte{0xd2, 0xda}, [2]byte{0xe2, 0xea}, [2]byte{0xf2, 0xfa})},
	}
	var body []byte
	for _, t := range tables {
		body = append(body, t.class)
		body = append(body, t.counts[:]...)
		body = append(body, t.values...)
	}
	size := len(body) + 2
	return append([]byte{0xff, 0xc4, byte(size >> 8), byte(size)}, body...)
}()
