package device

import (
	"net"
	"slices"
	"strings"
)

// Networks are the addresses by which this machine could reach somebody, in one text
// that is other when a network came or went; "" where there is none, or the system
// does not tell (Android).
func Networks() string {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var out []string
	for _, a := range list {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			out = append(out, ip.String())
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}
