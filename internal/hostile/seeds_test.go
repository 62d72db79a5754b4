package hostile

import (
	"encoding/base64"
	"net/url"
)

// seed is one valid request that the others are mutations of.
type seed struct {
	method, path string
	query, form  url.Values
	json         string
	headers      []field
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
	authorize := url.Values{"response_type": {"code"}, "client_id": {client}, "redirect_uri": {"https://app.example/callback"}, "scope": {"test:scope"},
		"state": {"s"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}}
	code := url.Values{"grant_type": {"authorization_code"}, "code": {"vk_ac_x"}, "redirect_uri": {"https://app.example/callback"},
		"code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}, "client_id": {client}}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.me.refresh}, "scope": {"test:scope"}, "client_id": {client}}
	credentials := url.Values{"grant_type": {"client_credentials"}, "scope": {"test:scope"}, "client_id": {client}}
	password := url.Values{"grant_type": {"password"}, "username": {w.other.Email}, "password": {"wrong"}, "client_id": {client}}
	stolen := url.Values{"token": {w.other.pat}, "token_type_hint": {"refresh_token"}}
	bearer := []field{{"Authorization", "Bearer " + w.me.access}}
	session := w.session(nil)
	return []seed{
		{"GET", "/oauth/authorize", authorize, nil, "", session},
		{"POST", "/oauth/authorize", nil, authorize, "", session},
		{"POST", "/oauth/consent", nil, url.Values{"request": {"0000000000000000000000"}, "confirm": {"yes"}, "authorized_token": {w.me.proof}}, "", session},
		{"POST", "/oauth/token", nil, code, "", as},
		{"POST", "/oauth/token", nil, refresh, "", as},
		{"POST", "/oauth/token", nil, credentials, "", as},
		{"POST", "/oauth/token", nil, password, "", as},
		{"POST", "/oauth/token", nil, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {client}}, "", as},
		{"POST", "/oauth/revoke", nil, stolen, "", as},
		{"POST", "/oauth/introspect", nil, stolen, "", as},
		{"GET", "/oauth/errors", url.Values{"error": {"invalid_request"}, "error_description": {"text"}}, nil, "", nil},
		{"GET", "/oauth/ping", nil, nil, "", bearer},
		{"POST", "/oauth/ping", nil, url.Values{"access_token": {w.me.access}}, "", nil},
		{"GET", "/oauth/info", url.Values{"access_token": {w.me.access}}, nil, "", bearer},
		{"GET", "/oauth/invalid", nil, nil, "", bearer},
		{"GET", "/oauth/jwks", nil, nil, "", nil},
		{"GET", "/.well-known/oauth-authorization-server", nil, nil, "", nil},
		{"GET", "/assets/app.css", nil, nil, "", nil},
		{"GET", "/", nil, nil, "", session},
		{"GET", "/nothing/here", url.Values{"q": {"x"}}, nil, "", session},
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
	personal := w.form("name", "Name", "scopes", "test:scope", "expires_in", "custom", "expires_at", "2030-01-01", "description", "Text", "form_id", "0000000000000000000000")
	return []seed{
		{"GET", base, url.Values{"done": {"token-revoked"}, "clients_after": {p.subject}}, nil, "", s},
		{"GET", base + "clients/new/", nil, nil, "", s},
		{"POST", base + "clients/new/", nil, application, "", s},
		{"GET", client, nil, nil, "", s},
		{"POST", client, nil, application, "", s},
		{"POST", client, nil, w.form("delete", "yes", "name", "x"), "", s},
		{"POST", client + "reset/", nil, w.form("reset", "yes", "keep_old", "24"), "", s},
		{"GET", client + "delete/", nil, nil, "", s},
		{"POST", client + "delete/", nil, w.form("delete", "yes", "name", "Application of "+p.Email), "", s},
		{"GET", base + "tokens/new/", nil, nil, "", s},
		{"POST", base + "tokens/new/", nil, personal, "", s},
		{"GET", token, nil, nil, "", s},
		{"POST", token, nil, personal, "", s},
		{"GET", token + "revoke/", nil, nil, "", s},
		{"POST", token + "revoke/", nil, w.form("confirm", "yes"), "", s},
		{"POST", token + "regenerate/", nil, personal, "", s},
		{"GET", grant + "view/", nil, nil, "", s},
		{"POST", grant + "revoke/", nil, w.form("confirm", "yes"), "", s},
		{"GET", "/account/settings/activity/", url.Values{"after": {p.patID}}, nil, "", s},
		{"GET", "/admin/applications/", url.Values{"q": {"x"}, "after": {"x"}}, nil, "", s},
		{"POST", "/admin/applications/" + p.subject + "/", nil, application, "", s},
		{"GET", "/admin/tokens/", url.Values{"q": {"x"}}, nil, "", s},
		{"POST", "/admin/tokens/" + p.patID + "/revoke/", nil, w.form("confirm", "yes"), "", s},
		{"GET", "/admin/activity/", nil, nil, "", s},
		{"GET", "/admin/users/", url.Values{"q": {"x"}}, nil, "", s},
		{"POST", "/admin/users/" + p.subject + "/disable/", nil, w.form("confirm", "yes"), "", s},
		{"POST", "/admin/users/" + p.subject + "/delete/", nil, w.form("confirm", "yes"), "", s},
	}
}

func (w who) api(p party) []seed {
	client := "nobody"
	if p.app != nil {
		client = p.app.ClientID
	}
	var list []seed
	for _, headers := range [][]field{{{"Authorization", "Bearer " + w.me.pat}}, w.session([]field{{"X-CSRF-Token", w.me.proof}})} {
		list = append(list,
			seed{"GET", "/api/v1/tokens", url.Values{"after": {p.patID}, "limit": {"5"}}, nil, "", headers},
			seed{"POST", "/api/v1/tokens", nil, nil, `{"name":"Name","scopes":["test:scope"]}`, headers},
			seed{"GET", "/api/v1/tokens/" + p.patID, nil, nil, "", headers},
			seed{"PATCH", "/api/v1/tokens/" + p.patID, nil, nil, `{"name":"Name","scopes":[]}`, headers},
			seed{"DELETE", "/api/v1/tokens/" + p.patID, nil, nil, "", headers},
			seed{"GET", "/api/v1/applications", nil, nil, "", headers},
			seed{"POST", "/api/v1/applications", nil, nil, `{"type":"web","name":"Name","website":"https://app.example/","redirect_uris":["https://app.example/callback"]}`, headers},
			seed{"PATCH", "/api/v1/applications/" + client, nil, nil, `{"name":"Name"}`, headers},
			seed{"POST", "/api/v1/applications/" + client + "/secrets", nil, nil, `{}`, headers},
			seed{"DELETE", "/api/v1/applications/" + client, nil, nil, "", headers},
			seed{"GET", "/api/v1/authorizations", nil, nil, "", headers},
			seed{"DELETE", "/api/v1/authorizations/" + p.grant, nil, nil, "", headers},
			seed{"GET", "/api/v1/activity", nil, nil, "", headers},
		)
	}
	return list
}

func (w who) door() []seed {
	s := w.session(nil)
	return []seed{
		{"GET", "/login/", url.Values{"next": {"/account/settings/applications/"}}, nil, "", nil},
		{"POST", "/login/", url.Values{"next": {"/"}}, w.form("username", w.other.Email, "password", "wrong", "remember", "1"), "", nil},
		{"GET", "/logout/", nil, nil, "", nil},
		{"POST", "/logout/", nil, w.form(), "", nil},
		{"GET", "/lost-password/", nil, nil, "", nil},
		{"POST", "/lost-password/", nil, w.form("email", "nobody@example.org"), "", nil},
		{"GET", "/reset-password/x", nil, nil, "", nil},
		{"POST", "/reset-password/x", nil, w.form("password", "a new long password", "password2", "a new long password"), "", nil},
		{"GET", "/setup/x", nil, nil, "", nil},
		{"POST", "/setup/x", nil, w.form("email", "x@example.org", "password", "a new long password"), "", nil},
		{"GET", "/account/settings/profile/", nil, nil, "", s},
		{"POST", "/account/settings/profile/", nil, w.form("name", "Name"), "", s},
		{"POST", "/account/settings/password/", nil, w.form("current", "wrong", "password", "x"), "", s},
		{"GET", "/account/settings/security/", nil, nil, "", s},
		{"POST", "/account/settings/sessions/revoke/", nil, w.form("session", "x"), "", s},
	}
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
