package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// serverProcess is a real county server: this same program, started as a child.
type serverProcess struct {
	cmd     *exec.Cmd
	Address string // http://127.0.0.1:port
	done    chan error
}

// thisProgram is what is started as the server.
var thisProgram = os.Executable

// startServer starts `ironfeetd serve` and waits until it says that it listens.
func startServer(ctx context.Context, data, listen, log string, more ...string) (*serverProcess, error) {
	program, err := thisProgram()
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close() // the child has its own
	p := &serverProcess{cmd: exec.Command(program, append([]string{"serve", "--data", data, "--listen", listen}, more...)...), done: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), asProgram+"=1")
	p.cmd.Stderr = logFile
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	said := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if address, ok := strings.CutPrefix(lines.Text(), "listening on "); ok {
				said <- address
			}
		}
		p.done <- p.cmd.Wait()
	}()
	select {
	case p.Address = <-said:
		return p, nil
	case err := <-p.done:
		return nil, fmt.Errorf("the server ended before it listened (see %s): %w", log, errors.Join(err, errors.New("no address")))
	case <-time.After(30 * time.Second):
		p.kill()
		return nil, fmt.Errorf("the server does not say where it listens (see %s)", log)
	case <-ctx.Done():
		p.kill()
		return nil, ctx.Err()
	}
}

// asProgram makes a test binary behave as the program itself.
const asProgram = "IRONFEETD_AS_PROGRAM"

// stop asks the server to end and waits until it has finished what it acknowledged.
// Windows cannot ask another process; there it is ended as a power cut would, which
// loses nothing acknowledged either.
func (p *serverProcess) stop() error {
	err := p.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, errors.ErrUnsupported) {
		p.kill()
		<-p.done
		return nil
	}
	if err != nil {
		return err
	}
	select {
	case err := <-p.done:
		return err
	case <-time.After(30 * time.Second):
		p.kill()
		return errors.New("the server did not stop within 30 s of SIGTERM")
	}
}

func (p *serverProcess) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
}
