package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"

	"ironfeet/app/casework/office"
	"ironfeet/app/console"
	"ironfeet/app/export"
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
func (c *ConsoleFlags) openConsole(o *Output, of *office.Office, server *county.Server, book *audit.Log, secure bool, log *slog.Logger) (*console.Console, error) {
	kinds, err := c.read(o, of)
	if err != nil {
		return nil, err
	}
	return console.New(console.Options{Office: of, Server: server, Audit: book, Kinds: kinds, Address: c.Public, Secure: secure, Log: log})
}

// house adds to a running server what the county's people need: the audit log, the
// console, backups and whatever else is done by itself. What it returns ends it all
// and lets others witness the audit log as it then is.
func (c *ServeCmd) house(ctx context.Context, o *Output, of *office.Office, server *county.Server, h *http.Server, secure bool, upgraded string, log *slog.Logger) (func(), error) {
	book, err := openAudit(ctx, of)
	if err != nil {
		return nil, err
	}
	if upgraded != "" {
		if _, err := book.Append(ctx, audit.Act{Actor: "server", Action: audit.Upgrade, Object: programVersion(), Detail: map[string]string{"copy": upgraded}}); err != nil {
			return nil, errors.Join(err, book.Close())
		}
	}
	desk := &export.Desk{World: of.World, Replica: of.Replica, Audit: book, NodeKey: of.NodeKey, Root: of.Root, Dir: of.Dir}
	var web *console.Console
	if !c.NoConsole {
		if web, err = c.openConsole(o, of, server, book, secure, log); err != nil {
			return nil, errors.Join(err, book.Close())
		}
		desk = web.Desk
		h.Handler = web.Beside(h.Handler)
	}
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	keep := &upkeep{UpkeepFlags: c.UpkeepFlags, office: of, audit: book, desk: desk, log: log}
	work.Go(func() { keep.run(ctx) })
	return func() {
		cancel()
		work.Wait()
		if web != nil {
			web.Close()
		}
		if n, err := book.Size(context.Background()); err == nil && n > 0 {
			if err := book.Witness(context.Background(), of.Replica); err != nil {
				log.Error("audit checkpoint not written", "error", err.Error())
			}
		}
		_ = book.Close() // every entry was durable when it was written
	}, nil
}
