// Package peer knows who sent a request: its address, its network, and the id
// that the request has in logs, errors and the audit trail.
package peer

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

// Peer is the sender of one request.
type Peer struct {
	Addr      netip.Addr // invalid if it could not be told
	RequestID string     // 26 characters
	UserAgent string     // at most 256 bytes
	TraceID   string     // the trace it says it belongs to, 32 hexadecimal digits; empty: none
}

// Network is the address cut to /24 (IPv4) or /48 (IPv6), or "" if unknown.
func (p Peer) Network() string {
	if !p.Addr.IsValid() {
		return ""
	}
	bits := 24
	if p.Addr.Is6() {
		bits = 48
	}
	return netip.PrefixFrom(p.Addr, bits).Masked().String()
}

// Key finds the *Visit of a context.
type Key struct{}

// From returns the peer that Identify put into the context; the zero Peer
// outside a request.
func From(ctx context.Context) Peer {
	if v, ok := ctx.Value(Key{}).(*Visit); ok {
		return v.Peer
	}
	return Peer{}
}

// Visit is what a context keeps of one request: one value for all of it, because
// every request makes it and looks for it.
type Visit struct {
	Peer
	note   Note
	header [1]string
}

// With returns a context that carries p.
func With(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, Key{}, &Visit{Peer: p})
}

// Identify wraps next so that From knows the peer, and answers with the
// X-Request-Id header. Forwarded addresses are believed only from the trusted
// proxies. A request that has a peer already keeps it.
func Identify(trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx := Enter(w, r, trusted); ctx != r.Context() {
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// Enter is [Identify] for a handler that puts more into the context, which would
// copy the request once for each thing.
func Enter(w http.ResponseWriter, r *http.Request, trusted []netip.Prefix) context.Context {
	if Known(r.Context()) {
		return r.Context()
	}
	v := new(Visit)
	v.Begin(w, r, trusted)
	return context.WithValue(r.Context(), Key{}, v)
}

// Known reports whether the context is of a request that was identified.
func Known(ctx context.Context) bool {
	v, ok := ctx.Value(Key{}).(*Visit)
	return ok && v.RequestID != ""
}

// Begin is [Identify] for whoever makes a context of its own, in which Key finds v.
func (v *Visit) Begin(w http.ResponseWriter, r *http.Request, trusted []netip.Prefix) {
	v.Peer = Of(r, trusted)
	v.header[0] = v.RequestID
	w.Header()["X-Request-Id"] = v.header[:]
}

// Of finds out the peer of a request that Identify has not seen, with a new id.
func Of(r *http.Request, trusted []netip.Prefix) Peer {
	return Peer{
		Addr: addr(r, trusted), RequestID: newID(), UserAgent: r.UserAgent()[:min(len(r.UserAgent()), 256)],
		TraceID: traceID(r.Header["Traceparent"]),
	}
}

// traceID reads the header traceparent (W3C Trace Context §3.2), version-trace-
// parent-flags. What is not as it should be counts as not sent (§3.2.2.3).
func traceID(parents []string) string {
	if len(parents) != 1 {
		return ""
	}
	p := parents[0]
	if len(p) < 55 || p[2] != '-' || p[35] != '-' || p[52] != '-' || p[:2] == "ff" || len(p) > 55 && (p[:2] == "00" || p[55] != '-') {
		return ""
	}
	version, trace, parent, flags := p[:2], p[3:35], p[36:52], p[53:55]
	if strings.Trim(version+trace+parent+flags, "0123456789abcdef") != "" || strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return ""
	}
	return trace
}

// addr walks X-Forwarded-For from the right for as long as the hop is trusted.
func addr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	at := ap.Addr().Unmap().WithZone("")
	if !contains(trusted, at) {
		return at
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(trusted, at); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		at = hop.Unmap().WithZone("")
	}
	return at
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
