package present

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"ironfeet/app/desktop/device"
	"ironfeet/sync/trust"
)

// maxInvitation bounds a text file with an invitation.
const maxInvitation = 4 << 10

// InvitationFrom reads an invitation's code from a file: a text that holds it, or a
// picture of its QR code.
func InvitationFrom(name string, open func() (io.ReadCloser, error)) (string, error) {
	r, err := open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	if slices.Contains([]string{".png", ".jpg", ".jpeg"}, strings.ToLower(filepath.Ext(name))) {
		text, err := device.ReadCode(r)
		if err != nil {
			return "", err
		}
		return invitationIn(text)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxInvitation+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxInvitation {
		return "", &trust.InvitationError{Why: trust.Mistyped}
	}
	return invitationIn(string(data))
}

// invitationIn finds the line that is a code.
func invitationIn(text string) (string, error) {
	err := error(&trust.InvitationError{Why: trust.Mistyped})
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		var mistyped *trust.InvitationError
		if _, e := trust.ParseCode(line); e == nil {
			return line, nil
		} else if strings.Contains(line, "#") && errors.As(e, &mistyped) {
			err = e
		}
	}
	return "", err
}
