package attacks

import (
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// Refresh, revocation, introspection.

func TestM57_RotatedStaysRotated(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for name, restart := range map[string]func(){
		"after a restart":                  s.start,
		"an hour earlier":                  func() { s.clock.Move(-time.Hour) },
		"a restart and a clock put back":   func() { s.clock.Move(-time.Hour); s.start() },
		"an hour later":                    func() { s.clock.Move(time.Hour) },
		"a moment after the time to retry": func() {},
	} {
		first := s.alice.flow(s.spa)
		second := s.tok(s.spa, refresh(first.Refresh))
		second.want(t, 200, "")
		s.clock.Move(time.Minute)
		restart()
		s.tok(s.spa, refresh(first.Refresh)).want(t, 400, "invalid_grant")
		if s.reads(first.Access) || s.reads(second.Access) {
			t.Errorf("%s: the family outlives the theft", name)
		}
		s.tok(s.spa, refresh(second.Refresh)).want(t, 400, "invalid_grant")
		if t.Failed() {
			t.Fatalf("that was %s", name)
		}
	}
	control := s.alice.flow(s.spa)
	s.start()
	s.tok(s.spa, refresh(control.Refresh)).want(t, 200, "")
}

func TestM59_RefreshTokenIsBoundToItsClient(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, c := range []*client{s.web, s.spa} {
		first := s.alice.flow(c)
		for _, other := range []*client{s.web, s.web2, s.spa, s.native, s.rs} {
			if other.ID == c.ID {
				continue
			}
			got := s.tok(other, refresh(first.Refresh))
			if got.StatusCode != 400 || got.Error != "invalid_grant" && got.Error != "unauthorized_client" {
				t.Errorf("the token of %s by %s: %v", c.ID, other.ID, got)
			}
			got = s.tok(other, refresh(first.Refresh, "client_id", c.ID))
			if got.StatusCode == http.StatusOK {
				t.Errorf("the token of %s by %s, that says it is %s: %v", c.ID, other.ID, c.ID, got)
			}
		}
		s.tok(nil, refresh(first.Refresh)).want(t, 401, "invalid_client")
		if c == s.web {
			s.tok(nil, refresh(first.Refresh, "client_id", c.ID)).want(t, 401, "invalid_client")
			s.tok(&client{c.Client, s.web2.secret}, refresh(first.Refresh)).want(t, 401, "invalid_client")
			s.tok(&client{c.Client, ""}, refresh(first.Refresh)).want(t, 401, "invalid_client")
		}
		s.tok(c, refresh(first.Refresh, "scope", "records:read records:write")).want(t, 400, "invalid_scope")
		s.tok(c, refresh(first.Access)).want(t, 400, "invalid_grant")
		s.tok(c, refresh(first.Refresh)).want(t, 200, "")
	}
}

// When the database cannot write, no answer says that something is revoked.
func TestM61_NoFalseSuccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	patID, pat := s.pat(s.alice, "records:read", "tokens:write")
	got := s.alice.flow(s.web)
	for _, table := range []string{"oauth_tokens", "oauth_grants", "oauth_events", "accounts_sessions"} {
		for _, verb := range []string{"UPDATE", "DELETE", "INSERT"} {
			_, err := s.db.ExecContext(t.Context(), fmt.Sprintf("CREATE TRIGGER broken_%s_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'the disk is full'); END", table, verb, verb, table))
			must(t, err)
		}
	}
	send := func(req *http.Request) answer {
		t.Helper()
		res, err := s.http.RoundTrip(req) // not s.send, which minds what is expected here
		must(t, err)
		res.Body.Close()
		return answer{Response: res}
	}
	delete := s.request("DELETE", "/api/v1/tokens/"+patID, "", "Authorization", "Bearer "+pat)
	for name, req := range map[string]*http.Request{
		"revoke access":          s.machineRequest(s.web, "/oauth/revoke", url.Values{"token": {got.Access}}),
		"revoke refresh":         s.machineRequest(s.web, "/oauth/revoke", url.Values{"token": {got.Refresh}}),
		"revoke by the form":     s.alice.formRequest("/account/settings/applications/tokens/"+patID+"/revoke/", url.Values{"confirm": {"yes"}}),
		"revoke by the REST API": delete,
		"sign out":               s.alice.formRequest("/logout/", url.Values{}),
		"refresh":                s.machineRequest(s.web, "/oauth/token", refresh(got.Refresh)),
	} {
		a := send(req)
		if a.StatusCode < 500 {
			t.Errorf("%s: %d while the database cannot write", name, a.StatusCode)
		}
	}
	if !s.reads(got.Access) || !s.reads(pat) || !s.alice.signedIn() {
		t.Error("what was not revoked is dead")
	}
	for _, table := range []string{"oauth_tokens", "oauth_grants", "oauth_events", "accounts_sessions"} {
		for _, verb := range []string{"UPDATE", "DELETE", "INSERT"} {
			_, err := s.db.ExecContext(t.Context(), "DROP TRIGGER broken_"+table+"_"+verb)
			must(t, err)
		}
	}
	if a := s.rev(s.web, got.Refresh); a.StatusCode != http.StatusOK || s.reads(got.Access) {
		t.Errorf("after the repair: %v", a)
	}
	if a := send(s.request("DELETE", "/api/v1/tokens/"+patID, "", "Authorization", "Bearer "+pat)); a.StatusCode != http.StatusNoContent || s.reads(pat) {
		t.Errorf("after the repair: %d", a.StatusCode)
	}
}

func TestM63_OnlyOnesOwnTokens(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	_, pat := s.pat(s.alice, "records:read")
	got := s.alice.flow(s.web)
	for _, other := range []*client{s.web2, s.spa, s.m2m, s.native} {
		for _, token := range []string{got.Access, got.Refresh, pat} {
			if a := s.rev(other, token); a.StatusCode != http.StatusOK && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %v", other.ID, a)
			}
		}
	}
	if a := s.rev(nil, got.Access); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %v", a)
	}
	s.rev(s.web, pat) // not even the client it was shown to
	if !s.reads(got.Access) || !s.reads(pat) || !s.active(s.web, got.Refresh) {
		t.Error("somebody else revoked them")
	}
	if s.active(s.web2, got.Refresh) || s.as(s.spa, "/oauth/introspect", url.Values{"token": {got.Access}}).StatusCode == http.StatusOK {
		t.Error("a stranger introspects")
	}
	s.rev(s.web, got.Access)
	if s.reads(got.Access) || !s.active(s.web, got.Refresh) {
		t.Error("the control: the access token alone was to be revoked")
	}
	s.rev(s.web, got.Refresh)
	if s.active(s.web, got.Refresh) {
		t.Error("the control: the refresh token is alive")
	}
}

// spellings are all strings next to a secret: cut, with one bit turned, longer,
// in another case, in another base64.
func spellings(secret string) (out []string) {
	for i := range secret {
		out = append(out, secret[:i], secret[i+1:], secret[:i]+secret[i+1:])
		for bit := range 8 {
			b := []byte(secret)
			b[i] ^= 1 << bit
			out = append(out, string(b))
		}
		if c := secret[i : i+1]; strings.ToUpper(c) != c {
			out = append(out, secret[:i]+strings.ToUpper(c)+secret[i+1:])
		} else if strings.ToLower(c) != c {
			out = append(out, secret[:i]+strings.ToLower(c)+secret[i+1:])
		}
	}
	for _, extra := range []string{"=", "==", "%00", "\x00", " ", "\t", "\n", "a", "0", ".", "~"} {
		out = append(out, secret+extra, extra+secret)
	}
	out = append(out, strings.ToUpper(secret), strings.ToLower(secret), secret+secret, strings.NewReplacer("-", "+", "_", "/").Replace(secret), url.QueryEscape(secret)+"%20",
		base64.StdEncoding.EncodeToString([]byte(secret)))
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" { // the bits that base64 leaves over
		out = append(out, secret[:len(secret)-1]+string(last))
	}
	wrong := out[:0]
	for _, w := range out {
		if w != secret {
			wrong = append(wrong, w)
		}
	}
	return wrong
}

// forgeries are strings that look minted: other random parts under the same id,
// and other kinds, each with the checksum that anybody can compute. They reach the
// database, and only the hash there refuses them.
func forgeries(secret string) (out []string) {
	head, body := secret[:len(secret)-58], secret[len(secret)-58:len(secret)-6]
	for i := 22; i < len(body); i++ {
		for _, c := range []string{"0", "A", "z"} {
			out = append(out, head+body[:i]+c+body[i+1:])
		}
	}
	for _, kind := range []string{"at", "rt", "pat", "ac", "cs"} {
		out = append(out, "vk_"+kind+"_"+body)
	}
	out = append(out, head+body[:22]+strings.Repeat("0", 30))
	for i := range out {
		out[i] += checksum(out[i])
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == secret })
}

// checksum is a CRC-32 in six base62 digits, as package mint documents it.
func checksum(text string) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits, n := make([]byte, 6), crc32.ChecksumIEEE([]byte(text))
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i], n = alphabet[n%62], n/62
	}
	return string(digits)
}

func TestM65_OneSpellingOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	got := s.alice.flow(s.web)
	public := s.alice.flow(s.spa)
	_, pat := s.pat(s.alice, "records:read")
	code := s.alice.code(s.web)
	s.alice.signIn()
	session, device := s.alice.cookie("vk_sid"), s.alice.cookie("vk_dev")

	introspect := func(asker *client) func(string) bool {
		return func(token string) bool {
			return s.as(asker, "/oauth/introspect", url.Values{"token": {token}}).Active
		}
	}
	bearer := func(token string) bool {
		if strings.ContainsAny(token, "\r\n") {
			return false // the line would end there
		}
		a := s.raw("GET /records/read HTTP/1.1\r\nHost: " + s.host + "\r\nAuthorization: Bearer " + token + "\r\nConnection: close\r\n\r\n")
		return a.StatusCode == http.StatusOK
	}
	cookie := func(session, device string) bool {
		if strings.ContainsAny(session+device, "\r\n") {
			return false
		}
		a := s.raw("GET /account/settings/profile/ HTTP/1.1\r\nHost: " + s.host + "\r\nCookie: vk_sid=" + session + "; vk_dev=" + device + "\r\nConnection: close\r\n\r\n")
		return a.StatusCode == http.StatusOK
	}
	secret := func(secret string) bool {
		s.clock.Move(2 * time.Second) // wrong secrets are let through this often
		v := url.Values{"grant_type": {"client_credentials"}, "scope": {"records:read"}}
		return s.tok(&client{s.m2m.Client, secret}, v).StatusCode == http.StatusOK
	}
	for _, tt := range []struct {
		name, secret string
		opens        func(string) bool
	}{
		{"code", code, func(v string) bool { return s.tok(s.web, redeem(s.web, v)).StatusCode == http.StatusOK }},
		{"access token", got.Access, introspect(s.rs)},
		{"access token as bearer", got.Access, bearer},
		{"personal token", pat, introspect(s.rs)},
		{"personal token as bearer", pat, bearer},
		{"refresh token introspected", got.Refresh, introspect(s.web)},
		{"refresh token", public.Refresh, func(v string) bool { return s.tok(s.spa, refresh(v)).StatusCode == http.StatusOK }},
		{"client secret", s.m2m.secret, secret},
		{"session cookie", session, func(v string) bool { return cookie(v, device) }},
	} {
		n, wrongs := 0, spellings(tt.secret)
		if strings.HasPrefix(tt.secret, "vk_") {
			if text := tt.secret[:len(tt.secret)-6]; text+checksum(text) != tt.secret {
				t.Fatalf("the checksum of %s is another", tt.name)
			}
			wrongs = append(wrongs, forgeries(tt.secret)...)
		}
		for _, wrong := range wrongs {
			if (tt.name == "session cookie" || strings.HasSuffix(tt.name, "as bearer")) && strings.TrimSpace(wrong) == tt.secret {
				continue // the same header value: white space around it is not part of it (RFC 9110 §5.5)
			}
			n++
			if tt.opens(wrong) {
				t.Errorf("%s: %q opens what %q does", tt.name, wrong, tt.secret)
			}
		}
		if n < 500 {
			t.Errorf("%s: %d spellings were tried only", tt.name, n)
		}
	}
	// The controls come last: wrong guesses at a session's device end it, a code is used up.
	for name, ok := range map[string]bool{
		"access": s.reads(got.Access), "pat": bearer(pat), "cookie": cookie(session, device), "secret": secret(s.m2m.secret),
		"refresh": s.tok(s.spa, refresh(public.Refresh)).StatusCode == http.StatusOK,
	} {
		if !ok {
			t.Errorf("the right %s is dead", name)
		}
	}
	for _, wrong := range []string{device[1:], device[:len(device)-1] + "-", ""} {
		s.alice.signIn()
		if cookie(s.alice.cookie("vk_sid"), wrong) {
			t.Errorf("a session with the device cookie %q", wrong)
		}
	}
	s.alice.signIn()
	s.tok(s.web, redeem(s.web, s.alice.code(s.web))).want(t, 200, "")
}

// An API elsewhere that introspects and remembers still decides each time.
func TestM67_CacheRemembersNoDecision(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	verify, err := resource.Introspection(resource.IntrospectionConfig{URL: s.url + "/oauth/introspect", ClientID: "rs", ClientSecret: oauth.Secret(s.rs.secret),
		Cache: time.Minute, Now: s.clock.Now})
	must(t, err)
	g, err := resource.New(resource.Config{Verify: verify})
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/read", g.RequireScopes("records:read")(http.HandlerFunc(record)))
	mux.Handle("/write", g.RequireScopes("records:write")(http.HandlerFunc(record)))
	api := httptest.NewServer(mux)
	defer api.Close()
	status := func(path, token string) int {
		req, err := http.NewRequest("GET", api.URL+path, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := api.Client().Do(req)
		must(t, err)
		res.Body.Close()
		return res.StatusCode
	}
	reader, writer := s.alice.flow(s.web), s.alice.flow(s.web, "scope", "records:write")
	for range 2 {
		if r, w := status("/read", reader.Access), status("/write", reader.Access); r != 200 || w != 403 {
			t.Errorf("the reader gets %d and %d, want 200 and 403", r, w)
		}
		if r, w := status("/read", writer.Access), status("/write", writer.Access); r != 403 || w != 200 {
			t.Errorf("the writer gets %d and %d, want 403 and 200", r, w)
		}
		if got := status("/read", reader.Refresh); got != 401 {
			t.Errorf("a refresh token gets %d", got)
		}
	}
	s.rev(s.web, reader.Access)
	s.clock.Move(time.Minute)
	if got := status("/read", reader.Access); got != 401 {
		t.Errorf("a minute after it was revoked, the token gets %d", got)
	}
	if got := status("/write", writer.Access); got != 200 {
		t.Errorf("the other gets %d", got)
	}
}
