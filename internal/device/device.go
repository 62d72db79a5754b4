package device

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/internal/throttle"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Where the room lives below the issuer.
const (
	Path        = "/oauth/device_authorization" // for the device
	PagePath    = "/device"                     // for the person; short, as it is typed
	ConfirmPath = "/device/confirm"             // answers the question "Is this you?"
)

// Interval is how long a device waits between two polls (RFC 8628 §3.2).
const Interval = 5 * time.Second

// Config says what the room is made of. All fields are required.
type Config struct {
	Store   store.Store
	Mint    *mint.Mint
	Clients *clientauth.Authenticator
	Live    *liveness.Checker
	Scopes  *oauth.Scopes
	Targets *target.Targets
	Login   oauth.Authenticator
	Pages   *pages.Pages
	Issuer  string
	Now     func() time.Time
	Life    time.Duration // of a code
}

// Room is the endpoint and the page.
type Room struct {
	Config
	// rate bounds what public clients ask for: whoever knows a client_id may.
	rate *throttle.Throttle
}

// New returns the room; Endpoint, Page and Confirm are its handlers.
func New(c Config) *Room { return &Room{c, throttle.Requests(c.Now)} }

// Endpoint is the device authorization endpoint (RFC 8628 §3.1).
func (d *Room) Endpoint() http.Handler {
	return respond.CORS(http.HandlerFunc(d.authorize), http.MethodPost)
}

func (d *Room) authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	a, err := d.issue(w, r)
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	respond.JSON(w, http.StatusOK, a)
}

// answer is the device authorization response (RFC 8628 §3.2). Its codes are
// plain strings because the device must see them, once.
type answer struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"` // seconds
	Interval                int64  `json:"interval"`   // seconds
}

func (d *Room) issue(w http.ResponseWriter, r *http.Request) (*answer, error) {
	f, err := form.Parse(w, r)
	if err != nil {
		return nil, err
	}
	client, err := d.Clients.Authenticate(r, f)
	if err != nil {
		return nil, err
	}
	if !client.MayUse(oauth.GrantDeviceCode) {
		return nil, &oauth.Error{Code: oauth.UnauthorizedClient, Description: "This client is not registered for the grant type " + oauth.GrantDeviceCode + "."}
	}
	scopes, err := d.Scopes.ForClient(client, f["scope"])
	if err != nil {
		return nil, err
	}
	resources, err := d.Targets.Read(f.Resources())
	if err != nil {
		return nil, err
	}
	now, from := d.Now(), peer.From(r.Context())
	if client.Public() && !d.rate.Take(from.Network()+" "+client.ID) {
		return nil, respond.TooMany("Too many devices asked for codes of this client from this network. Wait a minute.")
	}
	drawn := d.Mint.Draw(mint.DeviceCode, now)
	code := &oauth.DeviceCode{
		ID: drawn.ID, Hash: drawn.Hash, ClientID: client.ID, Scopes: scopes, Resources: resources,
		Network: from.Network(), Agent: agent(from.UserAgent), IssuedAt: now, ExpiresAt: now.Add(d.Life), Interval: Interval,
	}
	if err := d.create(r.Context(), code); err != nil {
		return nil, err
	}
	shown := FormatUserCode(code.UserCode)
	return &answer{
		DeviceCode: string(drawn.Secret), UserCode: shown,
		VerificationURI: d.Issuer + PagePath, VerificationURIComplete: d.Issuer + PagePath + "?" + userCodeField + "=" + shown,
		ExpiresIn: int64(d.Life / time.Second), Interval: int64(Interval / time.Second),
	}, nil
}

// create gives the code a user code that no other has.
func (d *Room) create(ctx context.Context, code *oauth.DeviceCode) error {
	const tries = 5
	var err error
	for range tries {
		code.UserCode = mint.NewUserCode()
		if err = d.Store.CreateDeviceCode(ctx, code); err == nil {
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			break
		}
	}
	return fmt.Errorf("store device code: %w", err)
}

// agent is the User-Agent header as the contract of the store wants it: text of
// at most 200 bytes.
func agent(header string) string {
	const most = 200
	text := strings.ReplaceAll(strings.ToValidUTF8(header, "\uFFFD"), "\x00", "")
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// ParseUserCode reads a user code as people type it: in any case, with or
// without dashes and spaces. It is false for what cannot be one (RFC 8628 §6.1).
func ParseUserCode(typed string) (string, bool) {
	code := make([]byte, 0, mint.UserCodeLen)
	for _, c := range strings.ToUpper(typed) {
		switch {
		case strings.ContainsRune(" \t\r\n\u00a0-\u2010\u2011\u2012\u2013\u2014_.", c): // what keyboards make of a dash
		case len(code) < mint.UserCodeLen && strings.ContainsRune(mint.UserCodeAlphabet, c):
			code = append(code, byte(c))
		default:
			return "", false
		}
	}
	return string(code), len(code) == mint.UserCodeLen
}

// FormatUserCode writes a user code as people read it: XXXX-XXXX.
func FormatUserCode(code string) string {
	if len(code) != mint.UserCodeLen {
		return code
	}
	return code[:mint.UserCodeLen/2] + "-" + code[mint.UserCodeLen/2:]
}
