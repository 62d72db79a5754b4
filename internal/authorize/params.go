package authorize

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/oauth"
)

// read checks the rest of the request. Its refusals go to the client.
func (a *Room) read(ctx context.Context, q *request, formErr error) error {
	if formErr != nil { // a parameter is repeated
		return formErr
	}
	if q.carryErr != nil {
		return q.carryErr
	}
	return a.readParams(ctx, q)
}

// readParams checks the parameters, in this order.
func (a *Room) readParams(ctx context.Context, q *request) error {
	for _, check := range []func(context.Context, *request) error{
		a.requireCarrier, noRegistration,
		a.readResponseType, a.readResponseMode, a.readChallenge, a.readScope, a.readResources,
		readPrompt, readMaxAge,
		a.readNonce, a.readClaims, a.readHint,
	} {
		if err := check(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// noRegistration: a client cannot bring its registration along (OpenID Connect
// Core §3.1.2.6, §7.2.1).
func noRegistration(_ context.Context, q *request) error {
	if q.form["registration"] != "" {
		return &oauth.Error{Code: oauth.RegistrationNotSupported, Description: "The parameter registration is not supported."}
	}
	return nil
}

// readChallenge: RFC 7636 §4.3, §4.4.1. Where no code is given there is nothing
// to prove.
func (a *Room) readChallenge(_ context.Context, q *request) (err error) {
	if !gives(q.responseType, oauth.ResponseTypeCode) {
		return nil
	}
	q.challenge, err = proof.Challenge(q.form["code_challenge"], q.form["code_challenge_method"], a.mustProve(q.client))
	return err
}

// mustProve: a public client has nothing but PKCE to show that a code is its own
// (RFC 9700 §2.1.1). The certification of OpenID Connect Core knows no PKCE.
func (a *Room) mustProve(c *oauth.Client) bool {
	return c.Under(a.Profile) != oauth.ProfileCertification && (c.RequirePKCE || c.Public() && !a.OptionalPKCE)
}

// readScope: RFC 6749 §3.3. Access for when the person is away is given only where
// they are asked for it, to who can keep it (OpenID Connect Core §11).
func (a *Room) readScope(_ context.Context, q *request) (err error) {
	if q.scopes, err = a.Scopes.ForClient(q.client, q.form["scope"]); err != nil {
		return err
	}
	if !gives(q.responseType, oauth.ResponseTypeCode) || !slices.Contains(q.prompt, "consent") {
		q.scopes = slices.DeleteFunc(q.scopes, func(s string) bool { return s == oauth.ScopeOfflineAccess })
	}
	if gives(q.responseType, oauth.ResponseTypeIDToken) && !q.openID() {
		return invalid("The parameter scope must hold openid for this response_type.")
	}
	return nil
}

// readResources: RFC 8707 §2.1.
func (a *Room) readResources(_ context.Context, q *request) (err error) {
	q.resources, err = a.Targets.Read(q.form.Resources())
	return err
}

// readPrompt: OpenID Connect Core §3.1.2.1.
func readPrompt(_ context.Context, q *request) error {
	for _, p := range q.prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return invalid("The parameter prompt has a value that this server does not know.")
		}
	}
	if q.silent() && len(q.prompt) > 1 {
		return invalid("The parameter prompt must not have other values beside none.")
	}
	return nil
}

// readMaxAge: OpenID Connect Core §3.1.2.1, Dynamic Client Registration §2
// (default_max_age); seconds.
func readMaxAge(_ context.Context, q *request) error {
	text, sent := q.form["max_age"]
	if !sent {
		if d := q.client.Metadata.DefaultMaxAge; d != nil {
			q.maxAge, q.hasMaxAge = time.Duration(*d)*time.Second, true
		}
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return invalid("The parameter max_age is not a whole number of seconds.")
	}
	q.maxAge, q.hasMaxAge = time.Duration(seconds)*time.Second, true
	return nil
}
