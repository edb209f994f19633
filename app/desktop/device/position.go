package device

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"time"
)

// A Position as a receiver of GPS or BeiDou gives it, WGS 84.
type Position struct {
	Latitude, Longitude, Altitude float64
	Accuracy                      float64 // metres, 95 %; 0 if it does not say
	Time                          time.Time
}

// Text is the position as forms keep it: latitude, longitude, altitude, accuracy.
func (p Position) Text() string {
	f := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	return f(p.Latitude, 6) + " " + f(p.Longitude, 6) + " " + f(p.Altitude, 1) + " " + f(p.Accuracy, 1)
}

// A PositionError says why there is no position.
type PositionError struct {
	Why string // absent, no_fix
	Err error
}

func (e *PositionError) Error() string {
	if e.Why == "no_fix" {
		return "the receiver has no position yet; go under the open sky, or leave it out"
	}
	return fmt.Sprintf("no receiver of positions answers; leave it out or type it: %v", e.Err)
}

func (e *PositionError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *PositionError) Code() string { return "device.position_" + e.Why }

// maxReport bounds a line and maxReports the lines that gpsd is listened to.
const (
	maxReport  = 64 << 10
	maxReports = 2000
)

// Locate asks gpsd at an address for the next position that has a fix, until the
// context ends (gpsd_json(5), classes TPV and WATCH).
func Locate(ctx context.Context, address string) (Position, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return Position{}, &PositionError{"absent", err}
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := io.WriteString(c, `?WATCH={"enable":true,"json":true};`+"\n"); err != nil {
		return Position{}, &PositionError{"absent", err}
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(make([]byte, 0, 4096), maxReport)
	heard := false
	for range maxReports {
		if !lines.Scan() {
			break
		}
		if p, class, ok := readReport(lines.Bytes()); ok {
			return p, nil
		} else if class != "" {
			heard = true
		}
	}
	if heard {
		return Position{}, &PositionError{"no_fix", ctx.Err()}
	}
	return Position{}, &PositionError{"absent", lines.Err()}
}

// readReport reads one line of gpsd; ok when it is a position with a fix.
func readReport(line []byte) (p Position, class string, ok bool) {
	var r struct {
		Class    string   `json:"class"`
		Mode     int      `json:"mode"`
		Lat      *float64 `json:"lat"`
		Lon      *float64 `json:"lon"`
		Alt      float64  `json:"alt"`
		AltHAE   float64  `json:"altHAE"`
		EPH      float64  `json:"eph"`
		EPX, EPY float64
		Time     time.Time `json:"time"`
	}
	if json.Unmarshal(line, &r) != nil {
		return p, "", false
	}
	if r.Class != "TPV" || r.Mode < 2 || r.Lat == nil || r.Lon == nil || math.Abs(*r.Lat) > 90 || math.Abs(*r.Lon) > 180 {
		return p, r.Class, false
	}
	p = Position{Latitude: *r.Lat, Longitude: *r.Lon, Altitude: r.Alt, Accuracy: r.EPH, Time: r.Time}
	if p.Altitude == 0 {
		p.Altitude = r.AltHAE
	}
	if p.Accuracy == 0 {
		p.Accuracy = math.Max(r.EPX, r.EPY)
	}
	return p, r.Class, true
}
