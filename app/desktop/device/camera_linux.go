//go:build linux && !android

package device

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/blackjack/webcam"
)

// Cameras are the device files of cameras, below a folder such as /dev.
func Cameras(dev string) []string {
	names, _ := filepath.Glob(filepath.Join(dev, "video*"))
	slices.Sort(names)
	return names
}

// mjpeg is V4L2's code of motion JPEG (videodev2.h), which cameras send at sizes
// that raw pixels would not fit through USB at.
const mjpeg = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24

// A Camera sends pictures.
type Camera struct {
	path string
	cam  *webcam.Webcam
}

// Open opens a camera, "" for the first one, at the largest size it has up to
// 1920 × 1440. It is an error that says what to do if there is none.
func Open(path string) (*Camera, error) {
	paths := []string{path}
	if path == "" {
		if paths = Cameras("/dev"); len(paths) == 0 {
			return nil, &CameraError{Why: "absent"}
		}
	}
	var first error
	for _, p := range paths {
		c, err := open(p)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func open(path string) (*Camera, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, &CameraError{Why: "absent", Path: path, Err: err}
	}
	cam, err := webcam.Open(path)
	if err != nil {
		why := "busy"
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENODEV) {
			why = "absent"
		}
		return nil, &CameraError{Why: why, Path: path, Err: err}
	}
	if _, ok := cam.GetSupportedFormats()[mjpeg]; !ok {
		cam.Close()
		return nil, &CameraError{Why: "no_mjpeg", Path: path, Err: errors.New("it sends no JPEG")}
	}
	var w, h uint32 = 640, 480
	for _, s := range cam.GetSupportedFrameSizes(mjpeg) {
		if s.MaxWidth <= 1920 && s.MaxHeight <= 1440 && s.MaxWidth*s.MaxHeight > w*h {
			w, h = s.MaxWidth, s.MaxHeight
		}
	}
	if _, _, _, err := cam.SetImageFormat(mjpeg, w, h); err != nil {
		cam.Close()
		return nil, &CameraError{Why: "busy", Path: path, Err: err}
	}
	if err := cam.StartStreaming(); err != nil {
		cam.Close()
		return nil, &CameraError{Why: "busy", Path: path, Err: err}
	}
	return &Camera{path, cam}, nil
}

// Frame waits for the next whole picture, a JPEG.
func (c *Camera) Frame(ctx context.Context) ([]byte, error) {
	for tries := 0; ; tries++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := c.cam.WaitForFrame(1)
		var late *webcam.Timeout
		if errors.As(err, &late) && tries < 5 {
			continue
		}
		var frame []byte
		if err == nil {
			frame, err = c.cam.ReadFrame()
		}
		if err == nil && len(frame) == 0 && tries < 30 {
			continue
		}
		if err == nil {
			if frame, err = whole(frame); err == nil {
				return frame, nil
			}
			if tries < 30 {
				continue
			}
		}
		return nil, &CameraError{Why: "no_frame", Path: c.path, Err: err}
	}
}

// Close lets the camera go, and its light go out.
func (c *Camera) Close() error {
	_ = c.cam.StopStreaming() // the camera may have been pulled out
	return c.cam.Close()
}
