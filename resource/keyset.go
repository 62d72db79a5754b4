package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	keysKept  = 5 * time.Minute  // how long a key set is good without looking again
	keysStale = 24 * time.Hour   // how long it must do when the server cannot be reached
	keysPause = 10 * time.Second // between two looks at the server
	maxKeySet = 256 << 10        // bytes
)

// keySet is a server's published keys (RFC 7517 §5), fetched when they are needed.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex // held while fetching: others wait for the same answer
	keys    []jose.JSONWebKey
	fetched time.Time // when keys were good
	tried   time.Time // when the server was asked the last time
	fault   error     // what came of that
}

func newKeySet(c JWTConfig) *keySet {
	client := http.Client{Timeout: 10 * time.Second}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &keySet{url: c.JWKS, client: &client, now: c.Now}
}

// find returns the public key of that id and algorithm. A refusal is invalid_token
// if the server has no such key, temporarily_unavailable if it could not be asked.
func (s *keySet) find(ctx context.Context, kid, alg string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	key := s.pick(kid, alg)
	age := now.Sub(s.fetched)
	if key != nil && age >= 0 && age < keysKept {
		return key, nil
	}
	if since := now.Sub(s.tried); since < 0 || since >= keysPause {
		s.fetch(ctx, now)
		key = s.pick(kid, alg)
	}
	switch {
	case key != nil && now.Sub(s.fetched) < keysStale:
		return key, nil
	case s.fault != nil:
		return nil, unavailable(s.fault)
	}
	return nil, notOurs(fmt.Errorf("the server has no key %q for %s", kid, alg))
}

func (s *keySet) pick(kid, alg string) any {
	for _, k := range s.keys {
		if k.KeyID == kid && (k.Algorithm == "" || k.Algorithm == alg) && (k.Use == "" || k.Use == "sig") {
			return k.Key
		}
	}
	return nil
}

// fetch asks the server. One that answers with keys replaces what is known.
func (s *keySet) fetch(ctx context.Context, now time.Time) {
	// Whoever waits for the same answer must not lose it when this caller leaves.
	keys, err := s.get(context.WithoutCancel(ctx))
	s.tried, s.fault = now, err
	if err == nil {
		s.keys, s.fetched = keys, now
	}
}

func (s *keySet) get(ctx context.Context) ([]jose.JSONWebKey, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the key set answers %s", resp.Status)
	case len(body) > maxKeySet:
		return nil, fmt.Errorf("the key set is larger than %d bytes", maxKeySet)
	}
	return parseKeySet(body)
}

// parseKeySet keeps the public keys that it can read and leaves the others out
// (RFC 7517 §5).
func parseKeySet(body []byte) ([]jose.JSONWebKey, error) {
	members, err := object(body)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	var list []json.RawMessage
	if members["keys"] == nil || json.Unmarshal(members["keys"], &list) != nil {
		return nil, errors.New("key set: member keys is not a list")
	}
	var keys []jose.JSONWebKey
	for _, raw := range list {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && k.Valid() && k.IsPublic() {
			keys = append(keys, k)
		}
	}
	return keys, nil
}
