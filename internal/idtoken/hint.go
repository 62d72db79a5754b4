package idtoken

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/oauth"
)

// Hint is what an ID token that comes back as id_token_hint says.
type Hint struct {
	Subject   string   // the sub as the client knows it; compare it with what Subjects says
	ClientIDs []string // whom it was made for: aud
	SID       string   // empty: it names no session
}

// errHint is all that is told about a bad hint.
func errHint(cause error) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Cause: cause,
		Description: "The parameter id_token_hint is not an ID token that this server has signed."}
}

// ParseHint reads an id_token_hint (OpenID Connect Core §3.1.2.1, OpenID Connect
// RP-Initiated Logout §2). It may have expired, and the key that signed it may be
// retired: people stay signed in for longer. It must be an ID token of ours all
// the same, or the refusal is invalid_request; any other error is a fault.
func (m *Minter) ParseHint(ctx context.Context, hint string) (*Hint, error) {
	payload, got, err := m.Keys.Verify(ctx, hint)
	if errors.Is(err, keys.ErrSignature) {
		return nil, errHint(err)
	}
	if err != nil {
		return nil, err
	}
	if got != typ {
		return nil, errHint(errors.New("a JWT of the type " + got))
	}
	h, err := m.read(payload)
	if err != nil {
		return nil, errHint(err)
	}
	return h, nil
}

// read tells an ID token from what else has its type: it must have every claim
// that an ID token must have (OpenID Connect Core §2).
func (m *Minter) read(payload []byte) (*Hint, error) {
	set, err := strictjson.Members(payload)
	if err != nil {
		return nil, err
	}
	var is struct {
		Issuer  string          `json:"iss"`
		Subject string          `json:"sub"`
		Aud     json.RawMessage `json:"aud"`
		Expiry  int64           `json:"exp"`
		Issued  int64           `json:"iat"`
		SID     string          `json:"sid"`
	}
	if err := strictjson.Fill(set, &is); err != nil {
		return nil, err
	}
	h := &Hint{Subject: is.Subject, SID: is.SID}
	var one string
	if json.Unmarshal(is.Aud, &one) == nil {
		h.ClientIDs = []string{one}
	} else if err := json.Unmarshal(is.Aud, &h.ClientIDs); err != nil {
		return nil, err
	}
	_, event := set["events"]
	switch {
	case is.Issuer != m.Issuer:
		return nil, errors.New("another issuer's")
	case is.Subject == "" || len(h.ClientIDs) == 0 || is.Expiry == 0 || is.Issued == 0 || event:
		return nil, errors.New("no ID token")
	}
	return h, nil
}
