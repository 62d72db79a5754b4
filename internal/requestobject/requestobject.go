package requestobject

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/throttle"
	"github.com/valetkey/valetkey/oauth"
)

// Algorithms are the JWS algorithms of request objects, for the metadata
// (request_object_signing_alg_values_supported).
var Algorithms = clientkeys.Algorithms

// typ is what a request object of RFC 9101 §10.8 calls itself.
const typ = "oauth-authz-req+jwt"

// skew is how far a client's clock may be off.
const skew = 30 * time.Second

// burst objects are fetched for a network at once, then one every refill. Whoever
// registers a slow URL would else have every place of the fetcher to themselves, and
// keys and notices of others could not be fetched and sent.
const (
	burst  = 60
	refill = 250 * time.Millisecond
)

// Config says what a parser is made of. All fields are required.
type Config struct {
	Issuer string // whom an object must be made for
	Keys   *clientkeys.Keys
	Fetch  *fetch.Fetcher
	Now    func() time.Time
}

// Parser reads request objects, and keeps none of them.
type Parser struct {
	Config
	rate *throttle.Throttle
}

// New returns a parser.
func New(c Config) *Parser { return &Parser{c, throttle.New(burst, refill, c.Now)} }

// Object reads a request object that was sent by value (RFC 9101 §5.1). A refusal
// is an [*oauth.Error] of code invalid_request_object. at is when the request came
// first: an object that was valid then may expire while the person signs in.
func (p *Parser) Object(ctx context.Context, c *oauth.Client, jws string, at time.Time) (form.Values, error) {
	payload, err := p.verify(ctx, c, strings.TrimSpace(jws))
	if err != nil {
		return nil, err
	}
	o, err := parse(payload)
	if err != nil {
		return nil, err
	}
	if err := p.check(c, o, at); err != nil {
		return nil, err
	}
	return form.New(o.params, o.resources), nil
}

// verify returns what the client signed, as a request object and as nothing else.
func (p *Parser) verify(ctx context.Context, c *oauth.Client, jws string) ([]byte, error) {
	if strings.Count(jws, ".") == 4 {
		return nil, invalid("The request object is encrypted, which this server does not support. Sign it and send it as it is.", nil)
	}
	algs := Algorithms
	if registered := c.Metadata.RequestObjectAlg; registered != "" {
		algs = []string{registered}
		if !slices.Contains(Algorithms, registered) {
			return nil, invalid("This client is registered to sign request objects with an algorithm that this server does not accept.", nil)
		}
	}
	if _, _, err := clientkeys.Read(jws, Algorithms); err != nil {
		return nil, invalid("The request object is not a JWT that is signed with an algorithm this server accepts.", err)
	}
	if _, _, err := clientkeys.Read(jws, algs); err != nil {
		return nil, invalid("The request object is not signed with the algorithm that this client is registered for.", err)
	}
	payload, header, err := p.Keys.Verify(ctx, c, jws, algs)
	if err != nil {
		return nil, invalid("The request object is not signed by a key of this client.", err)
	}
	kind := strings.TrimPrefix(strings.ToLower(header.Type), "application/")
	if !slices.Contains([]string{"", "jwt", typ}, kind) {
		return nil, invalid("The typ of the request object says that it is something else.", nil)
	}
	return payload, nil
}

// check holds the object's claims to RFC 9101 §4 and §6, and RFC 7519 §4.1.
func (p *Parser) check(c *oauth.Client, o *claims, now time.Time) error {
	switch {
	case o.issuer != nil && *o.issuer != c.ID:
		return invalid("The claim iss of the request object must be the client id.", nil)
	case o.subject != nil && *o.subject == c.ID:
		// An assertion that authenticates the client would pass for a request (RFC 9101 §10.8).
		return invalid("The claim sub of the request object must not be the client id.", nil)
	case o.audience != nil && !slices.Contains(o.audience, p.Issuer):
		return invalid("The claim aud of the request object must be the issuer of this server.", nil)
	case o.expires != nil && !now.Before(o.expires.Add(skew)):
		return invalid("The request object has expired.", nil)
	case o.notBefore != nil && o.notBefore.After(now.Add(skew)):
		return invalid("The request object is not valid yet: nbf is ahead of the clock of this server.", nil)
	case o.issued != nil && o.issued.After(now.Add(skew)):
		return invalid("The request object was issued in the future: iat is ahead of the clock of this server.", nil)
	case o.params["client_id"] != c.ID:
		return invalid("The client_id inside the request object is missing or is not the client that sends it.", nil) // RFC 9101 §5
	}
	return nil
}

func invalid(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidRequestObject, Description: description, Cause: cause}
}
