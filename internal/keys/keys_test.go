package keys_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// clock is a clock that stands still until it is moved.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func ring(t *testing.T, lines ...oauth.Secret) *keyring.Ring {
	t.Helper()
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(string(l) + "\n")
	}
	r, err := keyring.Parse(oauth.Secret(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func published(t *testing.T, k *keys.Keys) []jose.JSONWebKey {
	t.Helper()
	w := httptest.NewRecorder()
	k.ServeHTTP(w, httptest.NewRequest("GET", "/oauth/jwks", nil))
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || w.Code != 200 {
		t.Fatalf("got %d %s (%v), want a key set", w.Code, w.Body, err)
	}
	return set.Keys
}

// TestLifeOfAKey is that of the ES256 key; the RS256 key beside it stays.
func TestLifeOfAKey(t *testing.T) {
	t.Parallel()
	ctx, c, st := t.Context(), &clock{start}, memstore.New()
	k := keys.New(keys.Config{Store: st, Ring: ring(t, keyring.Line("a")), Now: c.Now})
	must(t, k.EnsureActive(ctx))
	must(t, k.EnsureActive(ctx)) // again: nothing more
	first := published(t, k)
	if len(first) != 2 || of(first, "ES256") == nil || of(first, "RS256") == nil {
		t.Fatalf("got %+v, want an ES256 and an RS256 key", first)
	}
	old := of(first, "ES256")[0].KeyID

	c.now = start.Add(time.Hour)
	second, err := k.Rotate(ctx, keys.ES256, 2*time.Hour)
	must(t, err)
	if got := of(published(t, k), "ES256"); len(got) != 2 || got[0].KeyID != second || got[1].KeyID != old {
		t.Errorf("after rotation: got %d keys, want the new and the old one", len(got))
	}
	list, err := k.List(ctx)
	must(t, err)
	if len(list) != 3 || list[0].ID != second || list[0].State != store.KeyActive || list[0].SealedBy != "a" || !list[0].ActiveAt.Equal(c.now) {
		t.Errorf("got list %+v", list)
	}
	for _, key := range list[1:] {
		if key.ID == old && (key.State != store.KeyRetiring || !key.RetiredAt.Equal(c.now) || !key.ExpiresAt.Equal(c.now.Add(2*time.Hour))) {
			t.Errorf("the old key: got %+v, want it retiring for two hours", key)
		}
		if key.ID != old && (key.Algorithm != keys.RS256 || key.State != store.KeyActive) {
			t.Errorf("the other key: got %+v, want the active RS256 key", key)
		}
	}

	c.now = start.Add(3*time.Hour - 1)
	if got := of(published(t, k), "ES256"); len(got) != 2 {
		t.Errorf("at the end of the overlap: got %d keys, want 2", len(got))
	}
	c.now = start.Add(3 * time.Hour) // a nanosecond later, while the document is fresh
	if got := of(published(t, k), "ES256"); len(got) != 1 || got[0].KeyID != second {
		t.Errorf("past the overlap: got %d keys, want the active one", len(got))
	}

	events, err := st.ListEvents(ctx, store.EventQuery{Type: oauth.EventKeyRotated}, store.Page{Limit: 10})
	must(t, err)
	if len(events) != 3 || events[0].Actor != "operator" || !strings.Contains(events[0].Detail, second) {
		t.Errorf("got events %+v, want one for each key made", events)
	}
}

// of returns the keys of an algorithm.
func of(list []jose.JSONWebKey, alg string) (out []jose.JSONWebKey) {
	for _, key := range list {
		if key.Algorithm == alg {
			out = append(out, key)
		}
	}
	return out
}

// TestR3_KeySet: every key has an id of its own, its algorithm and use, and nothing
// private or symmetric, whatever else is kept with the keys.
func TestR3_KeySet(t *testing.T) {
	t.Parallel()
	c, st := &clock{start}, memstore.New()
	k := keys.New(keys.Config{Store: st, Ring: ring(t, keyring.Line("a")), Now: c.Now})
	must(t, k.EnsureActive(t.Context()))
	_, err := k.PairwiseSalt(t.Context())
	must(t, err)
	rows, err := st.SigningKeys(t.Context())
	must(t, err)
	if len(rows) != 3 {
		t.Fatalf("got %d rows, want two keys and the salt", len(rows))
	}
	for _, row := range rows {
		if !strings.HasPrefix(row.Sealed, "v1.a.") {
			t.Errorf("got sealed %q, want it sealed by a", row.Sealed)
		}
	}
	w := httptest.NewRecorder()
	k.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	var raw struct{ Keys []map[string]any }
	must(t, json.Unmarshal(w.Body.Bytes(), &raw))
	if len(raw.Keys) != 2 {
		t.Fatalf("got %d keys, want 2", len(raw.Keys))
	}
	members, seen := map[string]string{"EC": " kty crv x y kid alg use ", "RSA": " kty n e kid alg use "}, map[any]bool{}
	for _, key := range raw.Keys {
		for name, value := range key {
			if s, ok := value.(string); !ok || strings.ContainsAny(s, "+/=") || s == "" || !strings.Contains(members[key["kty"].(string)], " "+name+" ") {
				t.Errorf("the key set has the member %q with the value %v", name, value)
			}
		}
		if key["use"] != "sig" || seen[key["kid"]] {
			t.Errorf("got use %v and kid %v, want sig and an id of its own", key["use"], key["kid"])
		}
		seen[key["kid"]] = true
		if n, _ := key["n"].(string); key["kty"] == "RSA" && len(n) < 342 { // 2048 bits
			t.Errorf("the RSA modulus has %d characters, want 342", len(n))
		}
	}
}

func TestJWKSOverHTTP(t *testing.T) {
	t.Parallel()
	c := &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now})
	must(t, k.EnsureActive(t.Context()))
	srv := httptest.NewServer(k)
	t.Cleanup(srv.Close)
	do := func(method, match string) (*http.Response, string) {
		req, _ := http.NewRequest(method, srv.URL, nil)
		req.Header.Set("If-None-Match", match)
		resp, err := srv.Client().Do(req)
		must(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp, string(body)
	}
	resp, body := do("GET", "")
	etag := resp.Header.Get("ETag")
	if resp.StatusCode != 200 || etag == "" || resp.Header.Get("Content-Type") != "application/json" || len(resp.Header["Set-Cookie"]) > 0 {
		t.Errorf("GET: got %d %v", resp.StatusCode, resp.Header)
	}
	if resp, got := do("GET", `"x", W/`+etag); resp.StatusCode != 304 || got != "" {
		t.Errorf("GET with its tag: got %d %q, want 304 and nothing", resp.StatusCode, got)
	}
	if resp, got := do("HEAD", ""); resp.StatusCode != 200 || got != "" || resp.ContentLength != int64(len(body)) {
		t.Errorf("HEAD: got %d, %d bytes announced, %q", resp.StatusCode, resp.ContentLength, got)
	}
	if resp, _ := do("POST", ""); resp.StatusCode != 405 {
		t.Errorf("POST: got %d, want 405", resp.StatusCode)
	}
	_, err := k.Rotate(t.Context(), keys.ES256, time.Hour)
	must(t, err)
	if resp, _ := do("GET", etag); resp.StatusCode != 200 || resp.Header.Get("ETag") == etag {
		t.Errorf("after rotation: got %d with tag %s, want 200 with another", resp.StatusCode, resp.Header.Get("ETag"))
	}
}

// A rotation elsewhere is seen within a minute.
func TestRotationOnAnotherNode(t *testing.T) {
	t.Parallel()
	c, st, line := &clock{start}, memstore.New(), keyring.Line("a")
	here := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	there := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	must(t, here.EnsureActive(t.Context()))
	must(t, there.EnsureActive(t.Context()))
	if len(published(t, here)) != 2 {
		t.Fatal("two nodes made more than one first key of each algorithm")
	}
	_, err := there.Rotate(t.Context(), keys.ES256, time.Hour)
	must(t, err)
	c.now = start.Add(time.Minute)
	if got := len(published(t, here)); got != 3 {
		t.Errorf("a minute later: got %d keys, want 3", got)
	}
}

// Racing rotations leave one active key, and as many keys as succeeded.
func TestRotateRace(t *testing.T) {
	t.Parallel()
	c, st, line := &clock{start}, memstore.New(), keyring.Line("a")
	must(t, keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now}).EnsureActive(t.Context()))
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 2 // one of RS256
	for range 8 {
		wg.Go(func() {
			k := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
			if _, err := k.Rotate(t.Context(), keys.ES256, time.Hour); err == nil {
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	rows, err := st.SigningKeys(t.Context())
	must(t, err)
	active := 0
	for _, row := range rows {
		if row.State == store.KeyActive && row.Algorithm == keys.ES256 {
			active++
		}
	}
	if active != 1 || len(rows) != made {
		t.Errorf("got %d active of %d keys, want 1 of %d", active, len(rows), made)
	}
}

// TestParity61_Reseal: the operator adds a key, everything is sealed anew, the
// old key may go; not before.
func TestParity61_Reseal(t *testing.T) {
	t.Parallel()
	ctx, c, st := t.Context(), &clock{start}, memstore.New()
	oldLine, newLine := keyring.Line("old"), keyring.Line("new")
	before := keys.New(keys.Config{Store: st, Ring: ring(t, oldLine), Now: c.Now})
	must(t, before.EnsureActive(ctx))
	for range 2 {
		c.now = c.now.Add(time.Second)
		_, err := before.Rotate(ctx, keys.ES256, time.Hour)
		must(t, err)
	}
	salt, err := before.PairwiseSalt(ctx)
	must(t, err)
	want := published(t, before)

	both := keys.New(keys.Config{Store: st, Ring: ring(t, newLine, oldLine), Now: c.Now})
	must(t, both.EnsureActive(ctx))
	expectCounts(t, both, map[string]int{"old": 5, "new": 0})
	if err := both.Droppable(ctx, "old"); err == nil || !strings.Contains(err.Error(), "still seals 5") {
		t.Errorf("dropping a key that is needed: got %v, want a refusal", err)
	}
	if err := keys.New(keys.Config{Store: st, Ring: ring(t, newLine), Now: c.Now}).EnsureActive(ctx); err == nil || !strings.Contains(err.Error(), `"old" is not in the ring`) {
		t.Errorf("starting without a key that is needed: got %v, want a refusal that names it", err)
	}

	n, err := both.Reseal(ctx)
	must(t, err)
	again, err := both.Reseal(ctx)
	must(t, err)
	if n != 5 || again != 0 { // four keys and the salt
		t.Errorf("resealed %d, then %d, want 5, then 0", n, again)
	}
	expectCounts(t, both, map[string]int{"old": 0, "new": 5})
	must(t, both.Droppable(ctx, "old"))
	for id, part := range map[string]string{"new": "newest", "other": "no key"} {
		if err := both.Droppable(ctx, id); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("dropping %s: got %v, want a refusal that says %q", id, err, part)
		}
	}
	after := keys.New(keys.Config{Store: st, Ring: ring(t, newLine), Now: c.Now})
	must(t, after.EnsureActive(ctx))
	if got := published(t, after); len(got) != len(want) || got[0].KeyID != want[0].KeyID {
		t.Errorf("the published keys changed: got %v, want %v", got, want)
	}
	if got, err := after.PairwiseSalt(ctx); err != nil || !bytes.Equal(got, salt) {
		t.Errorf("the salt changed (%v)", err)
	}
	for _, what := range []oauth.EventType{oauth.EventKeyringReencrypted, oauth.EventKeyringKeyRetired} {
		events, err := st.ListEvents(ctx, store.EventQuery{Type: what}, store.Page{Limit: 10})
		must(t, err)
		if len(events) != 1 {
			t.Errorf("got %d events %s, want 1", len(events), what)
		}
	}
}

func expectCounts(t *testing.T, k *keys.Keys, want map[string]int) {
	t.Helper()
	got, err := k.Inspect(t.Context())
	must(t, err)
	if !maps.Equal(got, want) {
		t.Errorf("got counts %v, want %v", got, want)
	}
}

// Reseal goes on where another one was broken off.
func TestResealResumes(t *testing.T) {
	t.Parallel()
	ctx, c, st := t.Context(), &clock{start}, &breaking{Store: memstore.New()}
	oldLine, newLine := keyring.Line("old"), keyring.Line("new")
	before := keys.New(keys.Config{Store: st, Ring: ring(t, oldLine), Now: c.Now})
	for range 3 {
		_, err := before.Rotate(ctx, keys.ES256, time.Hour)
		must(t, err)
		c.now = c.now.Add(time.Second)
	}
	both := keys.New(keys.Config{Store: st, Ring: ring(t, newLine, oldLine), Now: c.Now})
	st.left = 1
	if n, err := both.Reseal(ctx); err == nil || n != 1 {
		t.Fatalf("broken off: got %d, %v, want 1 and an error", n, err)
	}
	expectCounts(t, both, map[string]int{"old": 2, "new": 1})
	st.left = 10
	if n, err := both.Reseal(ctx); err != nil || n != 2 {
		t.Errorf("resumed: got %d, %v, want 2", n, err)
	}
}

// A sealed key that was moved to another row does not open there.
func TestSealedKeysAreBoundToTheirRow(t *testing.T) {
	t.Parallel()
	ctx, c, st, line := t.Context(), &clock{start}, memstore.New(), keyring.Line("a")
	k := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	_, err := k.Rotate(ctx, keys.ES256, time.Hour)
	must(t, err)
	_, err = k.Rotate(ctx, keys.ES256, time.Hour)
	must(t, err)
	rows, err := st.SigningKeys(ctx)
	must(t, err)
	must(t, st.ResealKey(ctx, rows[0].ID, rows[0].Sealed, rows[1].Sealed))
	if err := k.EnsureActive(ctx); err == nil {
		t.Error("rows were swapped: got no error")
	}
}

func TestNoKeyring(t *testing.T) {
	t.Parallel()
	k := keys.New(keys.Config{Store: memstore.New(), Now: (&clock{start}).Now})
	must(t, k.EnsureActive(t.Context()))
	wantNoSet(t, k)
	if _, err := k.Rotate(t.Context(), keys.ES256, time.Hour); err == nil {
		t.Error("Rotate: got no error")
	}
	if _, err := k.Reseal(t.Context()); err == nil {
		t.Error("Reseal: got no error")
	}
}

func wantNoSet(t *testing.T, k *keys.Keys) {
	t.Helper()
	w := httptest.NewRecorder()
	k.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "keys\"") {
		t.Errorf("got %d %v %s, want 503, to be asked again and not kept", w.Code, w.Header(), w.Body)
	}
}

// Nobody is shown, and keeps, an empty set while the first key is being made.
func TestNoSetBeforeTheFirstKey(t *testing.T) {
	t.Parallel()
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: (&clock{start}).Now})
	wantNoSet(t, k)
	must(t, k.EnsureActive(t.Context()))
	if got := len(published(t, k)); got != 2 {
		t.Errorf("got %d keys, want 2", got)
	}
}

// breaking reseals so many keys more.
type breaking struct {
	store.Store
	left int
}

func (b *breaking) ResealKey(ctx context.Context, id, old, sealed string) error {
	if b.left == 0 {
		return io.ErrUnexpectedEOF
	}
	b.left--
	return b.Store.ResealKey(ctx, id, old, sealed)
}

// The secret of a client that signs with it is sealed by the same keyring.
func TestParity61_ResealCoversClientSecrets(t *testing.T) {
	t.Parallel()
	ctx, c, st := t.Context(), &clock{start}, memstore.New()
	oldLine, newLine := keyring.Line("old"), keyring.Line("new")
	must(t, st.CreateClient(ctx, &oauth.Client{ID: "signs", CreatedAt: start}))
	must(t, st.CreateClientSecret(ctx, &oauth.ClientSecret{ID: "s1", ClientID: "signs", CreatedAt: start,
		Sealed: ring(t, oldLine).Seal([]byte("the secret"), keyring.ClientSecretPlace("s1"))}))
	both := keys.New(keys.Config{Store: st, Ring: ring(t, newLine, oldLine), Now: c.Now})
	if err := both.Droppable(ctx, "old"); err == nil {
		t.Error("a key that seals a client secret may be dropped")
	}
	if n, err := both.Reseal(ctx); n != 1 || err != nil {
		t.Errorf("resealed %d, %v", n, err)
	}
	must(t, both.Droppable(ctx, "old"))
	secrets, err := st.SealedSecrets(ctx)
	must(t, err)
	if plain, err := ring(t, newLine).Open(secrets[0].Sealed, keyring.ClientSecretPlace("s1")); err != nil || string(plain) != "the secret" {
		t.Errorf("opened %q, %v", plain, err)
	}
}
