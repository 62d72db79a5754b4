package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/livetest"
)

// What people do at their browsers.

const (
	session  = "a session"
	homePath = "/account/settings/applications/"
)

// codeFlow signs in and agrees once, so that each round is a redirect and a redemption.
func (l *load) codeFlow(ctx context.Context) (func(context.Context) error, error) {
	visitor := livetest.NewVisitor(person, nil)
	round := func(ctx context.Context) error {
		verifier := oauth2.GenerateVerifier()
		code, err := visitor.Authorize(l.web, verifier)
		if err != nil {
			return err
		}
		return l.redeem(ctx, l.web, code, verifier)
	}
	return round, round(ctx)
}

func (l *load) newChain(ctx context.Context, n int) (*chain, error) {
	token, err := livetest.NewVisitor(person, nil).Token(ctx, l.public)
	if err != nil {
		return nil, err
	}
	return &chain{load: l, n: n, current: token.RefreshToken}, nil
}

// signIn signs a fresh browser in and agrees on the page, whatever was agreed
// before. Each comes from a network of its own. A kill in the middle of an attempt
// leaves it counted, so that the next may have to wait.
func (l *load) signIn(ctx context.Context) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	visitor := livetest.NewVisitor(person, transport)
	n := l.made.Add(1)
	visitor.Headers.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n>>8&0xff, n&0xff))
	verifier := oauth2.GenerateVerifier()
	code, err := visitor.Authorize(l.web, verifier, oauth2.SetAuthURLParam("prompt", "consent"))
	var stuck *livetest.Stuck
	if errors.As(err, &stuck) && stuck.Page.Status == http.StatusTooManyRequests {
		l.throttled.Add(1)
		time.Sleep(10 * pause)
		return nil
	}
	if err != nil {
		return err
	}
	l.holdSession(visitor)
	return l.redeem(ctx, l.web, code, verifier)
}

// holdSession vouches for the session of a browser. Its cookies are asked with, not
// the browser itself, which forgets them when it is told to.
func (l *load) holdSession(visitor *livetest.Visitor) {
	home, err := url.Parse(l.site.Issuer + homePath)
	if err != nil {
		panic(err) // the issuer is a URL
	}
	var cookies []string
	for _, c := range visitor.Cookies(home) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	l.ledger.holds(&fact{session, func(ctx context.Context) (bool, error) {
		_, err := l.send(ctx, http.MethodGet, homePath, "", "", func(r *http.Request) {
			r.Header = visitor.Headers.Clone()
			r.Header.Set("Cookie", strings.Join(cookies, "; "))
		})
		var r *refused
		if errors.As(err, &r) && (r.status == http.StatusFound || r.status == http.StatusSeeOther) {
			return false, nil // to the sign-in page
		}
		return err == nil, err
	}, func(context.Context) error {
		page, err := visitor.Open(l.site.Issuer + "/logout/")
		if err == nil {
			page, err = send(visitor, page)
		}
		if err == nil && page.Status != http.StatusOK {
			err = &livetest.Stuck{Page: page}
		}
		return err
	}})
}

// send sends the form of a page.
func send(visitor *livetest.Visitor, page *browser.Page) (*browser.Page, error) {
	form := page.Form()
	if form == nil || page.Status != http.StatusOK {
		return nil, &livetest.Stuck{Page: page}
	}
	if form.Values.Has("password") {
		form.Set("username", visitor.Person.Email).Set("password", visitor.Person.Password)
	}
	return visitor.Send(form)
}

// devices lets a person who has signed in connect one device after the other (RFC
// 8628): the form that the link fills in, "Is this you?", and the answer.
func (l *load) devices(ctx context.Context) (func(context.Context) error, error) {
	visitor := livetest.NewVisitor(person, nil)
	page, err := visitor.Open(l.site.Issuer + homePath)
	if err == nil {
		_, err = send(visitor, page)
	}
	return func(ctx context.Context) error { return l.connect(ctx, visitor) }, err
}

func (l *load) connect(ctx context.Context, visitor *livetest.Visitor) error {
	form := url.Values{"client_id": {l.device.ClientID}}
	body, err := l.send(ctx, http.MethodPost, "/oauth/device_authorization", formType, form.Encode(), func(*http.Request) {})
	if err != nil {
		return err
	}
	var a struct {
		DeviceCode string `json:"device_code"`
		Link       string `json:"verification_uri_complete"`
	}
	if err := json.Unmarshal(body, &a); err != nil || a.Link == "" {
		return &refused{http.StatusOK, string(body)}
	}
	page, err := visitor.Open(a.Link)
	for range 2 { // sends the code, says yes
		if err == nil {
			page, err = send(visitor, page)
		}
	}
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK {
		return &livetest.Stuck{Page: page}
	}
	token, err := l.token(ctx, l.device, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {a.DeviceCode}})
	if err != nil {
		return fmt.Errorf("after %v: %w", page, err)
	}
	l.ledger.holds(l.bearer(token.AccessToken, "an access token of a device", nil))
	return nil
}
