package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/store/world"
	"ironfeet/sync/county"
)

// ServeCmd serves a county's data folder until it is told to stop.
type ServeCmd struct {
	DataFlag
	Listen  string `default:"127.0.0.1:8642" help:"Address to listen on." placeholder:"ADDR"`
	TLSCert string `name:"tls-cert" type:"existingfile" help:"Certificate chain (PEM)." placeholder:"FILE"`
	TLSKey  string `name:"tls-key" type:"existingfile" help:"Its private key (PEM)." placeholder:"FILE"`

	ConsoleFlags
}

// A ListenError says why the server cannot listen.
type ListenError struct {
	Address string
	Why     string // busy, not_secure, half_tls
	Err     error
}

func (e *ListenError) Error() string {
	switch e.Why {
	case "not_secure":
		return e.Address + ": without a certificate the server listens on this machine only (127.0.0.1)"
	case "half_tls":
		return "--tls-cert and --tls-key belong together"
	}
	return fmt.Sprintf("cannot listen on %s: %v", e.Address, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *ListenError) Code() string { return "serve." + e.Why }

// grace is how long requests that were begun may take to end.
const grace = 20 * time.Second

// newServer makes the server of an open office.
func newServer(of *office.Office, log *slog.Logger) (*county.Server, error) {
	root, err := of.RootKey()
	if err != nil {
		return nil, err
	}
	return county.New(county.Options{
		World: of.World, Replica: of.Replica, Merger: of.Merger, Root: root, NodeKey: of.NodeKey, Dir: filepath.Join(of.Dir), Log: log,
	})
}

func (c *ServeCmd) Run(o *Output) error {
	secure := c.TLSCert != ""
	switch host, _, err := net.SplitHostPort(c.Listen); {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return &ListenError{Address: c.Listen, Why: "half_tls"}
	case err != nil:
		return &ListenError{Address: c.Listen, Why: "busy", Err: err}
	case !secure && host != "localhost" && !net.ParseIP(host).IsLoopback():
		return &ListenError{Address: c.Listen, Why: "not_secure"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	of, err := office.Open(ctx, world.Real(), c.Data)
	if err != nil {
		return err
	}
	defer of.Close()
	server, err := newServer(of, slog.New(slog.NewTextHandler(o.Err, nil)))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return &ListenError{Address: c.Listen, Why: "busy", Err: err}
	}
	h := server.HTTP()
	if !c.NoConsole {
		web, book, err := c.openConsole(ctx, o, of, server, secure, slog.New(slog.NewTextHandler(o.Err, nil)))
		if err != nil {
			return err
		}
		defer book.Close()
		defer web.Close()
		h.Handler = web.Beside(h.Handler)
	}
	ended := make(chan error, 1)
	go func() {
		if secure {
			ended <- h.ServeTLS(listener, c.TLSCert, c.TLSKey)
		} else {
			ended <- h.Serve(listener)
		}
	}()
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	fmt.Fprintf(o.Out, "listening on %s%s\n", scheme, listener.Addr())
	select {
	case err := <-ended:
		return fmt.Errorf("the server ended: %w", err)
	case <-ctx.Done():
	}
	// What was begun is finished; what comes now is told to come again.
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := h.Shutdown(last); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("requests were still running after %s: %w", grace, err)
	}
	fmt.Fprintln(o.Out, "stopped")
	return nil
}
