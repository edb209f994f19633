package present

import (
	"context"
	"errors"

	"ironfeet/app/words"
)

// A StickError means that a stick could not be written or read: pulled out, full,
// locked, broken. The system says that in its own words only.
type StickError struct {
	Writing bool
	Err     error
}

func (e *StickError) Error() string { return "the stick: " + e.Err.Error() }
func (e *StickError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *StickError) Code() string {
	if e.Writing {
		return "app.stick_unwritten"
	}
	return "app.stick_unread"
}

// OfStick is an error of work with a stick, with a sentence where it has none.
func OfStick(err error, writing bool) error {
	var coded words.Coded
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &coded) {
		return err
	}
	return &StickError{writing, err}
}
