package photo

import (
	"bytes"
	"math"
	"time"

	"github.com/bep/imagemeta"
)

// meta is what is read of a photo's EXIF. Whatever is missing or makes no sense is
// left out: a photo is never refused for its metadata.
type meta struct {
	orientation int // 1 to 8, 1 is upright
	taken       string
	place       *Place
}

func readMeta(head []byte) (m meta) {
	m.orientation = 1
	if !bytes.HasPrefix(head, jpegMark) {
		return m
	}
	// The library reads what strangers wrote; a fault of it costs the place, not
	// the photo.
	defer func() {
		if recover() != nil {
			m = meta{orientation: max(m.orientation, 1)}
		}
	}()
	var tags imagemeta.Tags
	wanted := map[string]bool{
		"Orientation": true, "DateTimeOriginal": true, "OffsetTimeOriginal": true,
		"GPSLatitude": true, "GPSLatitudeRef": true, "GPSLongitude": true, "GPSLongitudeRef": true,
	}
	_, _ = imagemeta.Decode(imagemeta.Options{ // what was read before a fault still counts
		R: bytes.NewReader(head), ImageFormat: imagemeta.JPEG, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return wanted[t.Tag] },
		HandleTag:       func(t imagemeta.TagInfo) error { tags.Add(t); return nil },
		LimitNumTags:    2000,
	})
	exif := tags.EXIF()
	if o, ok := exif["Orientation"].Value.(uint16); ok && o >= 1 && o <= 8 {
		m.orientation = int(o)
	}
	m.taken = takenAt(text(exif["DateTimeOriginal"]), text(exif["OffsetTimeOriginal"]))
	if lat, long, err := tags.GetLatLong(); err == nil && (lat != 0 || long != 0) &&
		math.Abs(lat) <= 90 && math.Abs(long) <= 180 { // NaN is neither
		m.place = &Place{lat, long}
	}
	return m
}

func text(t imagemeta.TagInfo) string {
	s, _ := t.Value.(string)
	return s
}

// takenAt reads EXIF's "2026:05:01 09:12:33" and "+08:00".
func takenAt(stamp, offset string) string {
	const exif = "2006:01:02 15:04:05"
	t, err := time.Parse(exif, stamp)
	if err != nil || t.Year() < 1990 {
		return ""
	}
	if zoned, err := time.Parse(exif+"-07:00", stamp+offset); err == nil {
		return zoned.Format("2006-01-02T15:04:05-07:00")
	}
	return t.Format("2006-01-02T15:04:05")
}
