package accounts

import (
	"crypto/sha256"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// Binding says how tightly a session is tied to the machine and the browser it
// was made in.
type Binding string

const (
	// BindingOff ties it to nothing: whoever has the cookie has the session.
	BindingOff Binding = "off"
	// BindingStandard ends it without the device cookie it was made with. In
	// another family of browser or operating system it goes stale: the person
	// signs in anew before anything sensitive. Updates and other networks change
	// nothing.
	BindingStandard Binding = "standard"
	// BindingNetwork adds to that: in another network (/24 or /48) it goes stale.
	BindingNetwork Binding = "network"
	// BindingStrict ends it at any other address or user agent, remembered or
	// not. For kiosks and administrators' networks; it ends sessions of phones.
	BindingStrict Binding = "strict"
)

func (b Binding) valid() bool {
	switch b {
	case BindingOff, BindingStandard, BindingNetwork, BindingStrict:
		return true
	}
	return false
}

// surroundings are where a request comes from.
type surroundings struct {
	device        oauth.Hash // zero: no device cookie
	agent, system string
	network       string
	exact         oauth.Hash
}

func surround(p peer.Peer, device oauth.Hash) surroundings {
	agent, system := parseAgent(p.UserAgent)
	return surroundings{device: device, agent: agent, system: system, network: p.Network(),
		exact: sha256.Sum256([]byte(p.Addr.String() + "\n" + p.UserAgent))}
}

// A verdict is what becomes of a session in the surroundings it is used in,
// with a clause that says why.
type verdict struct {
	end, stale string // at most one is not empty
}

func (b Binding) judge(s *Session, now surroundings) verdict {
	switch {
	case b == BindingOff:
		return verdict{}
	case b == BindingStrict && !s.Exact.Equal(now.exact):
		return verdict{end: "it was used from another address or browser"}
	case !s.Device.Equal(now.device):
		return verdict{end: "it was used without its device cookie"}
	case s.Agent != now.agent || s.System != now.system:
		return verdict{stale: "it was used in another browser or operating system"}
	case b == BindingNetwork && s.Network != now.network:
		return verdict{stale: "it was used from another network"}
	}
	return verdict{}
}
