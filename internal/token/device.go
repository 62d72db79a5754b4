package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	// slower is by how much the interval grows when a device polls too often
	// (RFC 8628 §3.5).
	slower = 5 * time.Second
	// early is how much too early a poll may come: the network does not take the
	// same time for each.
	early = 500 * time.Millisecond
)

// DeviceCode is the device authorization grant (RFC 8628 §3.4). A poll costs two
// look-ups by key and one small write; what is over already, one look-up.
type DeviceCode struct {
	Mint    *mint.Mint
	Targets *target.Targets
	Life    time.Duration // of a code
}

func (DeviceCode) GrantType() string { return oauth.GrantDeviceCode }
func (DeviceCode) Params() []string  { return []string{"device_code"} }

// Subject is the person who allowed it; empty while nobody has.
func (g DeviceCode) Subject(ctx context.Context, s store.Store, r *grant.Request) (string, error) {
	if r.Form["device_code"] == "" {
		return "", refuse(oauth.InvalidRequest, "The parameter device_code is missing.")
	}
	code, err := g.find(ctx, s, r)
	if err != nil {
		return "", err
	}
	if err := over(code, r); err != nil {
		return "", err
	}
	return code.Subject, nil
}

// Grant answers a poll, and redeems the code once somebody has allowed it.
func (g DeviceCode) Grant(ctx context.Context, tx store.Store, r *grant.Request) (*grant.Issue, error) {
	code, err := g.find(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	if err := over(code, r); err != nil {
		return nil, err
	}
	if code.GrantID == "" || r.User == nil { // allowed a moment ago counts at the next poll
		return nil, wait(ctx, tx, code, r)
	}
	resources, err := g.Targets.Narrow(code.Resources, r.Resources)
	if err != nil {
		return nil, err
	}
	if err := claim(ctx, tx, code, r); err != nil {
		return nil, err
	}
	issue := &grant.Issue{
		Subject: code.Subject, Scopes: code.Scopes, Resources: resources, GrantID: code.GrantID,
		Refresh: r.Client.MayUse(oauth.GrantRefreshToken), RefreshResources: code.Resources, Detail: oauth.GrantDeviceCode,
	}
	if slices.Contains(code.Scopes, oauth.ScopeOpenID) {
		given, err := tx.Grant(ctx, code.GrantID)
		if err != nil {
			return nil, fmt.Errorf("look up grant: %w", err)
		}
		issue.IDToken = &grant.IDToken{Authentication: given.Authentication}
	}
	return issue, nil
}

// find returns the code if it is one of ours and this client's (RFC 8628 §3.4).
// Unknown and foreign codes are told alike. The store forgets a code some time
// after its end, and the device must still hear that it is over: the code
// itself tells when it was made.
func (g DeviceCode) find(ctx context.Context, s store.Store, r *grant.Request) (*oauth.DeviceCode, error) {
	unknown := refuse(oauth.InvalidGrant, "The device_code is unknown, or was issued to another client.")
	parsed, err := g.Mint.Parse(oauth.Secret(r.Form["device_code"]), mint.DeviceCode)
	if err != nil {
		return nil, unknown
	}
	code, err := s.DeviceCode(ctx, parsed.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) && !r.Now.Before(mint.DrawnAt(parsed.ID).Add(g.Life)):
		return nil, errExpired
	case errors.Is(err, store.ErrNotFound):
		return nil, unknown
	case err != nil:
		return nil, fmt.Errorf("look up device code: %w", err)
	case !code.Hash.Equal(parsed.Hash), code.ClientID != r.Client.ID:
		return nil, unknown
	}
	return code, nil
}

var errExpired = refuse(oauth.ExpiredToken, "The device_code has expired. Start a new device authorization request.")

// over refuses a code that a person refused, or that expired before anybody
// answered (RFC 8628 §3.5). One that was used passes on, to be seen for what it is.
func over(code *oauth.DeviceCode, r *grant.Request) error {
	switch {
	case !code.DeniedAt.IsZero():
		return respond.Denied()
	case code.UsedAt.IsZero() && !r.Now.Before(code.ExpiresAt):
		return errExpired
	}
	return nil
}

// wait records the poll and tells the device to go on, or to go slower
// (RFC 8628 §3.5).
func wait(ctx context.Context, tx store.Store, code *oauth.DeviceCode, r *grant.Request) error {
	answer := refuse(oauth.AuthorizationPending, "Nobody has allowed or refused this yet. Ask again after the interval.")
	interval := code.Interval
	if !code.PolledAt.IsZero() && r.Now.Before(code.PolledAt.Add(interval-early)) {
		interval += slower
		answer = refuse(oauth.SlowDown, fmt.Sprintf("This came before the interval was over. From now on wait %d seconds between two polls.", interval/time.Second))
	}
	if err := tx.PollDeviceCode(ctx, code.ID, r.Now, interval); err != nil {
		return fmt.Errorf("record poll: %w", err)
	}
	return answer
}

// claim redeems the code, once. A second time, everything that came of the first
// is revoked, as for authorization codes (RFC 6749 §10.5): two parties hold the
// code, and a device that never saw the first answer has lost nothing by it.
func claim(ctx context.Context, tx store.Store, code *oauth.DeviceCode, r *grant.Request) error {
	err := tx.ClaimDevice(ctx, code.ID, r.Now)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return errExpired
	case !errors.Is(err, store.ErrUsed):
		return fmt.Errorf("claim device code: %w", err)
	}
	now, err := tx.DeviceCode(ctx, code.ID)
	if err != nil {
		return fmt.Errorf("look up used device code: %w", err)
	}
	if now.UsedAt.IsZero() {
		return refuse(oauth.InvalidGrant, "The access that the device_code stands for has been revoked.")
	}
	if err := tx.RevokeGrant(ctx, code.GrantID, r.Now); err != nil {
		return fmt.Errorf("revoke grant of replayed device code: %w", err)
	}
	if err := tx.RecordEvent(ctx, event(r, oauth.EventCodeReplayed, code.Subject, "", "a device code was used twice; its grant is revoked")); err != nil {
		return fmt.Errorf("record replay: %w", err)
	}
	return refuse(oauth.InvalidGrant, "The device_code was used before. The tokens that were issued for it are revoked.")
}
