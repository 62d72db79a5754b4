package logout

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/oauth"
)

// request is a logout request (OpenID Connect RP-Initiated Logout §2). The
// parameters logout_hint and ui_locales may be sent: the page that asks names who
// is signed in, and speaks one language.
type request struct {
	client *oauth.Client // nil: not known
	hint   *idtoken.Hint // nil: none
	uri    string        // where to go on to; empty: nowhere
	state  string
}

// problem is why a request is not followed as it was sent. It is told to the
// person and never redirected; they may sign out all the same.
type problem struct {
	parameter, text string
}

func (p *problem) Error() string { return p.text }

// read checks the parameters in this order. Its error is a *problem or a fault.
func (a *Room) read(ctx context.Context, f form.Values) (*request, error) {
	q := &request{}
	for _, check := range []func(context.Context, *request, form.Values) error{a.readHint, a.readClient, readURI} {
		if err := check(ctx, q, f); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// readHint: OpenID Connect RP-Initiated Logout §2, §4. An expired token will do.
func (a *Room) readHint(ctx context.Context, q *request, f form.Values) error {
	if f["id_token_hint"] == "" {
		return nil
	}
	hint, err := a.IDTokens.ParseHint(ctx, f["id_token_hint"])
	if refusal := (*oauth.Error)(nil); errors.As(err, &refusal) {
		return &problem{"id_token_hint", "It is no ID token that this server made."}
	}
	q.hint = hint
	return err
}

// readClient: the client is the one that both say it is.
func (a *Room) readClient(ctx context.Context, q *request, f form.Values) error {
	id, parameter := f["client_id"], "client_id"
	switch {
	case q.hint == nil && id == "":
		return nil
	case q.hint != nil && id != "" && !slices.Contains(q.hint.ClientIDs, id):
		return &problem{"client_id", "The id_token_hint was made for another client."}
	case q.hint != nil && id == "" && len(q.hint.ClientIDs) != 1:
		return &problem{"client_id", "It is missing, and the id_token_hint was made for more than one client."}
	case q.hint != nil && id == "":
		id, parameter = q.hint.ClientIDs[0], "id_token_hint"
	}
	client, err := a.Live.Client(ctx, id)
	if errors.Is(err, liveness.ErrDead) {
		return &problem{parameter, "There is no such client, or it is not active."}
	}
	q.client = client
	return err
}

// readURI: OpenID Connect RP-Initiated Logout §3. Characters are compared, nothing
// else.
func readURI(_ context.Context, q *request, f form.Values) error {
	uri := f["post_logout_redirect_uri"]
	switch {
	case uri == "":
		return nil // and state says nothing then
	case q.client == nil:
		return &problem{"post_logout_redirect_uri", "Without id_token_hint or client_id nobody knows whose it is."}
	case !slices.Contains(q.client.Metadata.PostLogoutRedirectURIs, uri):
		return &problem{"post_logout_redirect_uri", "It is none of those that the client has registered; they are compared character by character."}
	}
	q.uri, q.state = uri, f["state"]
	return nil
}

// certain reports whether the hint is of this very session, so that the person
// need not be asked (OpenID Connect RP-Initiated Logout §2).
func (a *Room) certain(ctx context.Context, q *request, s *oauth.Session) (bool, error) {
	if q.hint == nil || q.client == nil {
		return false, nil
	}
	if q.hint.SID != "" {
		sid, err := a.IDTokens.Subjects.Session(ctx, q.client, session.SID(s))
		return err == nil && q.hint.SID == sid, err
	}
	sub, err := a.IDTokens.Subjects.Of(ctx, q.client, s.Subject)
	return err == nil && sub == q.hint.Subject, err
}

// location is where the browser goes on to: the registered URI as it is, with
// state if there was one, and nothing else.
func (q *request) location() string {
	if q.uri == "" || q.state == "" {
		return q.uri
	}
	return withQuery(q.uri, "state="+url.QueryEscape(q.state))
}

// withQuery puts parameters into a registered URI, whose own query is kept as it
// was written, but for parameters of the same names: the client would find two.
func withQuery(uri, query string) string {
	uri, fragment, hasFragment := strings.Cut(uri, "#")
	base, own, _ := strings.Cut(uri, "?")
	var pairs []string
	for pair := range strings.SplitSeq(own, "&") {
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		if pair != "" && err == nil && !strings.HasPrefix(query, name+"=") && !strings.Contains(query, "&"+name+"=") {
			pairs = append(pairs, pair)
		}
	}
	uri = base + "?" + strings.Join(append(pairs, query), "&")
	if hasFragment {
		uri += "#" + fragment
	}
	return uri
}

// hidden is the request as the page that asks carries it. What comes back is read
// anew.
func (q *request) hidden() map[string]string {
	fields := map[string]string{}
	if q.client != nil {
		fields["client_id"] = q.client.ID
	}
	if q.uri != "" {
		fields["post_logout_redirect_uri"] = q.uri
	}
	if q.state != "" {
		fields["state"] = q.state
	}
	return fields
}
