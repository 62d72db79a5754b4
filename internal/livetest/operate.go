package livetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/browser"
)

// RedirectURI is where the applications of tests send people back to. No
// server is there: a browser that stops at it has arrived.
const RedirectURI = "https://app.example/callback"

// Person can sign in.
type Person struct{ Email, Password string }

// CreatePerson makes a user from the command line.
func (s *Site) CreatePerson(ctx context.Context, p Person) error {
	_, err := s.Run(ctx, p.Password+"\n", "user", "create", p.Email, "--password-file", "-")
	return err
}

// CreateApplication registers a client from the command line with the further
// arguments of "valetkey client create" and returns it as the relying party
// that golang.org/x/oauth2 knows.
func (s *Site) CreateApplication(ctx context.Context, name string, args ...string) (*oauth2.Config, error) {
	out, err := s.Run(ctx, "", append([]string{"client", "create", "--name", name, "-o", "json"}, args...)...)
	if err != nil {
		return nil, err
	}
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		return nil, fmt.Errorf("valetkey client create: %w: %s", err, out)
	}
	style := oauth2.AuthStyleInHeader
	if made.Secret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: made.ID, ClientSecret: made.Secret, RedirectURL: RedirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: s.Issuer + "/oauth/authorize", TokenURL: s.Issuer + "/oauth/token", AuthStyle: style},
	}, nil
}

// Visitor is a person at a browser.
type Visitor struct {
	*browser.Browser
	Person Person
}

// NewVisitor returns a person who is not signed in yet. The transport may be
// shared; nil is a fresh one.
func NewVisitor(p Person, transport http.RoundTripper) *Visitor {
	b := browser.New(transport)
	b.StopAt = []string{RedirectURI}
	return &Visitor{Browser: b, Person: p}
}

// Stuck is where a visitor found no way on.
type Stuck struct{ Page *browser.Page }

func (s *Stuck) Error() string { return fmt.Sprintf("livetest: no way on from %v", s.Page) }

// maxForms is how many forms a person fills in before giving up.
const maxForms = 4

// Authorize goes through the authorization code flow as far as the code: it
// opens the application's authorization request and answers the forms it meets,
// signing in where asked and agreeing to everything. The request has more
// parameters if given.
func (v *Visitor) Authorize(app *oauth2.Config, verifier string, more ...oauth2.AuthCodeOption) (code string, err error) {
	page, err := v.Open(app.AuthCodeURL("state", append(more, oauth2.S256ChallengeOption(verifier))...))
	for n := 0; err == nil && page.Location == nil; n++ {
		form := page.Form()
		if n == maxForms || form == nil {
			return "", &Stuck{page}
		}
		if form.Values.Has("password") {
			form.Set("username", v.Person.Email).Set("password", v.Person.Password)
		}
		page, err = v.Send(form)
	}
	if err != nil {
		return "", err
	}
	if code = page.Location.Query().Get("code"); code == "" {
		return "", fmt.Errorf("livetest: sent back without a code: %v", page.Location)
	}
	return code, nil
}

// Token goes through the whole authorization code flow with PKCE.
func (v *Visitor) Token(ctx context.Context, app *oauth2.Config) (*oauth2.Token, error) {
	verifier := oauth2.GenerateVerifier()
	code, err := v.Authorize(app, verifier)
	if err != nil {
		return nil, err
	}
	return app.Exchange(ctx, code, oauth2.VerifierOption(verifier))
}

// CreateToken makes a personal access token for p from the command line.
func (s *Site) CreateToken(ctx context.Context, p Person, name string, scopes ...string) (string, error) {
	args := []string{"token", "create", "--name", name, "--user", p.Email}
	for _, scope := range scopes {
		args = append(args, "--scope", scope)
	}
	out, err := s.Run(ctx, "", args...)
	return strings.TrimSpace(out), err
}
