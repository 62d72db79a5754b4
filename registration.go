package valetkey

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/clientdoc"
	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/register"
	"github.com/valetkey/valetkey/internal/requestobject"
	"github.com/valetkey/valetkey/oauth"
)

// Registration lets software register itself (RFC 7591) and look after its
// registration (RFC 7592).
type Registration struct {
	// Mode is "token": whoever registers shows an initial access token of
	// [manage.Desk.CreateInitialToken]; or "open": anybody may register, at a bounded
	// rate from one network, but for client credentials. Empty: nobody.
	Mode string
	// Profile holds clients that register themselves to its rules; empty: the server's.
	Profile oauth.Profile
	// Unused is how long a registration is kept that nobody uses; 30 days.
	Unused time.Duration
	// Burst is how many clients may be registered at once from one network where
	// anybody may, before it is one every five seconds; 60.
	Burst int
}

// ClientDocuments accepts clients whose id is the https URL of a document that
// describes them (OAuth Client ID Metadata Document).
type ClientDocuments struct {
	Enabled bool
	// Allow lists the hosts whose documents are accepted, or "*.example.org" for all
	// below one; empty: every host but the issuer's own. Deny lists those that are
	// not, whatever Allow says.
	Allow, Deny []string
}

// The values of Registration.Mode.
const (
	registrationToken = "token"
	registrationOpen  = "open"
)

// checkRegistration refuses what cannot be.
func (c Config) checkRegistration() error {
	r := c.Registration
	if !slices.Contains([]string{"", registrationToken, registrationOpen}, r.Mode) {
		return fmt.Errorf("valetkey: Registration.Mode is %q; it may be empty, token or open", r.Mode)
	}
	for name, profile := range map[string]oauth.Profile{"Profile": c.Profile, "Registration.Profile": r.Profile} {
		if !slices.Contains([]oauth.Profile{oauth.ProfileOfServer, oauth.ProfileDefault, oauth.ProfileCertification}, profile) {
			return fmt.Errorf("valetkey: there is no profile %q (%s)", profile, name)
		}
	}
	if r.Burst < 1 {
		return fmt.Errorf("valetkey: Registration.Burst is %d; one is the least", r.Burst)
	}
	if r.Unused < time.Hour {
		return fmt.Errorf("valetkey: Registration.Unused is %v; a person needs time to sign in, so an hour is the least", r.Unused)
	}
	for name, list := range map[string][]string{"Allow": c.ClientDocuments.Allow, "Deny": c.ClientDocuments.Deny} {
		if err := clientdoc.CheckHosts(list); err != nil {
			return fmt.Errorf("valetkey: ClientDocuments.%s: %w", name, err)
		}
	}
	return nil
}

// buildRegistration makes the rules for what clients say about themselves, and
// what finds clients that are documents.
func (s *Server) buildRegistration() error {
	s.rules = &clientmeta.Rules{
		GrantTypes:    []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantDeviceCode, oauth.GrantClientCredentials},
		ResponseTypes: s.responseTypes(), Scopes: s.scopes, Fetch: s.fetch, OptionalPKCE: s.cfg.Compat.OptionalPKCE,
		ClientAlgs: requestobject.Algorithms, SecretAlgs: clientauth.Algorithms([]oauth.AuthMethod{oauth.AuthSecretJWT}),
	}
	if s.cfg.Compat.Implicit || s.cfg.Compat.Hybrid {
		s.rules.GrantTypes = append(s.rules.GrantTypes, oauth.GrantImplicit)
	}
	for _, m := range s.clients.Methods() {
		s.rules.AuthMethods = append(s.rules.AuthMethods, oauth.AuthMethod(m))
	}
	if s.keys != nil {
		s.rules.SigningAlgs, s.rules.JWTAccessTokens = s.keys.Algorithms(), true
		s.rules.SubjectTypes = []string{oauth.SubjectPublic, oauth.SubjectPairwise}
	}
	s.documents = clientdoc.New(clientdoc.Config{
		Store: s.cfg.Store, Rules: s.rules, Fetch: s.fetch, Now: s.cfg.Now,
		Allow: s.cfg.ClientDocuments.Allow, Deny: s.cfg.ClientDocuments.Deny, Issuer: s.cfg.Issuer,
	})
	return nil
}

// resolveClient is nil unless clients may be documents.
func (s *Server) resolveClient() func(context.Context, string) error {
	if !s.cfg.ClientDocuments.Enabled {
		return nil
	}
	return func(ctx context.Context, id string) error { return s.documents.Resolve(ctx, id) }
}

// sealSecret is nil unless there are keys to read a client's secret again with.
func (s *Server) sealSecret() func(oauth.Secret, string) string {
	if s.keys == nil {
		return nil
	}
	return func(secret oauth.Secret, id string) string {
		return s.ring.Seal([]byte(secret), keyring.ClientSecretPlace(id))
	}
}

// registrationRoutes are there if anybody may register.
func (s *Server) registrationRoutes(at mount) {
	mode := s.cfg.Registration.Mode
	if mode == "" {
		return
	}
	rules := *s.rules
	rules.Profile = cmp.Or(s.cfg.Registration.Profile, s.cfg.Profile)
	if mode == registrationOpen { // nobody vouches for a client that acts for itself
		rules.GrantTypes = slices.DeleteFunc(slices.Clone(rules.GrantTypes), func(g string) bool { return g == oauth.GrantClientCredentials })
	}
	room := register.New(register.Config{
		Store: s.cfg.Store, Mint: s.mint, Live: s.live, Rules: &rules, Issuer: s.cfg.Issuer, Now: s.cfg.Now,
		Initial: mode == registrationToken, Burst: s.cfg.Registration.Burst, Seal: s.sealSecret(),
	})
	at(register.Path, room.Registration())
	at(register.Pattern, room.Management())
}

// responseTypes are those that clients may be registered for.
func (s *Server) responseTypes() []string {
	types := []string{oauth.ResponseTypeCode}
	if s.cfg.Compat.Implicit {
		types = append(types, oauth.ResponseTypeToken)
	}
	if s.cfg.Compat.Hybrid {
		types = append(types, oauth.ResponseTypeCodeToken)
	}
	if s.keys == nil {
		return types
	}
	if s.cfg.Compat.Implicit {
		types = append(types, oauth.ResponseTypeIDToken, oauth.ResponseTypeIDTokenToken)
	}
	if s.cfg.Compat.Hybrid {
		types = append(types, oauth.ResponseTypeCodeIDToken, oauth.ResponseTypeCodeIDTokenToken)
	}
	return types
}
