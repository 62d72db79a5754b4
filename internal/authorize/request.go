package authorize

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

// request is an authorization request while it is read (RFC 6749 §4.1.1).
type request struct {
	form        form.Values
	client      *oauth.Client
	redirectURI string // where the answer goes
	uriSent     bool   // redirect_uri was in the request
	state       string
	prompt      []string // OpenID Connect Core §3.1.2.1; here for its meaning to sign-in and consent
	maxAge      time.Duration
	hasMaxAge   bool
	implicit    bool // the server offers response_type=token, whose answers stand in the fragment

	responseType string
	scopes       []string
	challenge    string
}

// silent: no page may be shown.
func (q *request) silent() bool { return slices.Contains(q.prompt, "none") }

// destination is where the answer goes, and how.
func (q *request) destination() destination {
	return destination{uri: q.redirectURI, state: q.state, fragment: q.implicit && q.form["response_type"] == oauth.ResponseTypeToken}
}

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
	uri, err := identifyRedirect(client, f["redirect_uri"])
	if err != nil {
		return nil, err
	}
	q := &request{
		form: f, client: client, redirectURI: uri, uriSent: f["redirect_uri"] != "",
		state: f["state"], prompt: strings.Fields(f["prompt"]), implicit: a.Implicit,
	}
	if repeated := (*form.Repeated)(nil); errors.As(formErr, &repeated) && slices.Contains(repeated.Names, "state") {
		q.state = "" // there is no telling which
	}
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

// read checks the rest of the request, in this order. Its refusals go to the client.
func (a *Room) read(q *request, f form.Values, formErr error) error {
	if formErr != nil { // a parameter is repeated
		return formErr
	}
	for _, check := range []func(*request, form.Values) error{
		noRequestObject, a.readResponseType, readResponseMode, a.readChallenge, a.readScope, readPrompt, readMaxAge,
	} {
		if err := check(q, f); err != nil {
			return err
		}
	}
	return nil
}

// noRequestObject: a request object must not be ignored silently (OpenID
// Connect Core §6.1, §6.2).
func noRequestObject(_ *request, f form.Values) error {
	switch {
	case f["request"] != "":
		return &oauth.Error{Code: oauth.RequestNotSupported, Description: "The parameter request is not supported."}
	case f["request_uri"] != "":
		return &oauth.Error{Code: oauth.RequestURINotSupported, Description: "The parameter request_uri is not supported."}
	}
	return nil
}

// grantTypes says what a client must be registered for to use a response type.
var grantTypes = map[string]string{
	oauth.ResponseTypeCode:  oauth.GrantAuthorizationCode,
	oauth.ResponseTypeToken: oauth.GrantImplicit,
}

// readResponseType: RFC 6749 §3.1.1, §4.1.2.1, §4.2.2.1.
func (a *Room) readResponseType(q *request, f form.Values) error {
	q.responseType = f["response_type"]
	grantType, known := grantTypes[q.responseType]
	switch {
	case q.responseType == "":
		return invalid("The parameter response_type is missing.")
	case !known || grantType == oauth.GrantImplicit && !a.Implicit:
		return &oauth.Error{Code: oauth.UnsupportedResponseType, Description: "This server does not offer the response_type. Use code."}
	case !q.client.MayUse(grantType):
		return &oauth.Error{Code: oauth.UnauthorizedClient, Description: "This client is not registered for the response_type."}
	}
	return nil
}

// readResponseMode: each response type has one mode (OAuth 2.0 Multiple
// Response Type Encoding Practices §2.1).
func readResponseMode(q *request, f form.Values) error {
	mode := "query"
	if q.responseType == oauth.ResponseTypeToken {
		mode = "fragment"
	}
	if sent := f["response_mode"]; sent != "" && sent != mode {
		return invalid("The parameter response_mode must be " + mode + " for this response_type, or left out.")
	}
	return nil
}

// readChallenge: RFC 7636 §4.3, §4.4.1. The implicit grant has no code to prove.
func (a *Room) readChallenge(q *request, f form.Values) (err error) {
	if q.responseType != oauth.ResponseTypeCode {
		return nil
	}
	required := q.client.RequirePKCE || q.client.Public() && !a.OptionalPKCE
	q.challenge, err = proof.Challenge(f["code_challenge"], f["code_challenge_method"], required)
	return err
}

// readScope: RFC 6749 §3.3.
func (a *Room) readScope(q *request, f form.Values) (err error) {
	q.scopes, err = a.Scopes.ForClient(q.client, f["scope"])
	return err
}

// readPrompt: OpenID Connect Core §3.1.2.1.
func readPrompt(q *request, _ form.Values) error {
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

// readMaxAge: OpenID Connect Core §3.1.2.1; seconds.
func readMaxAge(q *request, f form.Values) error {
	text, sent := f["max_age"]
	if !sent {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return invalid("The parameter max_age is not a whole number of seconds.")
	}
	q.maxAge, q.hasMaxAge = time.Duration(seconds)*time.Second, true
	return nil
}

func invalid(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}
