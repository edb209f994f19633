package visit

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"ironfeet/store"
)

// What an answer is, where it is no picture.
const (
	Audio    = "audio"
	Video    = "video"
	Document = "file"
)

// MaxPhotos bounds the pictures of one question.
const MaxPhotos = 40

// Origin is where a picture comes from, as far as somebody knows.
type Origin struct {
	Shot           string // when the camera says it was taken, ISO 8601
	Place, PlaceBy string // "latitude longitude altitude accuracy"; exif, gpsd, hand
	Original       int64  // bytes before it was made smaller
}

// AddPhoto stores a picture as a further answer of an image question. The picture
// is durable when AddPhoto returns; one that cannot be shown is refused.
func (v *Visit) AddPhoto(ctx context.Context, path string, photo io.Reader) (Photo, error) {
	return v.AddPhotoFrom(ctx, path, photo, Origin{})
}

// AddPhotoFrom is AddPhoto with what is known of the picture.
func (v *Visit) AddPhotoFrom(ctx context.Context, path string, photo io.Reader, o Origin) (Photo, error) {
	ref, err := v.picture(ctx, photo)
	if err != nil {
		return Photo{}, err
	}
	return v.add(ctx, path, Photo{Digest: ref.Digest, Size: ref.Size, Shot: o.Shot, Place: o.Place, PlaceBy: o.PlaceBy, Original: o.Original})
}

// AddFile stores a sound, a film or a document as the answer of a question of that
// type; name is the file's own.
func (v *Visit) AddFile(ctx context.Context, path, name string, file io.Reader) (Photo, error) {
	n, ok := v.Entry.Node(path)
	if !ok || !slices.Contains([]string{Audio, Video, Document}, n.Type) {
		return Photo{}, &ExcuseError{path, "no_question"}
	}
	ref, err := v.desk.Replica.PutBlob(ctx, file, MaxPhotoBytes)
	if err != nil {
		return Photo{}, err
	}
	return v.add(ctx, path, Photo{Digest: ref.Digest, Size: ref.Size, Kind: n.Type, Name: filepath.Base(name)})
}

func (v *Visit) add(ctx context.Context, path string, p Photo) (Photo, error) {
	if n, ok := v.Entry.Node(path); ok {
		path = n.Path
	}
	p.Path, p.Taken = path, v.desk.World.Now().UnixMilli()
	list := v.extra.Photos[path]
	if slices.ContainsFunc(list, func(old Photo) bool { return old.Digest == p.Digest }) {
		return p, nil // the same picture again says nothing new
	}
	if len(list) >= MaxPhotos {
		return p, &PhotoError{Why: "too_many"}
	}
	return p, v.photograph(ctx, path, append(slices.Clone(list), p))
}

// RemovePhoto takes a picture out of the visit, such as one that is blurred. The
// file itself goes when nothing names it any more.
func (v *Visit) RemovePhoto(ctx context.Context, path string, d store.Digest) error {
	if n, ok := v.Entry.Node(path); ok {
		path = n.Path
	}
	return v.photograph(ctx, path, slices.DeleteFunc(slices.Clone(v.extra.Photos[path]), func(p Photo) bool { return p.Digest == d }))
}

// photograph makes these the pictures of a question, whose answer names them.
func (v *Visit) photograph(ctx context.Context, path string, list []Photo) error {
	if _, err := v.Entry.Set(path, named(list)); err != nil {
		return err
	}
	if v.extra.Photos == nil {
		v.extra.Photos = map[string][]Photo{}
	}
	v.extra.Photos[path] = list
	if len(list) == 0 {
		delete(v.extra.Photos, path)
	}
	delete(v.extra.Excused, path)
	v.watchClock()
	v.unseal()
	return v.save(ctx)
}

// named is the answer that names pictures and files, as ODK names attachments.
func named(list []Photo) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.Digest.String() + ".jpg"
		if p.Kind != "" {
			names[i] = p.Digest.String() + strings.ToLower(strings.ReplaceAll(filepath.Ext(p.Name), " ", ""))
		}
	}
	return strings.Join(names, " ")
}

// picture stores a JPEG or PNG as a blob.
func (v *Visit) picture(ctx context.Context, r io.Reader) (store.BlobRef, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxPhotoBytes+1))
	if err != nil {
		return store.BlobRef{}, fmt.Errorf("read the photo: %w", err)
	}
	if err := CheckPicture(data); err != nil {
		return store.BlobRef{}, err
	}
	return v.desk.Replica.PutBlob(ctx, bytes.NewReader(data), MaxPhotoBytes)
}

// CheckPicture says why a file cannot be taken as a picture, without decoding its
// pixels.
func CheckPicture(data []byte) error {
	size := int64(len(data))
	switch {
	case size > MaxPhotoBytes:
		return &PhotoError{Why: "too_large", Size: size}
	case IsHEIC(data):
		return &PhotoError{Why: "heic", Size: size}
	}
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return &PhotoError{Why: "no_photo", Size: size}
	}
	if int64(config.Width)*int64(config.Height) > MaxPhotoPixels {
		return &PhotoError{Why: "too_many_pixels", Size: size}
	}
	return nil
}

// IsHEIC knows the pictures of newer phones (ISO/IEC 23008-12) by how the file begins.
func IsHEIC(data []byte) bool {
	if len(data) < 12 || string(data[4:8]) != "ftyp" {
		return false
	}
	return slices.Contains([]string{"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1", "avif"}, string(data[8:12]))
}

// Photos are the pictures and files added so far, by path of their question.
func (v *Visit) Photos() map[string][]Photo { return v.extra.Photos }

// Shots counts the pictures and files of the visit.
func (v *Visit) Shots() (n int) {
	for _, list := range v.extra.Photos {
		n += len(list)
	}
	return n
}

// AddTaken makes a picture that the replica has taken in already (store.PutPhoto)
// a further answer of an image question.
func (v *Visit) AddTaken(ctx context.Context, path string, p store.Photo, o Origin) (Photo, error) {
	if o.Shot == "" {
		o.Shot = p.Taken
	}
	if o.Place == "" && p.Place != nil {
		o.Place, o.PlaceBy = fmt.Sprintf("%.6f %.6f 0 0", p.Place.Latitude, p.Place.Longitude), "exif"
	}
	return v.add(ctx, path, Photo{
		Digest: p.Digest, Size: p.Size, Shot: o.Shot, Place: o.Place, PlaceBy: o.PlaceBy, Original: p.Original.Size,
	})
}
