package clientauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// assertionType is what client_assertion_type says of a JWT (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	// skew is how far a client's clock may be off.
	skew = 30 * time.Second
	// longestLife is how far ahead exp may lie, which is also how long a jti is
	// remembered.
	longestLife = 5 * time.Minute
	// longestLifeTolerated holds for clients of the certification profile: software
	// that OpenID Connect Core §9 leaves free to choose.
	longestLifeTolerated = time.Hour
)

// assertionTypes are the values of typ that an assertion may have: none, the
// general one, and its own (draft-ietf-oauth-rfc7523bis §4). A JWT that was made
// for something else is no assertion (RFC 8725 §3.11).
var assertionTypes = []string{"", "jwt", "client-authentication+jwt"}

// assertion is a JWT by which a client authenticates (RFC 7523 §3), as it reads.
type assertion struct {
	jws    string
	header clientkeys.Header
	claims assertionClaims
}

// readAssertion reads client_assertion (RFC 7521 §4.2), for both methods: which
// of them it is follows from its algorithm.
func (a *Authenticator) readAssertion(_ *http.Request, f form.Values) (credentials, bool, error) {
	jws, typ := f["client_assertion"], f["client_assertion_type"]
	switch {
	case jws == "" && typ == "":
		return credentials{}, false, nil
	case jws == "":
		return credentials{}, false, badAssertion("The parameter client_assertion is missing.", nil)
	case typ != assertionType:
		return credentials{}, false, badAssertion("The parameter client_assertion_type must be "+assertionType+".", nil)
	}
	payload, header, err := clientkeys.Read(jws, a.algorithms())
	if err != nil {
		return credentials{}, false, badAssertion("The parameter client_assertion is not a JWT that is signed with an algorithm this server accepts.", err)
	}
	claims, err := parseAssertion(payload)
	if err != nil {
		return credentials{}, false, badAssertion("The claims of the client_assertion are malformed.", err)
	}
	switch id := f["client_id"]; {
	case claims.subject == "" || claims.subject != claims.issuer:
		return credentials{}, false, badAssertion("The claims iss and sub of the client_assertion must both be the client id.", nil)
	case id != "" && id != claims.subject:
		return credentials{}, false, badAssertion("The parameter client_id differs from the client in the client_assertion.", nil)
	}
	method := oauth.AuthPrivateKeyJWT
	if slices.Contains(secretAlgorithms, header.Algorithm) {
		method = oauth.AuthSecretJWT
	}
	return credentials{method: method, clientID: claims.subject, assertion: assertion{jws: jws, header: header, claims: claims}}, true, nil
}

// algorithms are those that an assertion may be signed with here.
func (a *Authenticator) algorithms() []string { return Algorithms(a.methods()) }

// assertionClaims are the claims that count (RFC 7523 §3).
type assertionClaims struct {
	issuer, subject, id         string
	audience                    []string
	expires, issued, notBefore  time.Time
	hasExp, hasIssued, hasStart bool
}

// parseAssertion reads the claims of an assertion. Whatever it does not know it
// passes over (RFC 7519 §4).
func parseAssertion(payload []byte) (c assertionClaims, err error) {
	members, err := strictjson.Members(payload)
	if err != nil {
		return c, err
	}
	for name, target := range map[string]*string{"iss": &c.issuer, "sub": &c.subject, "jti": &c.id} {
		if raw, there := members[name]; there && (json.Unmarshal(raw, target) != nil || !clean(*target)) {
			return c, fmt.Errorf("%s is not a string", name)
		}
	}
	if c.audience, err = audience(members["aud"]); err != nil {
		return c, err
	}
	for _, t := range []struct {
		name string
		at   *time.Time
		sent *bool
	}{{"exp", &c.expires, &c.hasExp}, {"iat", &c.issued, &c.hasIssued}, {"nbf", &c.notBefore, &c.hasStart}} {
		raw, there := members[t.name]
		if !there {
			continue
		}
		if *t.at, err = numericDate(raw); err != nil {
			return c, fmt.Errorf("%s %w", t.name, err)
		}
		*t.sent = true
	}
	return c, nil
}

// audience reads aud: a string or an array of strings (RFC 7519 §4.1.3).
func audience(raw json.RawMessage) ([]string, error) {
	if raw == nil {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("aud is neither a string nor an array of strings")
	}
	return list, nil
}

// numericDate reads seconds since 1970, whole or not (RFC 7519 §2).
func numericDate(raw json.RawMessage) (time.Time, error) {
	var seconds *float64
	if err := json.Unmarshal(raw, &seconds); err != nil || seconds == nil || math.Abs(*seconds) > 1<<40 {
		return time.Time{}, errors.New("is not a number of seconds")
	}
	whole, fraction := math.Modf(*seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// checkAssertion holds a well-signed assertion to RFC 7523 §3, and uses it up. The
// client has shown that it is the client, so it may know what is wrong.
func (a *Authenticator) checkAssertion(ctx context.Context, client *oauth.Client, given assertion, path string) error {
	now, c := a.cfg.Now(), given.claims
	most := longestLife
	if client.Under(a.cfg.Profile) == oauth.ProfileCertification {
		most = longestLifeTolerated
	}
	registered := client.Metadata.TokenAuthAlg
	switch {
	case registered != "" && given.header.Algorithm != registered:
		return wrongAssertion("This client is registered to sign client assertions with " + registered + ".")
	case !slices.Contains(assertionTypes, strings.TrimPrefix(strings.ToLower(given.header.Type), "application/")):
		return wrongAssertion("The typ of the client assertion says that it is something else.")
	case !slices.ContainsFunc(c.audience, func(aud string) bool { return a.meansUs(aud, path) }):
		return wrongAssertion("The aud of the client assertion must be the issuer of this server, or the URL of its token endpoint.")
	case !c.hasExp:
		return wrongAssertion("The client assertion has no exp.")
	case !now.Before(c.expires.Add(skew)):
		return wrongAssertion("The client assertion has expired.")
	case c.expires.After(now.Add(most + skew)):
		return wrongAssertion(fmt.Sprintf("The client assertion lives too long: exp may be %d minutes ahead.", most/time.Minute))
	case c.hasIssued && c.issued.After(now.Add(skew)):
		return wrongAssertion("The client assertion was issued in the future: iat is ahead of the clock of this server.")
	case c.hasStart && c.notBefore.After(now.Add(skew)):
		return wrongAssertion("The client assertion is not valid yet: nbf is ahead of the clock of this server.")
	case c.id == "":
		return wrongAssertion("The client assertion has no jti.")
	}
	switch err := a.cfg.Store.SeenJTI(ctx, replayKey(client.ID, c.id), now, c.expires.Add(skew)); {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrUsed):
		return wrongAssertion("The client assertion was used before: each jti counts once.")
	default:
		return fmt.Errorf("remember client assertion: %w", err)
	}
}

// meansUs reports whether an audience names this server: by its issuer, by its
// token endpoint, which RFC 7523 §3 and OpenID Connect Core §9 recommended before
// draft-ietf-oauth-rfc7523bis, or by the endpoint that is asked (RFC 9126 §2).
func (a *Authenticator) meansUs(aud, path string) bool {
	return aud != "" && (aud == a.cfg.Issuer || aud == a.cfg.Issuer+"/oauth/token" || aud == a.origin+path)
}

// origin is scheme and host of a URL.
func origin(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return issuer
	}
	return u.Scheme + "://" + u.Host
}

// replayKey names a client's jti in the store. Two clients may use the same one.
func replayKey(clientID, jti string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %s", len(clientID), clientID, jti)
	return "client_assertion|" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// badAssertion refuses an assertion that cannot be read. What it says follows
// from the request alone.
func badAssertion(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidClient, Description: description, Cause: cause}
}

func wrongAssertion(description string) error {
	return &failure{detail: "wrong client assertion", answer: &oauth.Error{Code: oauth.InvalidClient, Description: description}}
}
