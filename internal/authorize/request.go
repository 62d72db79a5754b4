package authorize

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

// request is an authorization request while it is read (RFC 6749 §4.1.1).
type request struct {
	sent        form.Values // as it came: what a browser must bring back
	form        form.Values // its parameters, whatever carried them
	client      *oauth.Client
	carrier     carrier // what carried the parameters
	carryErr    error   // why they could not be read; form is then what came beside
	pushedID    string
	redirectURI string // where the answer goes
	uriSent     bool   // redirect_uri was in the request
	state       string
	prompt      []string // OpenID Connect Core §3.1.2.1; here for its meaning to sign-in and consent

	responseType string
	mode         string
	scopes       []string
	resources    []string
	challenge    string
	nonce        string
	claims       *claims.Request
	hint         *idtoken.Hint // who is expected to be signed in
	maxAge       time.Duration
	hasMaxAge    bool
}

// silent: no page may be shown.
func (q *request) silent() bool { return slices.Contains(q.prompt, "none") }

// openID: the request is one of OpenID Connect (OpenID Connect Core §3.1.2.1).
func (q *request) openID() bool { return slices.Contains(q.scopes, oauth.ScopeOpenID) }

// fault is a refusal that is told to the person and never redirected.
type fault struct {
	err            error
	client         *oauth.Client // nil: not known
	parameter, got string        // what is wrong, as the request had it
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// identify finds out who asks and where the answer would go. Its refusals are
// faults: the redirect URI cannot be trusted before they all passed.
func (a *Room) identify(ctx context.Context, f form.Values, formErr error) (*request, error) {
	if err := readable(formErr); err != nil {
		return nil, err
	}
	client, err := a.identifyClient(ctx, f["client_id"])
	if err != nil {
		return nil, err
	}
	q := &request{sent: f, form: f, client: client}
	if err := a.unpack(ctx, q); err != nil {
		return nil, err
	}
	if q.redirectURI, err = identifyRedirect(client, q.form["redirect_uri"]); err != nil {
		return nil, err
	}
	q.uriSent, q.state = q.form["redirect_uri"] != "", q.form["state"]
	q.prompt = append(strings.Fields(q.form["prompt"]), q.ownPrompt()...)
	if repeated := (*form.Repeated)(nil); errors.As(formErr, &repeated) && slices.Contains(repeated.Names, "state") {
		q.state = "" // there is no telling which
	}
	q.mode = a.modeFor(q)
	return q, nil
}

// readable: nothing can be redirected when the parameters cannot be read, or
// when client or redirect URI are in doubt (RFC 6749 §3.1).
func readable(formErr error) error {
	repeated := (*form.Repeated)(nil)
	switch {
	case formErr == nil:
		return nil
	case !errors.As(formErr, &repeated):
		return &fault{err: formErr}
	case slices.Contains(repeated.Names, "client_id"), slices.Contains(repeated.Names, "redirect_uri"):
		return &fault{err: invalid("The parameters client_id and redirect_uri must appear only once.")}
	}
	return nil
}

// identifyClient: RFC 6749 §2.2, §4.1.2.1.
func (a *Room) identifyClient(ctx context.Context, id string) (*oauth.Client, error) {
	if id == "" {
		return nil, &fault{err: invalid("The parameter client_id is missing."), parameter: "client_id"}
	}
	if a.Resolve != nil {
		if err := a.Resolve(ctx, id); errors.As(err, new(*oauth.Error)) {
			return nil, &fault{err: err, parameter: "client_id", got: id}
		} else if err != nil {
			return nil, err
		}
	}
	client, err := a.Live.Client(ctx, id)
	if errors.Is(err, liveness.ErrDead) {
		return nil, &fault{err: invalid("There is no such client, or it is not active."), parameter: "client_id", got: id}
	}
	return client, err
}

// identifyRedirect: RFC 6749 §3.1.2.3, RFC 9700 §4.1.3. It may be left out only
// when there is just one.
func identifyRedirect(client *oauth.Client, uri string) (string, error) {
	switch {
	case uri != "" && redirecturi.Match(client.RedirectURIs, uri):
		return uri, nil
	case uri != "":
		return "", &fault{err: invalid("It does not match any redirect URI of this client; they are compared character by character."), client: client, parameter: "redirect_uri", got: uri}
	case len(client.RedirectURIs) == 1:
		return client.RedirectURIs[0], nil
	case len(client.RedirectURIs) == 0:
		return "", &fault{err: invalid("This client has no redirect URI, so it cannot ask for authorization."), client: client, parameter: "redirect_uri"}
	}
	return "", &fault{err: invalid("The parameter redirect_uri is missing, and this client has more than one."), client: client, parameter: "redirect_uri"}
}

func invalid(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}
