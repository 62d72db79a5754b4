package hostile

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// seed is one valid request that the others are mutations of.
type seed struct {
	method, path string
	query, form  url.Values
	json         string
	headers      []field
	// want is the answer when it is sent unchanged by whom it concerns; zero:
	// any success or redirect.
	want int
}

// refused marks a request that is well-formed and still not granted.
func (s seed) refused(status int) seed {
	s.want = status
	return s
}

// who the requests of a wave pretend to be.
type who struct {
	me    party // whose credentials they carry; the zero party: nobody's
	other party // whose things they are after
}

// seeds lists the valid requests of every route, with the ids of both parties.
func (w who) seeds() []seed {
	list := w.protocol()
	for _, p := range []party{w.me, w.other} {
		list = append(list, w.settings(p)...)
		list = append(list, w.admin(p)...)
		list = append(list, w.api(p)...)
	}
	return append(list, w.door()...)
}

func (w who) protocol() []seed {
	client := w.other.app.ClientID
	var as []field
	if w.me.app != nil {
		client = w.me.app.ClientID
		as = []field{{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(client+":"+w.me.app.ClientSecret))}}
	}
	authorize := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {livetest.RedirectURI}, "scope": {"test:scope"},
		"state": {"s"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}}
	code := url.Values{"grant_type": {"authorization_code"}, "code": {w.me.code}, "redirect_uri": {livetest.RedirectURI}, "code_verifier": {verifier}}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.me.refresh}, "scope": {"test:scope"}}
	credentials := url.Values{"grant_type": {"client_credentials"}, "scope": {"test:scope"}}
	password := url.Values{"grant_type": {"password"}, "username": {w.other.Email}, "password": {"wrong"}}
	device := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}}
	stolen := url.Values{"token": {w.other.pat}, "token_type_hint": {"refresh_token"}}
	bearer := []field{{"Authorization", "Bearer " + w.me.access}}
	session := w.session(nil)
	return []seed{
		{"GET", "/oauth/authorize", authorize, nil, "", session, 0},
		{"POST", "/oauth/authorize", nil, authorize, "", session, 0},
		{"POST", "/oauth/consent", nil, w.form("request", w.me.request, "confirm", "yes"), "", session, 0},
		{"POST", "/oauth/token", nil, code, "", as, 0},
		{"POST", "/oauth/token", nil, refresh, "", as, 0},
		seed{"POST", "/oauth/token", nil, credentials, "", as, 0}.refused(400),
		seed{"POST", "/oauth/token", nil, password, "", as, 0}.refused(400),
		seed{"POST", "/oauth/token", nil, device, "", as, 0}.refused(400),
		{"POST", "/oauth/revoke", nil, stolen, "", as, 0},
		{"POST", "/oauth/introspect", nil, stolen, "", as, 0},
		{"GET", "/oauth/errors", url.Values{"error": {"invalid_request"}, "error_description": {"text"}}, nil, "", nil, 0},
		{"GET", "/oauth/ping", nil, nil, "", bearer, 0},
		seed{"POST", "/oauth/ping", nil, url.Values{"access_token": {w.me.access}}, "", nil, 0}.refused(401),
		{"GET", "/oauth/info", nil, nil, "", bearer, 0},
		seed{"GET", "/oauth/invalid", nil, nil, "", bearer, 0}.refused(403),
		{"GET", "/oauth/jwks", nil, nil, "", nil, 0},
		{"GET", "/.well-known/oauth-authorization-server", nil, nil, "", nil, 0},
		{"GET", "/api/v1/openapi.yaml", nil, nil, "", nil, 0},
		seed{"GET", "/nothing/here", url.Values{"q": {"x"}}, nil, "", session, 0}.refused(404),
	}
}

func (w who) settings(p party) []seed {
	const base = "/account/settings/applications/"
	client := base + "clients/nobody/"
	if p.app != nil {
		client = base + "clients/" + p.app.ClientID + "/"
	}
	token, grant := base+"tokens/"+p.patID+"/", base+"tokens/"+p.grant+"/"
	s := w.session(nil)
	application := w.form("name", "Name", "website", "https://app.example/", "redirect_uris", "https://app.example/callback", "type", "web",
		"description", "Text", "public", "yes", "grant_types", "authorization_code", "auth_method", "client_secret_basic", "require_pkce", "yes",
		"scopes", "test:scope", "form_id", "0000000000000000000000")
	personal := w.form("name", "Name", "scopes", "test:scope", "expires_in", "30", "expires_at", "", "description", "Text", "form_id", "0000000000000000000000")
	return []seed{
		{"GET", base, url.Values{"done": {"token-revoked"}, "clients_after": {p.subject}}, nil, "", s, 0},
		{"GET", base + "clients/new/", nil, nil, "", s, 0},
		{"POST", base + "clients/new/", nil, application, "", s, 0},
		{"GET", client, nil, nil, "", s, 0},
		{"POST", client, nil, application, "", s, 0},
		{"POST", client, nil, w.form("delete", "yes", "name", "x"), "", s, 0},
		{"POST", client + "reset/", nil, w.form("reset", "yes", "keep_old", "24"), "", s, 0},
		{"GET", client + "delete/", nil, nil, "", s, 0},
		{"POST", client + "delete/", nil, w.form("delete", "yes", "name", "Application of "+p.Email), "", s, 0},
		{"GET", base + "tokens/new/", nil, nil, "", s, 0},
		{"POST", base + "tokens/new/", nil, personal, "", s, 0},
		{"GET", token, nil, nil, "", s, 0},
		{"POST", token, nil, personal, "", s, 0},
		{"GET", token + "revoke/", nil, nil, "", s, 0},
		{"POST", token + "revoke/", nil, w.form("confirm", "yes"), "", s, 0},
		{"POST", token + "regenerate/", nil, personal, "", s, 0},
		{"GET", grant + "view/", nil, nil, "", s, 0},
		{"POST", grant + "revoke/", nil, w.form("confirm", "yes"), "", s, 0},
		{"GET", "/account/settings/activity/", url.Values{"after": {p.patID}}, nil, "", s, 0},
	}
}

// admin are the pages of administrators, which are not there for anybody else.
func (w who) admin(p party) []seed {
	const base = "/admin/"
	s := w.session(nil)
	client := base + "applications/nobody/"
	if p.app != nil {
		client = base + "applications/" + p.app.ClientID + "/"
	}
	list := []seed{
		{"GET", base + "applications/", url.Values{"q": {"x"}, "after": {p.subject}}, nil, "", s, 0},
		{"GET", client, nil, nil, "", s, 0},
		{"GET", base + "tokens/", url.Values{"q": {"x"}, "after": {p.patID}}, nil, "", s, 0},
		{"GET", base + "tokens/" + p.patID + "/", nil, nil, "", s, 0},
		{"GET", base + "tokens/" + p.patID + "/revoke/", nil, nil, "", s, 0},
		{"POST", base + "tokens/" + p.patID + "/revoke/", nil, w.form("confirm", "yes"), "", s, 0},
		{"GET", base + "activity/", url.Values{"subject": {p.subject}}, nil, "", s, 0},
		{"GET", base + "users/", url.Values{"q": {"x"}, "after": {p.subject}}, nil, "", s, 0},
		{"GET", base + "users/new/", nil, nil, "", s, 0},
		{"POST", base + "users/new/", nil, w.form("email", "new@example.org", "name", "New", "password", "a new long passphrase"), "", s, 0},
		{"GET", base + "users/" + p.subject + "/", nil, nil, "", s, 0},
		{"GET", base + "users/" + p.subject + "/disable/", nil, nil, "", s, 0},
		{"POST", base + "users/" + p.subject + "/disable/", nil, w.form("confirm", "yes"), "", s, 0},
		{"POST", base + "users/" + p.subject + "/delete/", nil, w.form("confirm", "yes"), "", s, 0},
	}
	if !w.me.admin {
		for i := range list {
			list[i] = list[i].refused(http.StatusNotFound)
		}
	}
	return list
}

func (w who) api(p party) []seed {
	client := "nobody"
	if p.app != nil {
		client = p.app.ClientID
	}
	soon := time.Now().Add(time.Hour).UTC().Format(time.RFC3339) // a token makes none that outlives it
	var list []seed
	for _, headers := range [][]field{{{"Authorization", "Bearer " + w.me.pat}}, w.session([]field{{"X-CSRF-Token", w.me.proof}})} {
		list = append(list,
			seed{"GET", "/api/v1/tokens", url.Values{"after": {p.patID}, "limit": {"5"}}, nil, "", headers, 0},
			seed{"POST", "/api/v1/tokens", nil, nil, `{"name":"Name","scopes":["test:scope"],"expires_at":"` + soon + `"}`, headers, 0},
			seed{"GET", "/api/v1/tokens/" + p.patID, nil, nil, "", headers, 0},
			seed{"PATCH", "/api/v1/tokens/" + p.patID, nil, nil, `{"name":"Another name","scopes":["test:scope"]}`, headers, 0},
			seed{"DELETE", "/api/v1/tokens/" + p.patID, nil, nil, "", headers, 0},
			seed{"GET", "/api/v1/applications", nil, nil, "", headers, 0},
			seed{"POST", "/api/v1/applications", nil, nil, `{"type":"web","name":"Name","website":"https://app.example/","redirect_uris":["https://app.example/callback"]}`, headers, 0},
			seed{"PATCH", "/api/v1/applications/" + client, nil, nil, `{"name":"Name"}`, headers, 0},
			seed{"POST", "/api/v1/applications/" + client + "/rotate-secret", nil, nil, ``, headers, 0},
			seed{"DELETE", "/api/v1/applications/" + client, nil, nil, "", headers, 0},
			seed{"GET", "/api/v1/authorizations", nil, nil, "", headers, 0},
			seed{"DELETE", "/api/v1/authorizations/" + p.grant, nil, nil, "", headers, 0},
			seed{"GET", "/api/v1/activity", nil, nil, "", headers, 0},
		)
	}
	return list
}

func (w who) door() []seed {
	s := w.session(nil)
	list := []seed{
		{"GET", "/login/", url.Values{"next": {"/account/settings/applications/"}}, nil, "", nil, 0},
		seed{"POST", "/login/", url.Values{"next": {"/"}}, w.form("username", w.other.Email, "password", "wrong", "remember", "yes"), "", nil, 0}.refused(422),
		{"GET", "/logout/", nil, nil, "", nil, 0},
		{"POST", "/logout/", nil, w.form(), "", nil, 0},
		{"GET", "/lost-password/", nil, nil, "", nil, 0},
		{"POST", "/lost-password/", nil, w.form("email", "nobody@example.org"), "", nil, 0},
		{"GET", "/signup/", nil, nil, "", nil, 0},
		{"POST", "/signup/", nil, w.form("email", "new@example.org", "name", "New"), "", nil, 0},
		{"GET", "/account/settings/profile/", nil, nil, "", s, 0},
		{"POST", "/account/settings/profile/", nil, w.form("name", "Name"), "", s, 0},
		{"POST", "/account/settings/profile/confirm-email/", nil, w.form(), "", s, 0},
		{"GET", "/account/settings/password/", nil, nil, "", s, 0},
		seed{"POST", "/account/settings/password/", nil, w.form("current_password", "wrong", "password", "a new long passphrase"), "", s, 0}.refused(422),
		{"GET", "/account/settings/security/", nil, nil, "", s, 0},
		{"GET", "/account/settings/sessions/revoke", url.Values{"others": {"yes"}}, nil, "", s, 0},
		{"POST", "/account/settings/sessions/revoke", nil, w.form("others", "yes"), "", s, 0},
	}
	const link = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
	for _, path := range []string{"/reset-password/", "/signup/", "/confirm-email/", "/setup/"} {
		list = append(list, seed{"GET", path + link + "/", nil, nil, "", nil, 0}.refused(http.StatusGone),
			seed{"POST", path + link + "/", nil, w.form("email", "x@example.org", "password", "a new long passphrase"), "", nil, 0}.refused(http.StatusGone))
	}
	return list
}

// session are the headers of the signed-in browser; none for nobody.
func (w who) session(more []field) []field {
	if w.me.cookie == "" {
		return more
	}
	return append([]field{{"Cookie", w.me.cookie}, {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) valetkey-test"}, {"Sec-Fetch-Site", "same-origin"}}, more...)
}

// form is a form of our own pages with the proof of the session.
func (w who) form(pairs ...string) url.Values {
	v := url.Values{"authorized_token": {w.me.proof}}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}
