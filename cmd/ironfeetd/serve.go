package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
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
	TLSRoot bool   `name:"tls-root" help:"Encrypt under the county's own root, which every invitation names; without --tls-cert this is so on every address but this machine's own."`
	Monitor string `help:"Address for /metrics, /healthz and /readyz, such as 127.0.0.1:9642; none if empty." placeholder:"ADDR"`
	Verbose bool   `help:"Log every request: method, route, status, time; nothing of what it holds."`

	ConsoleFlags
	UpkeepFlags
}

// A ListenError says why the server cannot listen.
type ListenError struct {
	Address string
	Why     string // busy, half_tls
	Err     error
}

func (e *ListenError) Error() string {
	switch e.Why {
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

// gcPercent keeps small what a burst of bundles leaves behind: under eight tablets that
// push twenty visits a bundle 6 MB less at the peak, for a twentieth of the computing
// time. GOGC overrules it.
const gcPercent = 60

func (c *ServeCmd) Run(o *Output) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return &ListenError{Address: c.Listen, Why: "half_tls"}
	case err != nil:
		return &ListenError{Address: c.Listen, Why: "busy", Err: err}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	upgraded, err := beforeUpgrade(world.Real(), c.Data, programVersion())
	if err != nil {
		return err
	}
	of, err := office.Open(ctx, world.Real(), c.Data)
	if err != nil {
		return err
	}
	defer of.Close()
	log := c.log(o)
	server, err := newServer(of, log)
	if err != nil {
		return err
	}
	h := server.HTTP()
	secure, err := c.encrypt(h, of, host)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return &ListenError{Address: c.Listen, Why: "busy", Err: err}
	}
	stopHouse, err := c.house(ctx, o, of, server, h, secure, upgraded, log)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer stopHouse()
	ended := make(chan error, 2)
	if c.Monitor != "" {
		watch, err := net.Listen("tcp", c.Monitor)
		if err != nil {
			return errors.Join(&ListenError{Address: c.Monitor, Why: "busy", Err: err}, listener.Close())
		}
		m := &http.Server{Handler: server.Monitor(), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10}
		defer m.Close()
		go func() { ended <- m.Serve(watch) }()
		fmt.Fprintf(o.Out, "monitored on http://%s/metrics\n", watch.Addr())
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	go func() {
		if secure {
			ended <- h.ServeTLS(listener, "", "")
		} else {
			ended <- h.Serve(listener)
		}
	}()
	fmt.Fprintf(o.Out, "listening on %s%s\n", scheme, listener.Addr())
	log.Info("started", "address", listener.Addr().String(), "tls", secure)
	select {
	case err := <-ended:
		return fmt.Errorf("the server ended: %w", err)
	case <-ctx.Done():
	}
	// What was begun is finished; what comes now is told to come again.
	server.Stop()
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if err := h.Shutdown(last); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("requests were still running after %s: %w", grace, err)
	}
	log.Info("stopped")
	fmt.Fprintln(o.Out, "stopped")
	return nil
}

// log writes for the operator and names nobody: routes, counts, reasons.
func (c ServeCmd) log(o *Output) *slog.Logger {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(o.Err, &slog.HandlerOptions{Level: level}))
}

// encrypt gives the server its certificate: from files, or under the county's own
// root. Without one it serves this machine only.
func (c *ServeCmd) encrypt(h *http.Server, of *office.Office, host string) (secure bool, err error) {
	here := host == "localhost" || net.ParseIP(host).IsLoopback()
	var certificate tls.Certificate
	switch {
	case c.TLSCert != "":
		if certificate, err = tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return false, &FileError{File: c.TLSCert, Why: "unreadable", Err: err}
		}
	case c.TLSRoot || !here:
		if certificate, err = of.ServerCertificate(context.Background()); err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	h.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13}
	return true, nil
}
