package valetkey_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// hungStore answers nobody: it only notices when the caller's time is up.
type hungStore struct{ store.Store }

func (hungStore) Client(ctx context.Context, _ string) (*oauth.Client, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hungStore) SigningKeys(ctx context.Context) ([]*store.SigningKey, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A database that hangs hangs nobody who asks: so many wait until their time is up,
// a few more for a place, and everybody else is told at once to come back.
func TestHungStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		as, err := valetkey.New(valetkey.Config{
			Issuer: "http://127.0.0.1:5000", Store: hungStore{memstore.New()}, Login: myLogin, Users: myUsers, Keyring: keyring.Line("a"),
		})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, path, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("client:secret")))
			w := httptest.NewRecorder()
			as.ServeHTTP(w, r)
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: got %d, Retry-After %q; want 503 and a time", path, w.Code, w.Header().Get("Retry-After"))
			}
			return w
		}
		token := func() *httptest.ResponseRecorder {
			return send(http.MethodPost, "/oauth/token", "grant_type=client_credentials")
		}
		begin := time.Now()
		load := func() oauth.Load { return as.Load()[0] }
		places := load().Places
		var all sync.WaitGroup
		for range 3 * places {
			all.Go(func() { token() })
		}
		synctest.Wait()
		if l := load(); l.Class != "tokens" || l.InFlight != places || l.Queued == 0 || l.Refused != 0 {
			t.Errorf("with all places taken: %+v", l)
		}
		for range 2 * places { // more than may wait
			all.Go(func() {
				if w := token(); !strings.Contains(w.Body.String(), `"temporarily_unavailable"`) || w.Header().Get("Access-Control-Allow-Origin") != "*" {
					t.Errorf("a refusal: %v %s", w.Header(), w.Body)
				}
			})
		}
		synctest.Wait()
		if l := load(); l.Refused == 0 || time.Since(begin) != 0 {
			t.Errorf("after %v: %+v; want some refused at once", time.Since(begin), l)
		}
		// Another class has places of its own; and so have those who want the keys.
		for _, path := range []string{"/oauth/authorize?client_id=x&response_type=code", "/oauth/jwks", "/oauth/jwks"} {
			all.Go(func() { send(http.MethodGet, path, "") })
		}
		all.Wait()
		if took := time.Since(begin); took > 7*time.Second {
			t.Errorf("somebody waited %v", took)
		}
		if l := load(); l.InFlight != 0 || l.Queued != 0 {
			t.Errorf("in the end: %+v", l)
		}
	})
}
