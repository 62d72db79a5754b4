package device

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// userCodeField is the field of the form and the parameter of the link.
const userCodeField = "user_code"

// accountParam of the page's address asks for another account.
const accountParam = "account"

// visitor is a person who is signed in.
type visitor struct {
	session *oauth.Session
	user    *oauth.User
}

func (v *visitor) shell() pages.Shell { return pages.Shell{User: v.user, Session: v.session} }

// Page is /device: it asks for the code, and given one, whether the person
// started this. Whoever mounts it keeps other sites from sending the form.
func (d *Room) Page(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		d.get(w, r)
	case http.MethodPost:
		d.post(w, r)
	default:
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost)
	}
}

// get shows the form. A code in the address fills it in and does no more
// (RFC 8628 §3.3.1).
func (d *Room) get(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	code, _ := ParseUserCode(query.Get(userCodeField))
	session, err := d.Login.Session(r)
	switch {
	case err != nil:
		d.broken(w, r, err)
		return
	case session == nil:
		d.signIn(w, r, code, oauth.LoginNeeded)
		return
	case session.Stale:
		d.signIn(w, r, code, oauth.LoginAgain)
		return
	case query.Has(accountParam):
		d.signIn(w, r, code, oauth.LoginOther)
		return
	}
	v, err := d.visitor(r.Context(), session)
	if err != nil {
		d.failed(w, r, nil, err)
		return
	}
	d.ask(w, r, v, http.StatusOK, pages.Form{Values: url.Values{userCodeField: {FormatUserCode(code)}}})
}

// signIn hands the browser to the host, to come back to the form.
func (d *Room) signIn(w http.ResponseWriter, r *http.Request, code string, reason oauth.LoginReason) {
	d.Login.Login(w, r, oauth.LoginRequest{ReturnTo: d.address(code), Reason: reason})
}

// address is that of the page, with the code filled in if there is one.
func (d *Room) address(code string) string {
	path := d.Pages.Path(PagePath)
	if code != "" {
		path += "?" + userCodeField + "=" + FormatUserCode(code)
	}
	return path
}

// visitor is the person of the session, if their account is active.
func (d *Room) visitor(ctx context.Context, s *oauth.Session) (*visitor, error) {
	user, err := d.Live.User(ctx, s.Subject)
	if errors.Is(err, liveness.ErrDead) {
		return nil, errInactive
	}
	if err != nil {
		return nil, err
	}
	return &visitor{s, user}, nil
}

// ask draws the form.
func (d *Room) ask(w http.ResponseWriter, r *http.Request, v *visitor, status int, f pages.Form) {
	code, _ := ParseUserCode(f.Value(userCodeField))
	again := url.Values{accountParam: {"other"}}
	if code != "" {
		again.Set(userCodeField, FormatUserCode(code))
	}
	d.Pages.Render(w, r, status, v.shell(), pages.DeviceInput{Form: f, SwitchAccount: d.Pages.Path(PagePath) + "?" + again.Encode()})
}

// post takes the code that was typed.
func (d *Room) post(w http.ResponseWriter, r *http.Request) {
	v, f, ok := d.sent(w, r)
	if !ok {
		return
	}
	typed := f[userCodeField]
	code, req, client, err := d.open(r.Context(), typed, v.session)
	if err != nil {
		d.refused(w, r, v, typed, err)
		return
	}
	if err := d.confirm(w, r, v, code, req, client); err != nil {
		d.broken(w, r, err)
	}
}

// sent reads a form and who sent it. Who is not signed in (any more), or must
// prove it again, is led to the page, which asks for that. It is false when the
// request has been answered.
func (d *Room) sent(w http.ResponseWriter, r *http.Request) (*visitor, form.Values, bool) {
	f, err := form.Parse(w, r)
	if err != nil {
		d.failed(w, r, nil, &told{http.StatusBadRequest, "The form could not be read. Go back and send it once more."})
		return nil, nil, false
	}
	session, err := d.Login.Session(r)
	if err != nil {
		d.broken(w, r, err)
		return nil, nil, false
	}
	if session == nil || session.Stale {
		code, _ := ParseUserCode(f[userCodeField])
		seeOther(w, d.address(code))
		return nil, nil, false
	}
	v, err := d.visitor(r.Context(), session)
	if err != nil {
		d.failed(w, r, nil, err)
		return nil, nil, false
	}
	return v, f, true
}

// confirm draws the question "Is this you?".
func (d *Room) confirm(w http.ResponseWriter, r *http.Request, v *visitor, code *oauth.DeviceCode, req *oauth.AuthorizationRequest, client *oauth.Client) error {
	publisher := ""
	if client.Owner != "" {
		owner, err := d.Live.User(r.Context(), client.Owner)
		if err != nil {
			return fmt.Errorf("look up publisher: %w", err)
		}
		publisher = owner.DisplayName()
	}
	here := peer.From(r.Context()).Network()
	d.Pages.Render(w, r, http.StatusOK, v.shell(), pages.DeviceConfirm{
		Request: req.ID, Client: client, Publisher: publisher, UserCode: FormatUserCode(code.UserCode),
		AskedAt: code.IssuedAt, Network: code.Network, Agent: code.Agent, Elsewhere: code.Network != here,
		Scopes: d.Scopes.Group(code.Scopes), Resources: d.Targets.Names(code.Resources), Offline: client.MayUse(oauth.GrantRefreshToken),
	})
	return nil
}

// refused shows the form again and says what is wrong with the code.
func (d *Room) refused(w http.ResponseWriter, r *http.Request, v *visitor, typed string, err error) {
	status, message := http.StatusUnprocessableEntity, d.wrong()
	switch {
	case errors.Is(err, errWrong):
	case errors.Is(err, errTooMany):
		status = http.StatusTooManyRequests
		message = fmt.Sprintf("You have typed too many codes that are not valid. Wait %d minutes, then get a new code on your device.", within/time.Minute)
		w.Header().Set("Retry-After", strconv.Itoa(int(within/time.Second)))
	default:
		d.failed(w, r, v, err)
		return
	}
	f := pages.Form{Values: url.Values{userCodeField: {pages.Plain(typed)}}}
	f.Add(userCodeField, message)
	d.ask(w, r, v, status, f)
}

// wrong is what is said of every code that the person may not answer.
func (d *Room) wrong() string {
	return fmt.Sprintf("That code is not valid. Codes expire after %s; get a new one on your device.", minutes(d.Life))
}

func minutes(life time.Duration) string {
	if n := int(life.Round(time.Minute) / time.Minute); n > 1 {
		return strconv.Itoa(n) + " minutes"
	}
	return "a minute"
}

// told is an error that is a sentence for the person.
type told struct {
	status  int
	message string
}

func (t *told) Error() string { return t.message }

var errInactive = &told{http.StatusForbidden, "This account is not active. Ask the people who run this server."}

// failed answers with an error page. v is nil if nobody is known.
func (d *Room) failed(w http.ResponseWriter, r *http.Request, v *visitor, err error) {
	var t *told
	if !errors.As(err, &t) {
		d.broken(w, r, err)
		return
	}
	shell := pages.Shell{}
	if v != nil {
		shell = v.shell()
	}
	d.Pages.Render(w, r, t.status, shell, pages.ErrorPage{Status: t.status, Message: t.message, RequestID: peer.From(r.Context()).RequestID})
}

// broken answers a fault of our own machinery.
func (d *Room) broken(w http.ResponseWriter, r *http.Request, err error) {
	status := respond.Status(respond.Refusal(r, err).Code)
	w.Header().Set("Retry-After", "5")
	d.Pages.Render(w, r, status, pages.Shell{}, pages.ErrorPage{Status: status, RequestID: peer.From(r.Context()).RequestID})
}

func seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusSeeOther)
}
