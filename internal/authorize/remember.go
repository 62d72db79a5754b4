package authorize

import (
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/oauth"
)

// mustAsk decides whether the person has to be asked. Our own software need not
// ask, and a live grant that covers the request is a remembered consent; both only
// if nobody else can receive the answer: an https redirect URI or a secret proves
// the client, while any program can listen where a native one does (RFC 8252 §8.6).
func (a *Room) mustAsk(q *request, allowed []*oauth.Grant) bool {
	proven := strings.HasPrefix(q.redirectURI, "https://") || !q.client.Public() && q.responseType == oauth.ResponseTypeCode
	switch {
	case slices.Contains(q.prompt, "consent"):
		return true
	case !proven:
		return true
	case q.client.FirstParty:
		return false
	case a.AlwaysConsent:
		return true
	}
	return !slices.ContainsFunc(allowed, func(g *oauth.Grant) bool { return covers(g, q) })
}

// covers: the grant allows the same or more, for the same or more resources.
func covers(g *oauth.Grant, q *request) bool {
	return oauth.ContainsScopes(allowedBy(g), q.wants()) && within(q.resources, g.Resources)
}

// wants are the scopes that a person is asked about: those of the request, and
// those whose claims it asks for one by one (OpenID Connect Core §5.5).
func (q *request) wants() []string { return union(q.scopes, q.claims.Scopes()) }

// allowedBy is the same of a grant.
func allowedBy(g *oauth.Grant) []string { return union(g.Scopes, scopesOf(g.Claims)) }

// scopesOf are the scopes whose claims a kept claims parameter asks for.
func scopesOf(kept string) []string {
	asked, err := claims.ParseRequest(kept)
	if err != nil {
		return nil
	}
	return asked.Scopes()
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// within: a grant for no resource is for the server's own API, which is something
// else than any resource.
func within(asked, allowed []string) bool {
	if len(asked) == 0 || len(allowed) == 0 {
		return len(asked) == len(allowed)
	}
	return oauth.ContainsScopes(allowed, asked)
}
