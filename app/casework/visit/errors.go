package visit

import (
	"fmt"
	"strings"
)

// A NotYetError lists what is missing before a visit can be confirmed or signed.
type NotYetError struct{ Reasons []Reason }

func (e *NotYetError) Error() string {
	codes := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		codes[i] = r.Code
		if r.Count > 0 {
			codes[i] += fmt.Sprintf(" (%d)", r.Count)
		}
		if len(r.Paths) > 0 {
			codes[i] += ": " + strings.Join(r.Paths[:min(5, len(r.Paths))], ", ")
		}
	}
	return "the visit cannot be signed yet: " + strings.Join(codes, "; ")
}

// Code is the key of the sentence.
func (e *NotYetError) Code() string { return "visit.not_yet" }

// A NoLastError means there is no value of last time to confirm.
type NoLastError struct{ Path string }

func (e *NoLastError) Error() string {
	return e.Path + ": nothing is known from last time; give an answer"
}

// Code is the key of the sentence.
func (e *NoLastError) Code() string { return "visit.no_last" }

// A PhotoError means a file was not taken as a photo.
type PhotoError struct {
	Why  string // too_large, no_photo, heic, too_many_pixels, too_many
	Size int64
}

func (e *PhotoError) Error() string {
	switch e.Why {
	case "too_large":
		return fmt.Sprintf("the photo is larger than %d MB", MaxPhotoBytes>>20)
	case "heic":
		return "the file is a HEIC picture, which cannot be read here; let the camera write JPEG"
	case "too_many":
		return fmt.Sprintf("one question takes at most %d photos", MaxPhotos)
	case "too_many_pixels":
		return fmt.Sprintf("the photo has more than %d million pixels", MaxPhotoPixels/1_000_000)
	}
	return "the file is not a JPEG or PNG picture"
}

// Code is the key of the sentence.
func (e *PhotoError) Code() string { return "visit.photo_" + e.Why }

// A SignatureError means that a way of signing lacks what belongs to it.
type SignatureError struct{ Mode, Why string }

func (e *SignatureError) Error() string {
	return fmt.Sprintf("signature %q: %s", e.Mode, strings.ReplaceAll(e.Why, "_", " "))
}

// Code is the key of the sentence.
func (e *SignatureError) Code() string { return "visit.signature_" + e.Why }
