package world

import "errors"

// Keyring is where the operating system keeps secrets for a person who is logged
// in: away from the data folder, so that whoever takes the folder does not have
// them.
type Keyring interface {
	Get(name string) (string, error) // ErrNoSecret if there is none of that name
	Set(name, secret string) error
	Delete(name string) error
}

// ErrNoSecret means a keyring holds nothing under a name.
var ErrNoSecret = errors.New("the keyring holds no such secret")
