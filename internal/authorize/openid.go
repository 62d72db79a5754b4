package authorize

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/oauth"
)

// readNonce: OpenID Connect Core §3.1.2.1, §3.2.2.1, §3.3.2.11. An ID token that
// comes by way of the browser is tied to the client's own session by nothing else.
func (a *Room) readNonce(_ context.Context, q *request) error {
	if q.openID() {
		q.nonce = q.form["nonce"]
	}
	if q.nonce == "" && gives(q.responseType, oauth.ResponseTypeIDToken) {
		return invalid("The parameter nonce is missing: this response_type needs it.")
	}
	return nil
}

// readClaims: OpenID Connect Core §5.5.
func (a *Room) readClaims(_ context.Context, q *request) error {
	if !q.openID() {
		return nil
	}
	asked, err := claims.ParseRequest(q.form["claims"])
	q.claims = asked.Only(func(scope string) bool { // by name a client gets nothing that it may not have by scope
		_, err := a.Scopes.ForClient(q.client, scope)
		return err == nil
	})
	return err
}

// readHint: OpenID Connect Core §3.1.2.1. An ID token that has expired is as good
// a hint as any; one that is not ours is none.
func (a *Room) readHint(ctx context.Context, q *request) (err error) {
	if hint := q.form["id_token_hint"]; hint != "" && a.OpenID != nil {
		q.hint, err = a.OpenID.ParseHint(ctx, hint)
	}
	return err
}

// namesSomebody: the request is about a certain person.
func (q *request) namesSomebody() bool { return q.hint != nil || q.claims.Subjects() != nil }

// expected reports whether the session is that of the person the request is about,
// if it says so by id_token_hint (OpenID Connect Core §3.1.2.1) or by asking for a
// sub of its own (§5.5.1).
func (a *Room) expected(ctx context.Context, q *request, s *oauth.Session) (bool, error) {
	if !q.namesSomebody() {
		return true, nil
	}
	subjects := q.claims.Subjects()
	is, err := a.OpenID.Subjects.Of(ctx, q.client, s.Subject)
	if err != nil {
		return false, fmt.Errorf("subject for the client: %w", err)
	}
	return (q.hint == nil || q.hint.Subject == is) && (subjects == nil || slices.Contains(subjects, is)), nil
}

// wantedACR are the authentication classes that would do (OpenID Connect Core
// §3.1.2.1, §5.5.1.1; Dynamic Client Registration §2, default_acr_values).
func (q *request) wantedACR() []string {
	if values, _ := q.claims.ACR(); len(values) > 0 {
		return values
	}
	if values := strings.Fields(q.form["acr_values"]); len(values) > 0 {
		return values
	}
	return q.client.Metadata.DefaultACRValues
}

// strongEnough: an acr that the client calls essential must be reached (OpenID
// Connect Core §5.5.1.1). Any other is a wish, and the ID token says what is true.
func (q *request) strongEnough(s *oauth.Session) error {
	values, essential := q.claims.ACR()
	if essential && len(values) > 0 && !slices.Contains(values, s.ACR) {
		return &oauth.Error{Code: oauth.UnmetAuthenticationRequirements, Description: "None of the acr values that the parameter claims calls essential could be reached."}
	}
	return nil
}
