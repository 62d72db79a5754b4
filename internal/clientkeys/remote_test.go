package clientkeys_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/oauthtest"
)

// A set behind a URL: kept, asked for again when its owner rotates, at most once a
// minute, and used a while longer when it cannot be had.
func TestM53_RotationBehindAURL(t *testing.T) {
	t.Parallel()
	clock := oauthtest.NewClock()
	k := newKeys(clock)
	old, next := oauthtest.NewSigner(t, "ES256", "old"), oauthtest.NewSigner(t, "ES256", "next")
	p := publish(t, oauthtest.JWKS(t, old))
	client := byURL(p.URL + "/jwks")
	hits := int64(0)
	step := func(name string, s oauthtest.Signer, ok bool, fetched int64) {
		t.Helper()
		hits += fetched
		_, _, err := k.Verify(context.Background(), client, s.Sign(t, "", "{}"), clientkeys.Algorithms)
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if got := p.hits.Load(); got != hits {
			t.Errorf("%s: %d fetches in all, want %d", name, got, hits)
			hits = got
		}
	}
	step("first", old, true, 1)
	step("kept", old, true, 0)
	p.set(oauthtest.JWKS(t, next))
	step("rotated", next, true, 1)
	step("the old one is gone", old, false, 0) // an unknown kid again, within the minute
	clock.Move(59 * time.Second)
	step("still within the minute", old, false, 0)
	clock.Move(time.Second)
	step("a minute later", old, false, 1)
	p.down.Store(true)
	step("kept while down", next, true, 0)
	clock.Move(9*time.Minute + 59*time.Second)
	step("fresh to the end", next, true, 0)
	clock.Move(time.Second)
	step("stale", next, true, 1)
	step("stale, and not asked every time", next, true, 0)
	clock.Move(10 * time.Second)
	step("asked again after a while", next, true, 1)
	clock.Move(15 * time.Minute)
	step("too stale", next, false, 1)
	p.down.Store(false)
	clock.Move(10 * time.Second)
	step("up again", next, true, 1)
	p.set([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`))
	clock.Move(time.Hour)
	step("a set that must not be", next, false, 1)
}

// Garbage from strangers does not make us knock at the same door all the time.
func TestUnknownKeysDoNotFloodTheOwner(t *testing.T) {
	t.Parallel()
	clock := oauthtest.NewClock()
	k := newKeys(clock)
	owner := oauthtest.NewSigner(t, "ES256", "k")
	p := publish(t, oauthtest.JWKS(t, owner))
	for i := range 50 {
		stranger := oauthtest.NewSigner(t, "ES256", fmt.Sprint("k", i))
		if _, _, err := k.Verify(context.Background(), byURL(p.URL), stranger.Sign(t, "", "{}"), clientkeys.Algorithms); err == nil {
			t.Fatal("a stranger's signature")
		}
	}
	if n := p.hits.Load(); n != 2 {
		t.Errorf("%d fetches for 50 unknown keys, want 2", n)
	}
	p.down.Store(true)
	before := p.hits.Load()
	nowhere := p.URL + "/nowhere"
	for range 50 {
		k.Verify(context.Background(), byURL(nowhere), owner.Sign(t, "", "{}"), clientkeys.Algorithms)
	}
	if n := p.hits.Load() - before; n != 1 {
		t.Errorf("%d fetches of a set that is not there, want 1", n)
	}
}

func TestManyWaitForOneFetch(t *testing.T) {
	t.Parallel()
	k := newKeys(oauthtest.NewClock())
	s := oauthtest.NewSigner(t, "ES256", "k")
	p := publish(t, oauthtest.JWKS(t, s))
	p.wait = make(chan struct{})
	jws := s.Sign(t, "", "{}")
	var group sync.WaitGroup
	var failed atomic.Int64
	for range 20 {
		group.Go(func() {
			if _, _, err := k.Verify(context.Background(), byURL(p.URL), jws, clientkeys.Algorithms); err != nil {
				failed.Add(1)
			}
		})
	}
	impatient, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	for p.hits.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, _, err := k.Verify(impatient, byURL(p.URL), jws, clientkeys.Algorithms); err == nil {
		t.Error("an answer before there is one")
	}
	close(p.wait)
	group.Wait()
	if failed.Load() != 0 || p.hits.Load() != 1 {
		t.Errorf("%d of 20 failed, %d fetches", failed.Load(), p.hits.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	k := newKeys(oauthtest.NewClock())
	s := oauthtest.NewSigner(t, "ES256", "k")
	jws := s.Sign(t, "", "{}")
	for i := range 1500 {
		k.Verify(context.Background(), byURL(fmt.Sprintf("https://0x%x/", i)), jws, clientkeys.Algorithms)
	}
	if n := k.Remembered(); n > 1000 {
		t.Errorf("%d sets are remembered", n)
	}
}
