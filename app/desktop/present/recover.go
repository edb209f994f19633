package present

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"rsc.io/qr"

	"ironfeet/app/desktop/device"
	"ironfeet/app/words"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// A Recovery is what a person who forgot the PIN hands to the county.
type Recovery struct {
	Request string // the text
	Check   string // six digits, to compare over the telephone
	Picture []byte // of the text as a QR code, PNG
}

// AskRecovery makes a person's request, or shows the one that was made.
func AskRecovery(w world.World, dir string, person vault.PersonInfo) (Recovery, error) {
	v, err := vault.Open(w, dir)
	if err != nil {
		return Recovery{}, err
	}
	request, err := v.AskRecovery(person.ID)
	if err != nil {
		return Recovery{}, err
	}
	who, err := vault.ReadRecovery(request)
	if err != nil {
		return Recovery{}, err
	}
	code, err := qr.Encode(string(request), qr.L)
	if err != nil {
		return Recovery{}, fmt.Errorf("draw the request: %w", err)
	}
	code.Scale = 3
	return Recovery{string(request), who.Check, code.PNG()}, nil
}

// maxAnswer bounds a file with the county's answer.
const maxAnswer = 64 << 10

// AnswerFrom reads the county's answer from a file: its text, or a picture of that as
// a QR code.
func AnswerFrom(name string, open func() (io.ReadCloser, error)) (string, error) {
	r, err := open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	if slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(name))) {
		return device.ReadCode(r)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxAnswer))
	return strings.TrimPrefix(string(data), "\ufeff"), err
}

// A TwiceError means that a new PIN was not typed the same twice.
type TwiceError struct{}

func (*TwiceError) Error() string { return "the two PINs differ" }

// Code is the key of the sentence.
func (*TwiceError) Code() string { return "app.recover_other" }

// Recover takes the county's answer and a new PIN, typed twice, and unlocks with it.
// What fails leaves request and answer good for another try.
func Recover(ctx context.Context, w world.World, dir string, person vault.PersonInfo, answer, pin, again string, say *words.Speaker) (*Session, error) {
	if pin != again {
		return nil, &TwiceError{}
	}
	v, err := vault.Open(w, dir)
	if err != nil {
		return nil, err
	}
	keys, err := v.Recover([]byte(strings.TrimSpace(answer)+"\n"), pin)
	if err != nil {
		return nil, err
	}
	keys.Lock()
	return Unlock(ctx, w, dir, person, pin, say)
}
