package claims

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// Subjects tells under which sub each client knows a person (OpenID Connect Core §8).
type Subjects struct {
	// Salt returns the secret of pairwise subjects.
	Salt func(ctx context.Context) ([]byte, error)
}

// Of returns the sub of the subject for the client: the subject itself, or, for a
// client that is registered for pairwise ones, a name that the clients of its
// sector share and nobody else can guess or compare (§8.1).
func (s *Subjects) Of(ctx context.Context, c *oauth.Client, subject string) (string, error) {
	if c.Metadata.SubjectType != oauth.SubjectPairwise {
		return subject, nil
	}
	return s.pairwise(ctx, c, subject)
}

// Session tells under which sid the client knows a session: its name, or one that
// differs as pairwise subjects do, for two clients could compare sids instead.
func (s *Subjects) Session(ctx context.Context, c *oauth.Client, sid string) (string, error) {
	if sid == "" || c.Metadata.SubjectType != oauth.SubjectPairwise {
		return sid, nil
	}
	return s.pairwise(ctx, c, "\x00sid:"+sid) // which no subject holds
}

func (s *Subjects) pairwise(ctx context.Context, c *oauth.Client, name string) (string, error) {
	sector, err := Sector(c)
	if err != nil {
		return "", err
	}
	salt, err := s.Salt(ctx)
	if err != nil {
		return "", fmt.Errorf("pairwise subject: %w", err)
	}
	mac := hmac.New(sha256.New, salt)
	fmt.Fprintf(mac, "%d:%s%s", len(sector), sector, name) // the length keeps the two apart
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// ErrSectors: a client with pairwise subjects has redirect URIs on several hosts
// and says by no sector_identifier_uri that they belong together.
var ErrSectors = errors.New("redirect URIs on several hosts need a sector_identifier_uri for pairwise subjects")

// Sector is the sector of a client (OpenID Connect Core §8.1): the host of its
// sector_identifier_uri, else the single host of its redirect URIs. The scheme
// stands for the host of a redirect URI that has none, and a client without
// redirect URIs is a sector of its own.
func Sector(c *oauth.Client) (string, error) {
	if uri := c.Metadata.SectorIdentifierURI; uri != "" {
		return host(uri)
	}
	if len(c.RedirectURIs) == 0 {
		return "client " + c.ID, nil
	}
	sector := ""
	for _, uri := range c.RedirectURIs {
		h, err := host(uri)
		switch {
		case err != nil:
			return "", err
		case sector != "" && h != sector:
			return "", ErrSectors
		}
		sector = h
	}
	return sector, nil
}

func host(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("%q has no host to be a sector", uri)
	}
	if h := u.Hostname(); h != "" {
		return strings.ToLower(h), nil
	}
	return strings.ToLower(u.Scheme) + ":", nil
}
