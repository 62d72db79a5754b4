package requestobject

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// Reference reads the request object behind a registered request_uri (RFC 9101
// §5.2, OpenID Connect Core §6.2). One that is not registered is not fetched, or
// anybody could send us anywhere. A refusal is an [*oauth.Error] of code
// invalid_request_uri or invalid_request_object.
func (p *Parser) Reference(ctx context.Context, c *oauth.Client, uri string, at time.Time) (form.Values, error) {
	plain, _, _ := strings.Cut(uri, "#")
	if !slices.ContainsFunc(c.Metadata.RequestURIs, func(registered string) bool {
		r, _, _ := strings.Cut(registered, "#")
		return r == plain
	}) {
		return nil, &oauth.Error{Code: oauth.InvalidRequestURI, Description: "The parameter request_uri is not one that this client registered."}
	}
	if !p.rate.Take(peer.From(ctx).Network()) {
		return nil, &oauth.Error{Code: oauth.InvalidRequestURI, Description: "Too many request objects were asked for from this network. Wait a minute."}
	}
	doc, err := p.Fetch.Get(ctx, plain, fetch.Options{Accept: "application/oauth-authz-req+jwt, application/jwt, text/plain;q=0.5", MaxBytes: clientkeys.MaxJWS})
	if err != nil {
		return nil, &oauth.Error{Code: oauth.InvalidRequestURI, Description: "The request object behind request_uri could not be fetched: " + fetch.Reason(err) + ".", Cause: err}
	}
	return p.Object(ctx, c, string(doc.Body), at)
}
