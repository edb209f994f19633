// Package keyring is the system's own store of secrets: the Secret Service of a
// Linux desktop, the Keychain of a Mac, the Credential Manager of Windows.
//
// Only the app asks for it: a server starts without anybody's session. Where there
// is none, the vault keeps its device secret in a file.
package keyring

import (
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"ironfeet/store/world"
)

// patience is how long a service may take: one that asks a person who is not
// there would keep the app from starting.
const patience = 20 * time.Second

const service = "ironfeet"

// System is the system's keyring. Nothing is asked of it before a secret is needed,
// so that no folder that does without makes it ask anybody for a password; where there
// is none, every call fails at once.
func System() world.Keyring { return system{} }

type system struct{}

func (system) Get(name string) (secret string, err error) {
	err = within(func() error { secret, err = keyring.Get(service, name); return err })
	if errors.Is(err, keyring.ErrNotFound) {
		return "", fmt.Errorf("%s: %w", name, world.ErrNoSecret)
	}
	return secret, err
}

func (system) Set(name, secret string) error {
	return within(func() error { return keyring.Set(service, name, secret) })
}

func (system) Delete(name string) error {
	return within(func() error { return keyring.Delete(service, name) })
}

// within runs what may never come back.
func within(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return errors.New("the system's keyring does not answer")
	}
}
