package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Client is one registered client of a server.
type Client struct {
	Server    *Server
	ID        string
	Secret    string // empty: the client is public
	Post      bool   // the secret goes into the form, not into the header
	Scopes    []string
	Resources []string // RFC 8707
}

// Answer is what a token endpoint gave.
type Answer struct {
	// Raw is the token response as it came (RFC 6749 §5.1).
	Raw json.RawMessage
	// AccessToken and IDToken are read from it.
	AccessToken, IDToken string
	// Nonce is what the ID token must hold; empty: nothing was asked.
	Nonce string
}

// Device runs the device flow (RFC 8628). show tells the person what to do.
func (c *Client) Device(ctx context.Context, show func(*oauth2.DeviceAuthResponse)) (*Answer, error) {
	if c.Server.Device == "" {
		return nil, errors.New("the server's metadata names no device authorization endpoint")
	}
	config, w := c.config(), c.wire(nil)
	ctx = w.into(ctx)
	codes, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, told(c.Server.Device, err)
	}
	if codes.DeviceCode == "" || codes.UserCode == "" || codes.VerificationURI == "" {
		return nil, fmt.Errorf("%s answers without device_code, user_code and verification_uri", c.Server.Device)
	}
	show(codes)
	_, err = config.DeviceAccessToken(ctx, codes)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, refusef("nobody confirmed the code %s in time", codes.UserCode)
	}
	return w.answer(err)
}

// Credentials gets a token for the client itself (RFC 6749 §4.4).
func (c *Client) Credentials(ctx context.Context) (*Answer, error) {
	config, w := c.config(), c.wire(nil)
	cc := clientcredentials.Config{
		ClientID: c.ID, ClientSecret: c.Secret, TokenURL: c.Server.Token, Scopes: c.Scopes, AuthStyle: config.Endpoint.AuthStyle,
	}
	_, err := cc.Token(w.into(ctx))
	return w.answer(err)
}

// Refresh exchanges a refresh token (RFC 6749 §6).
func (c *Client) Refresh(ctx context.Context, token string) (*Answer, error) {
	more := url.Values{}
	if len(c.Scopes) > 0 {
		more.Set("scope", strings.Join(c.Scopes, " "))
	}
	w := c.wire(more)
	_, err := c.config().TokenSource(w.into(ctx), &oauth2.Token{RefreshToken: token}).Token()
	return w.answer(err)
}

// Introspect asks what a token is (RFC 7662 §2).
func (c *Client) Introspect(ctx context.Context, token string) (map[string]any, error) {
	form, headers := url.Values{"token": {token}}, []string{"Accept", "application/json"}
	switch {
	case c.Secret != "" && !c.Post:
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
		headers = append(headers, "Authorization", r.Header.Get("Authorization"))
	default:
		form.Set("client_id", c.ID)
		if c.Secret != "" {
			form.Set("client_secret", c.Secret)
		}
	}
	a, err := newWeb().post(ctx, c.Server.Introspection, form, headers...)
	if err != nil {
		return nil, err
	}
	return numbers(a, c.Server.Introspection)
}

// Person asks who the person is (OpenID Connect Core §5.3). A signed answer is
// returned as the token it is, for [Verify].
func (s *Server) Person(ctx context.Context, token string) (claims map[string]any, signed string, err error) {
	a, err := newWeb().get(ctx, s.UserInfo, "Authorization", "Bearer "+token, "Accept", "application/json, application/jwt")
	if err != nil {
		return nil, "", err
	}
	if a.mediaType == "application/jwt" && a.status == http.StatusOK {
		return nil, strings.TrimSpace(string(a.body)), nil
	}
	claims, err = numbers(a, s.UserInfo)
	return claims, "", err
}

// numbers reads a JSON object and keeps its numbers as they are written.
func numbers(a *answer, address string) (map[string]any, error) {
	var raw json.RawMessage
	if err := a.object(address, &raw); err != nil {
		return nil, err
	}
	return readObject(raw)
}

func readObject(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("it is not a JSON object: %w", err)
	}
	return out, nil
}

// config is the client as x/oauth2 knows it.
func (c *Client) config() *oauth2.Config {
	style := oauth2.AuthStyleInParams // a public client's id goes into the form
	if c.Secret != "" && !c.Post {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{
		ClientID: c.ID, ClientSecret: c.Secret, Scopes: c.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: c.Server.Authorization, TokenURL: c.Server.Token, DeviceAuthURL: c.Server.Device, AuthStyle: style},
	}
}

// wire is the transport below x/oauth2. It adds to forms what x/oauth2 has no
// word for, and keeps the token response as it came.
type wire struct {
	client *Client
	more   url.Values // for the token endpoint
	web    *web
	raw    []byte
}

func (c *Client) wire(more url.Values) *wire { return &wire{client: c, more: more, web: newWeb()} }

// into makes x/oauth2 use the wire.
func (w *wire) into(ctx context.Context) context.Context {
	client := *w.web.client
	client.Transport = w
	return context.WithValue(ctx, oauth2.HTTPClient, &client)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Method == http.MethodPost {
		if err := w.complete(r); err != nil {
			return nil, err
		}
	}
	resp, err := w.web.client.Transport.RoundTrip(r)
	if err != nil || r.URL.String() != w.client.Server.Token {
		return resp, err
	}
	defer resp.Body.Close()
	if w.raw, err = io.ReadAll(io.LimitReader(resp.Body, MaxBody)); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(w.raw))
	return resp, nil
}

// complete adds the resources, and at the device authorization endpoint what
// proves the client (RFC 8628 §3.1).
func (w *wire) complete(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return err
	}
	c := w.client
	for _, resource := range c.Resources {
		form.Add("resource", resource)
	}
	if r.URL.String() == c.Server.Token {
		for name, values := range w.more {
			form[name] = values
		}
	} else if c.Secret != "" && c.Post {
		form.Set("client_secret", c.Secret)
	} else if c.Secret != "" {
		form.Del("client_id")
		r.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.Secret))
	}
	text := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return nil
}

// answer is what came of a token request.
func (w *wire) answer(err error) (*Answer, error) {
	if err != nil {
		return nil, told(w.client.Server.Token, err)
	}
	var read struct {
		AccessToken string `json:"access_token"`
		IDToken     string `json:"id_token"`
	}
	if err := json.Unmarshal(w.raw, &read); err != nil {
		return nil, fmt.Errorf("what %s answers is not a JSON object: %w", w.client.Server.Token, err)
	}
	return &Answer{Raw: w.raw, AccessToken: read.AccessToken, IDToken: read.IDToken}, nil
}

// told puts an error of x/oauth2 into words.
func told(address string, err error) error {
	var r *oauth2.RetrieveError
	switch {
	case errors.As(err, &r) && r.ErrorCode != "":
		return refused(r.ErrorCode, r.ErrorDescription)
	case errors.As(err, &r):
		return fmt.Errorf("%s answers %s, and no OAuth error", address, r.Response.Status)
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return unreachable(address, err)
	}
	return err
}

// UsePost reports whether a secret must go into the form: the server says which
// methods it knows, and the header is not among them.
func (s *Server) UsePost() bool {
	return len(s.AuthMethods) > 0 && !slices.Contains(s.AuthMethods, "client_secret_basic") && slices.Contains(s.AuthMethods, "client_secret_post")
}
