package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// maxReply bounds the introspection reply, in bytes.
const maxReply = 64 << 10

// IntrospectionConfig says where tokens are introspected (RFC 7662). URL,
// ClientID and ClientSecret are required.
type IntrospectionConfig struct {
	// URL of the introspection endpoint: https, or plain http on loopback.
	URL string
	// ClientID and ClientSecret authenticate this API to the server, by HTTP
	// Basic (RFC 6749 §2.3.1).
	ClientID     string
	ClientSecret oauth.Secret
	// Audience is what this API is called in tokens: the resource that clients name
	// (RFC 8707). A token that is meant for others opens nothing here; one that is
	// meant for nobody in particular does. Empty: only the latter.
	Audience string
	// HTTPClient makes the requests; nil: one that gives up after ten seconds.
	// Redirects are never followed.
	HTTPClient *http.Client
	// Cache is how long a token that was alive may be served from memory without
	// asking again, and so how long a revoked one may still open doors. Never
	// beyond the token's expiry. Zero: not at all. A minute is a good start.
	Cache time.Duration
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Introspection returns a Verifier that asks the authorization server about
// each token. The reply must say that the token's type is Bearer: what has no
// type may be a refresh token, and what is bound to a key (DPoP, or RFC 7800
// cnf) is not proven by showing it. When the server cannot be reached, or answers
// 5xx or 429, requests are refused as temporarily_unavailable; any other answer
// that makes no sense is a fault.
func Introspection(c IntrospectionConfig) (Verifier, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err == nil && u.User != nil:
		return nil, errors.New("resource: the introspection URL holds a user; use ClientID and ClientSecret")
	case err != nil || u.Host == "" || u.Fragment != "":
		return nil, fmt.Errorf("resource: introspection URL %q is not an absolute URL", c.URL)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, fmt.Errorf("resource: introspection URL %q must use https; plain http is for loopback addresses only", c.URL)
	case c.ClientID == "" || c.ClientSecret == "":
		return nil, errors.New("resource: introspection needs a ClientID and a ClientSecret (RFC 7662 §2.1)")
	case c.Cache < 0:
		return nil, errors.New("resource: IntrospectionConfig.Cache is negative")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	client := http.Client{Timeout: 10 * time.Second}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	i := &introspector{cfg: c, client: &client}
	if c.Cache == 0 {
		return i.verify, nil
	}
	return newCache(c.Cache, c.Now).wrap(i.verifyUntil), nil
}

type introspector struct {
	cfg    IntrospectionConfig
	client *http.Client
}

func (i *introspector) verify(ctx context.Context, token oauth.Secret) (*oauth.Principal, error) {
	p, _, err := i.verifyUntil(ctx, token)
	return p, err
}

// verifyUntil asks about the token. The time is when it expires, zero if that
// was not said.
func (i *introspector) verifyUntil(ctx context.Context, token oauth.Secret) (*oauth.Principal, time.Time, error) {
	body, err := i.ask(ctx, token)
	if err != nil {
		return nil, time.Time{}, err
	}
	reply, err := parseReply(body)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("resource: introspection reply: %w", err)
	}
	return reply.judge(i.cfg.Audience, i.cfg.Now())
}

// ask sends the introspection request (RFC 7662 §2.1) and returns the body of a
// 200 reply in JSON.
func (i *introspector) ask(ctx context.Context, token oauth.Secret) ([]byte, error) {
	form := url.Values{"token": {string(token)}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.cfg.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("resource: introspection: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(url.QueryEscape(i.cfg.ClientID), url.QueryEscape(string(i.cfg.ClientSecret)))
	resp, err := i.client.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return nil, unavailable(err)
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return nil, unavailable(fmt.Errorf("introspection answered %s", resp.Status))
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("resource: introspection answered %s; are the client id and secret right?", resp.Status)
	case mediaType != "application/json":
		return nil, fmt.Errorf("resource: introspection answered %q instead of application/json", mediaType)
	case len(body) > maxReply:
		return nil, fmt.Errorf("resource: the introspection reply is larger than %d bytes", maxReply)
	}
	return body, nil
}

func unavailable(cause error) error {
	return &oauth.Error{Code: oauth.TemporarilyUnavailable,
		Description: "The access token cannot be checked at the moment.", Cause: cause}
}

// reply is an introspection reply (RFC 7662 §2.2), as far as it matters here.
type reply struct {
	active           bool
	scope, sub       string
	clientID, jti    string
	tokenType        string
	expires, goodFor int64 // exp and nbf; seconds, zero: not said
	bound            bool
	restricted       bool     // aud says for whom it is
	audience         []string // aud
}

// parseReply reads the reply's members by their exact names.
func parseReply(body []byte) (*reply, error) {
	members, err := object(body)
	if err != nil {
		return nil, err
	}
	rep := &reply{}
	for name, into := range map[string]any{
		"active": &rep.active, "scope": &rep.scope, "sub": &rep.sub, "client_id": &rep.clientID, "jti": &rep.jti,
		"token_type": &rep.tokenType, "exp": &rep.expires, "nbf": &rep.goodFor,
	} {
		raw, ok := members[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, fmt.Errorf("member %s is of the wrong type", name)
		}
	}
	if _, ok := members["active"]; !ok {
		return nil, errors.New("member active is missing")
	}
	_, rep.bound = members["cnf"]
	if aud, ok := members["aud"]; ok && string(aud) != "null" {
		rep.restricted, rep.audience = true, audience(aud)
	}
	return rep, nil
}

// judge turns a reply into a principal or a refusal.
func (rep *reply) judge(audience string, now time.Time) (*oauth.Principal, time.Time, error) {
	none := time.Time{}
	refuse := func(why string) (*oauth.Principal, time.Time, error) {
		return nil, none, &oauth.Error{Code: oauth.InvalidToken, Cause: errors.New("introspection: " + why),
			Description: "The access token is unknown, expired or revoked."}
	}
	expires := none
	if rep.expires != 0 {
		expires = time.Unix(rep.expires, 0)
	}
	switch {
	case !rep.active:
		return refuse("not active")
	case !expires.IsZero() && !now.Before(expires):
		return refuse("exp has passed")
	case rep.goodFor != 0 && now.Before(time.Unix(rep.goodFor, 0)):
		return refuse("nbf has not come")
	case rep.restricted && (audience == "" || !slices.Contains(rep.audience, audience)):
		return refuse("for another audience")
	case rep.bound || !strings.EqualFold(rep.tokenType, "Bearer"):
		return refuse("not a bearer token")
	case rep.sub == "" && rep.clientID == "":
		return nil, none, errors.New("resource: introspection reply: an active token without sub and client_id")
	}
	scopes, err := oauth.ParseScope(rep.scope)
	if err != nil {
		return nil, none, errors.New("resource: introspection reply: member scope is not a list of scopes")
	}
	return &oauth.Principal{Subject: rep.sub, ClientID: rep.clientID, Scopes: scopes,
		Method: oauth.ByAccessToken, TokenID: rep.jti}, expires, nil
}

// object splits one JSON object into its members. encoding/json would match
// names in any case and let the last of two equal ones win; here the first is
// not done and the second is an error (RFC 7493 §2.3).
func object(data []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, errors.New("not valid JSON")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("not valid JSON")
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("member %q is there twice", name)
		}
		members[name.(string)] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("not valid JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something after the JSON object")
	}
	return members, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
