package main

import (
	"context"
	"log/slog"

	"ironfeet/app/casework/office"
	"ironfeet/app/console"
	"ironfeet/store/audit"
	"ironfeet/sync/county"
)

// ConsoleFlags are how the web console is served beside the county's server.
type ConsoleFlags struct {
	KindsFlag
	NoConsole bool   `name:"no-console" help:"Serve tablets and townships only, no web console."`
	Public    string `help:"Where tablets reach this server, offered in invitations." placeholder:"URL"`
}

// openConsole makes the console of an office whose server runs.
func (c *ConsoleFlags) openConsole(ctx context.Context, o *Output, of *office.Office, server *county.Server, secure bool, log *slog.Logger) (*console.Console, *audit.Log, error) {
	kinds, err := c.read(o)
	if err != nil {
		return nil, nil, err
	}
	book, err := openAudit(ctx, of)
	if err != nil {
		return nil, nil, err
	}
	made, err := console.New(console.Options{Office: of, Server: server, Audit: book, Kinds: kinds, Address: c.Public, Secure: secure, Log: log})
	if err != nil {
		book.Close()
		return nil, nil, err
	}
	return made, book, nil
}
