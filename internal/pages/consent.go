package pages

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/valetkey/valetkey/oauth"
)

// Consent asks a person whether an application may act for them. Its form goes
// to POST /oauth/consent with the fields request and confirm ("yes" or "no").
type Consent struct {
	// Request is the id of the authorization request that waits on the server.
	Request string
	Client  *oauth.Client
	// Publisher is the display name of the user who registered the application; empty:
	// the operator did. Users choose their names, so pages say that it is one.
	Publisher string
	// RedirectURI is where the answer will go; the page shows its host.
	RedirectURI string
	// New is what is asked for now, Allowed what this person allowed the
	// application before.
	New, Allowed []oauth.ScopeGroup
	// Resources are the names of what the access is for; empty: this server.
	Resources []string
	// Offline says that access lasts when the person is away (a refresh token).
	Offline bool
	// SwitchAccount is a link to sign in as somebody else; empty: not offered.
	SwitchAccount string
}

func (Consent) Template() string { return "consent.html" }
func (Consent) Title() string    { return "Authorize application" }

// Unchecked reports whether nobody here has looked at the application: it
// registered itself, or its id is a document that describes it.
func (c Consent) Unchecked() bool { return unchecked(c.Client) }

func unchecked(c *oauth.Client) bool { return c.Registration != oauth.RegisteredByHand }

// Anybody reports whether every program on this computer can pass for the
// application: nobody has looked at it, and all its redirect URIs are here.
func (c Consent) Anybody() bool {
	return c.Unchecked() && len(c.Client.RedirectURIs) > 0 && !slices.ContainsFunc(c.Client.RedirectURIs, func(uri string) bool {
		return Consent{RedirectURI: uri}.Destination().Kind != DestinationLocal
	})
}

// FormPost takes an authorization response to the client by a form (OAuth 2.0 Form
// Post Response Mode §2). A script sends it at once; without scripts the person
// presses the button.
type FormPost struct {
	Action string // the redirect URI
	Fields []FormPostField
}

// FormPostField is a parameter of the response.
type FormPostField struct{ Name, Value string }

func (FormPost) Template() string { return "form_post.html" }
func (FormPost) Title() string    { return "Back to the application" }

// DestinationKind tells which sentence describes where the answer goes.
type DestinationKind string

const (
	DestinationWeb    DestinationKind = "web"    // a host on the web
	DestinationLocal  DestinationKind = "local"  // a program on this computer (RFC 8252 §7.3)
	DestinationDevice DestinationKind = "device" // an application on this device, by its own scheme (RFC 8252 §7.1)
)

// Destination is where the answer to a consent page goes, for people to read.
type Destination struct {
	Kind DestinationKind
	Name string // "https://app.example", host in ASCII; or "com.example.app"
}

// Destination reads RedirectURI.
func (c Consent) Destination() Destination {
	u, err := url.Parse(c.RedirectURI)
	if err != nil || u.Scheme == "" {
		return Destination{Kind: DestinationWeb}
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return Destination{Kind: DestinationDevice, Name: u.Scheme}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() == "localhost" || (err == nil && ip.IsLoopback()) {
		return Destination{Kind: DestinationLocal, Name: u.Host}
	}
	// Letters of other alphabets can pass for Latin ones, so the name that
	// counts is the one in ASCII.
	host, err := idna.Lookup.ToASCII(u.Hostname())
	if err != nil {
		host = strings.ToLower(u.Hostname())
	}
	if port := u.Port(); port != "" {
		host += ":" + port
	}
	return Destination{Kind: DestinationWeb, Name: u.Scheme + "://" + host}
}
