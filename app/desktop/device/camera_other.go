//go:build !linux || android

package device

import "context"

// Cameras are not listed on this system.
func Cameras(string) []string { return nil }

// A Camera sends pictures.
type Camera struct{}

// Open says that the camera cannot be used here.
func Open(string) (*Camera, error) { return nil, &CameraError{Why: "not_here"} }

// Frame says that the camera cannot be used here.
func (*Camera) Frame(context.Context) ([]byte, error) { return nil, &CameraError{Why: "not_here"} }

// Close does nothing.
func (*Camera) Close() error { return nil }
