package device

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	guesses = 5                // wrong codes that a person may type
	within  = 15 * time.Minute // in this time
	openers = 8                // how often a code may be let go and opened again
)

var (
	errWrong   = errors.New("device: no such code, or not for this person")
	errTooMany = errors.New("device: too many wrong codes")
)

// open finds the code that the person typed and makes it theirs. It returns
// errWrong for every code that they may not answer, and errTooMany without a
// look at the code when they were wrong too often.
func (d *Room) open(ctx context.Context, typed string, s *oauth.Session) (*oauth.DeviceCode, *oauth.AuthorizationRequest, *oauth.Client, error) {
	userCode, ok := ParseUserCode(typed)
	if !ok {
		return nil, nil, nil, errWrong // a slip of the pen, not a guess
	}
	code, err := d.guess(ctx, userCode, s.Subject)
	if err != nil {
		return nil, nil, nil, err
	}
	client, err := d.Live.Client(ctx, code.ClientID)
	if errors.Is(err, liveness.ErrDead) {
		return nil, nil, nil, errWrong
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if !d.stillMay(client, code.Scopes) {
		return nil, nil, nil, errWrong
	}
	req, err := d.claim(ctx, code, s)
	if err != nil {
		return nil, nil, nil, err
	}
	return code, req, client, nil
}

// guess looks the code up. A guess takes a place first, and what undoes the
// transaction that took it is that the guess was right.
func (d *Room) guess(ctx context.Context, userCode, subject string) (code *oauth.DeviceCode, err error) {
	right := errors.New("right")
	now := d.Now()
	err = d.Store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		code = nil // fn may run again
		if err := takePlace(ctx, tx, subject, now); err != nil {
			return err
		}
		code, err = tx.DeviceCodeByUserCode(ctx, userCode)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("look up user code: %w", err)
		case !waits(code, now):
			code = nil
			return nil
		}
		return right
	})
	switch {
	case errors.Is(err, right):
		return code, nil
	case err != nil:
		return nil, err
	}
	return nil, errWrong
}

// takePlace takes one of the places for a person's wrong codes, or returns
// errTooMany if all are taken. Of two who want the same place at once one gets
// the next. A place is free again when its time is over.
func takePlace(ctx context.Context, tx store.Store, subject string, now time.Time) error {
	sum := sha256.Sum256([]byte(subject)) // keys of places have one length
	person := "user_code|" + base64.RawURLEncoding.EncodeToString(sum[:]) + "|"
	for n := range guesses {
		err := tx.SeenJTI(ctx, person+strconv.Itoa(n), now, now.Add(within))
		if !errors.Is(err, store.ErrUsed) {
			return err
		}
	}
	return errTooMany
}

// waits reports whether the code still waits for an answer.
func waits(code *oauth.DeviceCode, now time.Time) bool {
	return code.GrantID == "" && code.DeniedAt.IsZero() && now.Before(code.ExpiresAt)
}

// stillMay reports whether the client may still have what the device asked for.
func (d *Room) stillMay(client *oauth.Client, scopes []string) bool {
	_, err := d.Scopes.ForClient(client, oauth.ScopeString(scopes))
	return err == nil && client.MayUse(oauth.GrantDeviceCode)
}

// claim makes the code the session's, or returns errWrong if it is somebody
// else's. The code is whose request has the last id there is; only one can
// create it.
func (d *Room) claim(ctx context.Context, code *oauth.DeviceCode, s *oauth.Session) (*oauth.AuthorizationRequest, error) {
	now := d.Now()
	for n := range openers {
		req := &oauth.AuthorizationRequest{
			ID: code.ID + between + strconv.Itoa(n), SessionID: s.ID, Subject: s.Subject, ClientID: code.ClientID,
			ResponseType: requestType, Scopes: code.Scopes, Resources: code.Resources,
			Authentication: authentication(s), CreatedAt: now, ExpiresAt: code.ExpiresAt,
		}
		err := d.Store.CreateRequest(ctx, req)
		if err == nil {
			return req, nil
		}
		if errors.Is(err, store.ErrNotFound) { // the client is gone
			return nil, errWrong
		}
		if !errors.Is(err, store.ErrExists) {
			return nil, fmt.Errorf("store request: %w", err)
		}
		theirs, err := d.Store.Request(ctx, req.ID)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look up request: %w", err)
		case !theirs.UsedAt.IsZero(): // let go
			continue
		case theirs.Subject != s.Subject:
			return nil, errWrong
		case theirs.SessionID == s.ID:
			return theirs, nil
		}
		// The same person in another session: the page of the old one can no longer
		// answer.
		if err := d.Store.UseRequest(ctx, theirs.ID, now); err != nil && !errors.Is(err, store.ErrUsed) {
			return nil, fmt.Errorf("let go of request: %w", err)
		}
	}
	return nil, errWrong
}

// requestType marks the requests of this room; it is no response type, so the
// authorization endpoint takes none of them for its own.
const requestType = "device"

// between stands between the id of the device code and the number of the request.
const between = "."

// codeOf is the id of the device code that the request is about.
func codeOf(req *oauth.AuthorizationRequest) string {
	id, _, _ := strings.Cut(req.ID, between)
	return id
}

// authentication is how the person is signed in. The session's own name is left
// out: signing out of the browser does not sign the device out.
func authentication(s *oauth.Session) oauth.Authentication {
	return oauth.Authentication{AuthTime: s.AuthTime, AMR: s.AMR, ACR: s.ACR}
}
