package valetkey_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// slowStore takes as long as the test likes to record that a token was used.
type slowStore struct {
	store.Store
	begun, proceed chan struct{}
}

func (s slowStore) TouchToken(ctx context.Context, id string, now time.Time, network string) error {
	close(s.begun)
	<-s.proceed
	return s.Store.TouchToken(ctx, id, now, network)
}

// Whoever closes the store after Start has returned loses no last use.
func TestStartWaitsForLastUses(t *testing.T) {
	t.Parallel()
	slow := slowStore{memstore.New(), make(chan struct{}), make(chan struct{})}
	as, err := valetkey.New(valetkey.Config{Issuer: "http://127.0.0.1:5000", Store: slow, Login: myLogin, Users: myUsers})
	if err != nil {
		t.Fatal(err)
	}
	token, secret, err := as.Desk().CreateToken(t.Context(), manage.Actor{Subject: "alice"}, manage.TokenInput{
		Name: "script", Scopes: []string{"tokens:read"}, ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { as.Start(ctx); close(ended) }()

	r := httptest.NewRequest(http.MethodGet, "/api/v1/tokens", nil)
	r.Header.Set("Authorization", "Bearer "+string(secret))
	as.ServeHTTP(httptest.NewRecorder(), r)
	<-slow.begun
	stop()
	select {
	case <-ended:
		t.Error("Start returned while a use was being recorded")
	case <-time.After(50 * time.Millisecond):
	}
	close(slow.proceed)
	<-ended
	if got, err := slow.Token(t.Context(), token.ID); err != nil || got.LastUsedAt.IsZero() {
		t.Errorf("after Start: last used %v, error %v; want that it was recorded", got.LastUsedAt, err)
	}
}
