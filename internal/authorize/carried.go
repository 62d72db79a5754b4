package authorize

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/oauth"
)

// carrier is what brought the parameters of a request.
type carrier string

const (
	inTheOpen   carrier = ""            // the URL
	byObject    carrier = "request"     // a request object (RFC 9101 §5.1)
	byReference carrier = "request_uri" // a request object behind a URL (RFC 9101 §5.2)
	byPush      carrier = "pushed"      // sent ahead (RFC 9126)
)

// pushedPrefix begins every request_uri of a pushed request (RFC 9126 §2.2).
const pushedPrefix = "urn:ietf:params:oauth:request_uri:"

// unpack reads the parameters that something else carries. Then nothing beside
// them counts, even what they lack (RFC 9101 §5, RFC 9126 §4): what is outside was
// not signed. Only a fault of our own machinery, or a refusal that cannot be sent
// to the client, comes back as an error; other refusals wait for their turn.
func (a *Room) unpack(ctx context.Context, q *request) error {
	inside, err := a.carried(ctx, q)
	if refusal := (*oauth.Error)(nil); errors.As(err, &refusal) {
		if q.form["redirect_uri"] == "" { // the redirect URI was inside
			return &fault{err: refusal, client: q.client, parameter: strings.Replace(string(q.carrier), string(byPush), string(byReference), 1)}
		}
		q.carryErr = refusal
		return nil
	}
	if err != nil {
		return err
	}
	q.form = inside
	return nil
}

// carried returns the parameters of the request, and notes what carried them.
func (a *Room) carried(ctx context.Context, q *request) (form.Values, error) {
	object, uri := q.sent["request"], q.sent["request_uri"]
	var read func(context.Context, *oauth.Client, string, time.Time) (form.Values, error)
	switch {
	case object == "" && uri == "":
		return q.sent, nil
	case object != "" && uri != "":
		q.carrier = byObject
		return nil, invalid("The parameters request and request_uri exclude each other.") // RFC 9101 §5
	case strings.HasPrefix(uri, pushedPrefix):
		q.carrier = byPush
		return a.pushed(ctx, q, uri)
	case object != "":
		q.carrier, read = byObject, a.Object
	default:
		q.carrier, read, object = byReference, a.Reference, uri
	}
	if read == nil {
		return nil, notSupported(q.carrier)
	}
	inside, err := read(ctx, q.client, object, a.since(q))
	if err != nil {
		return nil, err
	}
	return inside, a.consistent(q, inside)
}

// notSupported: what cannot be read must not be ignored (OpenID Connect Core
// §6.1, §6.2).
func notSupported(by carrier) error {
	if by == byObject {
		return &oauth.Error{Code: oauth.RequestNotSupported, Description: "The parameter request is not supported."}
	}
	return &oauth.Error{Code: oauth.RequestURINotSupported, Description: "The parameter request_uri is not supported."}
}

// consistent: a request object is about the client that sends it, does not
// contradict the response type beside it, and carries no other object (RFC 9101
// §4, §6.3, OpenID Connect Core §6.1).
func (a *Room) consistent(q *request, inside form.Values) error {
	in, beside := canonical(inside["response_type"]), canonical(q.sent["response_type"])
	switch {
	case in != "" && beside != "" && in != beside:
		return &oauth.Error{Code: oauth.InvalidRequestObject, Description: "The response_type inside the request object is not the response_type beside it."}
	case inside["client_id"] != q.client.ID:
		return &oauth.Error{Code: oauth.InvalidRequestObject, Description: "The client_id inside the request object is missing or is not the client_id beside it."}
	case inside["request"] != "" || inside["request_uri"] != "":
		return &oauth.Error{Code: oauth.InvalidRequestObject, Description: "The request object must hold neither request nor request_uri."}
	}
	return nil
}

// pushed returns the parameters of a pushed request.
func (a *Room) pushed(ctx context.Context, q *request, uri string) (form.Values, error) {
	if a.Pushed == nil {
		return nil, notSupported(q.carrier)
	}
	p, err := a.Pushed(ctx, q.client, uri, a.since(q))
	if err != nil {
		return nil, err
	}
	q.pushedID = p.ID
	return form.New(p.Form, p.Resources), nil
}

// since is when the person came with the request first. Somebody who is back from
// signing in may find it expired meanwhile, but it was valid then.
func (a *Room) since(q *request) time.Time {
	if since, brought := a.asked(q); brought {
		return since
	}
	return a.Now()
}

// Check validates a request that the client, which has authenticated, pushes, as
// the endpoint itself would (RFC 9126 §2.1). It returns the parameters to keep:
// those of the request object, if one was pushed. Its refusals answer the client.
func (a *Room) Check(ctx context.Context, client *oauth.Client, f form.Values) (form.Values, error) {
	q := &request{sent: f, form: f, client: client}
	var err error
	if q.form, err = a.carried(ctx, q); err != nil {
		return nil, err
	}
	if q.redirectURI, err = identifyRedirect(client, q.form["redirect_uri"]); err != nil {
		return nil, redirectRefusal(err)
	}
	if err := requireSigned(client, q.carrier); err != nil {
		return nil, err
	}
	q.uriSent, q.prompt = q.form["redirect_uri"] != "", strings.Fields(q.form["prompt"])
	q.mode, q.carrier = a.modeFor(q), byPush
	return q.form, a.readParams(ctx, q)
}

// redirectRefusal says for a machine what identifyRedirect says on a page.
func redirectRefusal(err error) error {
	var f *fault
	var refusal *oauth.Error
	if errors.As(err, &f) && errors.As(f.err, &refusal) && f.got != "" {
		return invalid("The parameter redirect_uri does not match any redirect URI of this client.")
	}
	return err
}

// requireCarrier: some clients, and some servers, take only requests that nobody
// can have changed on the way (RFC 9126 §5, RFC 9101 §10.5).
func (a *Room) requireCarrier(_ context.Context, q *request) error {
	if q.carrier == byPush {
		return nil // Check saw to the rest
	}
	if a.RequirePushed || q.client.Metadata.RequirePushed {
		return invalid("Requests must be pushed first: send them to the pushed authorization request endpoint and bring its request_uri.")
	}
	return requireSigned(q.client, q.carrier)
}

func requireSigned(client *oauth.Client, by carrier) error {
	if client.Metadata.RequireSignedObject && by != byObject && by != byReference {
		return invalid("This client is registered to send its requests in a signed request object.")
	}
	return nil
}
