package county

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How often one machine may ask. A tablet that syncs makes a few requests a second;
// a township that empties a stick some hundred. Strangers may only ask about
// invitations, and slowly: a token has 60 bits.
const (
	nodeRate, nodeBurst         = 1000, 4000
	strangerRate, strangerBurst = 2, 20

	// maxLimiters bounds memory. Beyond it all are forgotten, which is generous to
	// everybody once.
	maxLimiters = 20_000

	// largeBody is from where on only a few requests are read at once, so that memory
	// stays flat whatever comes.
	largeBody   = 2 << 20
	largeBodies = 2
)

// limiters are one a key: a node's id, or a stranger's address.
type limiters struct {
	rate  rate.Limit
	burst int

	mu   sync.Mutex
	list map[string]*rate.Limiter
}

// allow says whether this one may ask now.
func (l *limiters) allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil || len(l.list) > maxLimiters {
		l.list = map[string]*rate.Limiter{}
	}
	limiter := l.list[key]
	if limiter == nil {
		limiter = rate.NewLimiter(l.rate, l.burst)
		l.list[key] = limiter
	}
	return limiter.AllowN(now, 1)
}

// address is where a stranger calls from: IPv6 by its network, of which one caller
// has all.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
