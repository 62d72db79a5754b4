package clientauth_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

type nobody struct{}

func (nobody) User(context.Context, string) (*oauth.User, error) { return nil, oauth.ErrUserNotFound }

// blind is a store that cannot be read while it is closed.
type blind struct {
	store.Store
	closed *bool
}

var errClosed = errors.New("closed")

func (b blind) Client(ctx context.Context, id string) (*oauth.Client, error) {
	if *b.closed {
		return nil, errClosed
	}
	return b.Store.Client(ctx, id)
}

// A client whose secret is warm is let in from memory; it is refused by the
// database alone, and what changed elsewhere holds here when the bound has passed.
func TestRemembered(t *testing.T) {
	const bound = time.Second
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		elsewhere, closed := memstore.New(), false
		memory := cache.New(cache.Config{Store: blind{elsewhere, &closed}, Users: nobody{}, Bound: bound, Now: time.Now})
		live := liveness.New(liveness.Config{Store: memory.Store(), Users: nobody{}, Now: time.Now, Memory: memory})
		auth := clientauth.New(clientauth.Config{Store: memory.Store(), Live: live, Now: time.Now})
		run, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			memory.Run(run)
		}()
		defer func() {
			auth.Wait()
			stop()
			<-done
		}()
		secret := func(id, text string) *oauth.ClientSecret {
			return &oauth.ClientSecret{ID: id, ClientID: "c", Hash: oauth.HashSecret(oauth.Secret(text)), CreatedAt: time.Now()}
		}
		client := &oauth.Client{ID: "c", AuthMethod: oauth.AuthBasic}
		if err := errors.Join(elsewhere.CreateClient(ctx, client), elsewhere.CreateClientSecret(ctx, secret("s1", "one"))); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		try := func(what, text string, want error) {
			t.Helper()
			r := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("c:"+text)))
			c, err := auth.Authenticate(r, form.Values{})
			if want == nil && (err != nil || c.ID != "c") || !errors.Is(err, want) {
				t.Errorf("%s: got %+v, %v; want %v", what, c, err, want)
			}
		}
		try("cold", "one", nil)
		closed = true
		try("from memory", "one", nil)
		try("a wrong secret", "two", errClosed) // which memory does not decide about
		closed = false
		try("a wrong secret", "two", oauth.InvalidClient)

		if err := elsewhere.CreateClientSecret(ctx, secret("s2", "two")); err != nil {
			t.Fatal(err)
		}
		try("a secret made elsewhere just now", "two", nil)
		if err := elsewhere.ExpireClientSecrets(ctx, "c", "s2", time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(bound)
		synctest.Wait()
		try("a secret that was ended elsewhere", "one", oauth.InvalidClient)
		try("the other", "two", nil)

		client.Disabled = true
		if err := memory.Store().UpdateClient(ctx, client); err != nil {
			t.Fatal(err)
		}
		try("disabled here", "two", oauth.InvalidClient)
		client.Disabled = false
		if err := elsewhere.UpdateClient(ctx, client); err != nil {
			t.Fatal(err)
		}
		try("enabled elsewhere", "two", nil)
		client.AuthMethod = oauth.AuthPost
		if err := elsewhere.UpdateClient(ctx, client); err != nil {
			t.Fatal(err)
		}
		time.Sleep(bound)
		synctest.Wait()
		try("registered for another method elsewhere", "two", oauth.InvalidClient)
	})
}
