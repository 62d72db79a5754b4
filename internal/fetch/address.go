package fetch

import (
	"fmt"
	"net/netip"
	"strings"
)

// global is where IPv6 addresses of the public internet lie (RFC 4291 §2.4).
var global = netip.MustParsePrefix("2000::/3")

// nat64 holds IPv4 addresses in its last 32 bits (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// special are the networks that the IANA special-purpose address registries (RFC
// 6890) do not call globally reachable, and those that carry other addresses
// inside (6to4, Teredo). IPv6 networks outside of global need no mention.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(text ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(text))
	for i, t := range text {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// plain takes the IPv4 address out of the IPv6 forms that stand for one.
func plain(a netip.Addr) netip.Addr {
	if a = a.Unmap(); nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// public reports whether an address belongs to the public internet.
func public(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	a = plain(a)
	if a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// allowed is what the operator excepts from the rules.
type allowed struct {
	names    map[string]bool // in lower case; addresses in their own spelling
	networks []netip.Prefix
}

// CheckAllow reports which entry of Config.Allow is neither a host name nor an
// address nor a network.
func CheckAllow(entries []string) error {
	for _, e := range entries {
		if _, err := netip.ParsePrefix(e); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(e); err == nil || validName(e) {
			continue
		}
		return fmt.Errorf("%q is neither a host name, nor an address, nor a network such as 10.0.0.0/8", e)
	}
	return nil
}

// allow reads the entries; one that CheckAllow refuses allows nothing.
func allow(entries []string) allowed {
	out := allowed{names: map[string]bool{}}
	for _, e := range entries {
		if p, err := netip.ParsePrefix(e); err == nil {
			out.networks = append(out.networks, p.Masked())
			continue
		}
		out.names[strings.ToLower(e)] = true
	}
	return out
}

func (al allowed) address(a netip.Addr) bool {
	if a.Zone() != "" {
		return false
	}
	for _, p := range al.networks {
		if p.Contains(a.Unmap()) || p.Contains(plain(a)) {
			return true
		}
	}
	return false
}

// validName: labels of letters, digits, hyphens and underscores. The last one is
// no number: 2130706433, 0x7f.1 and 127.1 are addresses to some readers (WHATWG
// URL §3.5), and a name with a dot at its end is another name to some.
func validName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(name) <= 253 && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(strings.ToLower(last), "0x")
}

// ipv4First orders addresses so that the one that most servers have a route to
// is tried first; within a family the resolver's order stays.
func ipv4First(a, b netip.Addr) int {
	family := func(a netip.Addr) int {
		if a.Unmap().Is4() {
			return 4
		}
		return 6
	}
	return family(a) - family(b)
}

// badPort: what answers there speaks something else than HTTP, and could take
// the bytes of a request for its own (WHATWG Fetch §2.9, and the usual ports of
// databases and of machines' own interfaces).
func badPort(port uint16) bool {
	if port < 1024 {
		return port != 80 && port != 443
	}
	for _, bad := range others {
		if port == bad {
			return true
		}
	}
	return false
}

var others = []uint16{
	1433, 1521, 1719, 1720, 1723, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432, 5672,
	5900, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9042, 9092, 9100, 9200, 9300, 10080, 10250, 11211, 27017,
}
