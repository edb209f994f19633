//go:build drive

package device

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Debian's gpsfake plays a receiver's sentences into the real gpsd, which is asked as
// a tablet's would be. Run by make test-app.
func TestAPositionFromTheRealGPSD(t *testing.T) {
	if os.Getenv("IRONFEET_BUILD") == "" {
		t.Skip("run by make test-app")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	log := filepath.Join(t.TempDir(), "village.nmea")
	require.NoError(t, os.WriteFile(log, []byte(nmea), 0o644))
	fake := exec.Command("gpsfake", "-q", "-c", "0.1", "-P", port, log)
	fake.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // gpsd is a child of it, and ends with it
	require.NoError(t, fake.Start())
	t.Cleanup(func() { _ = syscall.Kill(-fake.Process.Pid, syscall.SIGKILL); _, _ = fake.Process.Wait() })
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var p Position
	for {
		if p, err = Locate(ctx, address); err == nil || ctx.Err() != nil {
			break
		}
		time.Sleep(300 * time.Millisecond)
	}
	require.NoError(t, err)
	require.InDelta(t, 23.1094, p.Latitude, 0.001)
	require.InDelta(t, 106.2341, p.Longitude, 0.001)
}

// nmea is a receiver in the fictitious Shangling village: GGA and RMC, with their
// checksums.
const nmea = "$GPGGA,013000.00,2306.5640,N,10614.0460,E,1,08,1.0,310.0,M,-20.0,M,,*4A\r\n" +
	"$GPRMC,013000.00,A,2306.5640,N,10614.0460,E,0.0,0.0,020326,,,A*59\r\n"
