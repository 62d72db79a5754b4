package pages

import (
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// DeviceInput asks for the code that a device shows (RFC 8628 §3.3). Its form
// goes to POST /device with the field user_code.
type DeviceInput struct {
	Form Form
	// SwitchAccount is a link to sign in as somebody else; empty: not offered.
	SwitchAccount string
}

func (DeviceInput) Template() string { return "device.html" }
func (DeviceInput) Title() string    { return "Sign in a device" }

// DeviceConfirm asks a person whether it is they who wait at the device. Its
// form goes to POST /device/confirm with the fields request and confirm ("yes"
// or "no"), or back.
type DeviceConfirm struct {
	// Request is the id of the request that waits on the server.
	Request string
	Client  *oauth.Client
	// Publisher is the display name of who registered the application; empty: the
	// operator did.
	Publisher string
	UserCode  string // as the device shows it
	AskedAt   time.Time
	// Network and Agent are where the device asked from, as far as is known; what
	// the device says of itself is not to be trusted.
	Network, Agent string
	// Elsewhere says that the device is in another network than this browser.
	Elsewhere bool
	Scopes    []oauth.ScopeGroup
	Resources []string // what the services are called that it may use
	// Offline says that access lasts when the person is away (a refresh token).
	Offline bool
}

func (DeviceConfirm) Template() string { return "device_confirm.html" }
func (DeviceConfirm) Title() string    { return "Is this you?" }

// Unchecked reports whether nobody here has looked at the application.
func (d DeviceConfirm) Unchecked() bool { return unchecked(d.Client) }

// Host is the host of the application's website; empty if it has none, or nobody
// has looked whether it is the application's.
func (d DeviceConfirm) Host() string {
	to := Consent{RedirectURI: d.Client.Website}.Destination()
	if d.Client.Website == "" || d.Unchecked() || to.Kind != DestinationWeb {
		return ""
	}
	return strings.TrimPrefix(to.Name, "https://")
}

// DeviceDone says what became of the device.
type DeviceDone struct {
	Client  *oauth.Client
	Allowed bool
}

func (DeviceDone) Template() string { return "device_done.html" }
func (d DeviceDone) Title() string {
	if d.Allowed {
		return "You can return to your device"
	}
	return "Nothing was allowed"
}
