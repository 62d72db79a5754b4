package keys_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

const day = 24 * time.Hour

// kid reads the key id of a JWS.
func kid(t *testing.T, jws string) string {
	t.Helper()
	parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	must(t, err)
	return parsed.Signatures[0].Protected.KeyID
}

func sign(t *testing.T, k *keys.Keys, alg string) string {
	t.Helper()
	jws, err := k.Sign(t.Context(), alg, "test+jwt", map[string]string{"sub": "alice"})
	must(t, err)
	return jws
}

func ids(list []jose.JSONWebKey) string {
	var out []string
	for _, key := range list {
		out = append(out, key.KeyID)
	}
	return strings.Join(out, " ")
}

// TestD4_KeyRotation: the new key appears before it signs, the old one stays as
// long as what it signed lives, and then goes; each of them verifies at any time.
func TestD4_KeyRotation(t *testing.T) {
	t.Parallel()
	for _, alg := range keys.Offered() {
		ctx, c, st := t.Context(), &clock{start}, memstore.New()
		k := keys.New(keys.Config{Store: st, Ring: ring(t, keyring.Line("a")), Now: c.Now,
			Rotation: 30 * day, PublishAhead: 2 * day, Overlap: 3 * time.Hour})
		must(t, k.EnsureActive(ctx))
		must(t, k.Maintain(ctx))
		first := sign(t, k, alg)

		c.now = start.Add(28*day - 1)
		must(t, k.Maintain(ctx))
		if got := len(of(published(t, k), alg)); got != 1 {
			t.Errorf("%s: a moment before it is published: got %d keys, want 1", alg, got)
		}
		c.now = start.Add(28 * day)
		must(t, k.Maintain(ctx))
		must(t, k.Maintain(ctx))
		both := of(published(t, k), alg)
		if len(both) != 2 || kid(t, sign(t, k, alg)) != kid(t, first) {
			t.Fatalf("%s: two days ahead: got %d keys and a signature by %s, want 2 and the old one to sign", alg, len(both), kid(t, sign(t, k, alg)))
		}
		c.now = start.Add(30*day - 1)
		must(t, k.Maintain(ctx))
		if kid(t, sign(t, k, alg)) != kid(t, first) {
			t.Errorf("%s: the next key signs too early", alg)
		}
		c.now = start.Add(30 * day)
		must(t, k.Maintain(ctx))
		second := sign(t, k, alg)
		if kid(t, second) == kid(t, first) || ids(of(published(t, k), alg)) != ids(both) {
			t.Errorf("%s: at its time: got a signature by %s and the keys %s, want the next key to sign and the same keys", alg, kid(t, second), ids(of(published(t, k), alg)))
		}
		c.now = start.Add(30*day + 3*time.Hour)
		must(t, k.Maintain(ctx))
		if got := of(published(t, k), alg); len(got) != 1 || got[0].KeyID != kid(t, second) {
			t.Errorf("%s: past the overlap: got %s, want the new key alone", alg, ids(got))
		}
		for _, jws := range []string{first, second} {
			if _, typ, err := k.Verify(ctx, jws); err != nil || typ != "test+jwt" {
				t.Errorf("%s: verify: got %v and type %q", alg, err, typ)
			}
		}
		// What the store has purged verifies no more.
		c.now = start.Add(60*day + 3*time.Hour)
		purge := func() {
			_, _, err := st.Purge(ctx, store.RetiredKeys, store.Horizon{Keys: c.now.Add(-30 * day)}, "", 100)
			must(t, err)
		}
		c.now = c.now.Add(-1)
		purge()
		if _, _, err := k.Verify(ctx, first); err != nil {
			t.Errorf("%s: a moment before it goes: got %v", alg, err)
		}
		c.now = c.now.Add(time.Minute)
		purge()
		if _, _, err := k.Verify(ctx, first); !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%s: after the purge: got %v, want ErrSignature", alg, err)
		}
	}
}

// A node that was away when the next key should have been published waits until
// everybody can know it.
func TestNextKeyIsAlwaysPublishedAhead(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now})
	must(t, k.EnsureActive(ctx))
	first := kid(t, sign(t, k, keys.ES256))
	c.now = start.Add(200 * day)
	must(t, k.Maintain(ctx))
	c.now = c.now.Add(day - 1)
	must(t, k.Maintain(ctx))
	if got := kid(t, sign(t, k, keys.ES256)); got != first {
		t.Error("a key signs that was published less than a day before")
	}
	c.now = c.now.Add(1)
	must(t, k.Maintain(ctx))
	if got := kid(t, sign(t, k, keys.ES256)); got == first {
		t.Error("the old key signs longer than it must")
	}
}

// Rotate takes the key that verifiers know already.
func TestRotateTakesTheNextKey(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now})
	must(t, k.EnsureActive(ctx))
	c.now = start.Add(89 * day)
	must(t, k.Maintain(ctx))
	next := of(published(t, k), keys.RS256)[0].KeyID
	id, err := k.Rotate(ctx, keys.RS256, time.Hour)
	must(t, err)
	if id != next || kid(t, sign(t, k, keys.RS256)) != next {
		t.Errorf("got %s, want the next key %s to sign", id, next)
	}
	if _, err := k.Rotate(ctx, "HS256", time.Hour); err == nil {
		t.Error("HS256: got no error")
	}
}

func TestRotationByCommandOnly(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now, Rotation: -1})
	must(t, k.Maintain(ctx)) // also makes what is missing
	c.now = start.Add(1000 * day)
	must(t, k.Maintain(ctx))
	if got := len(published(t, k)); got != 2 {
		t.Errorf("got %d keys, want the first two", got)
	}
}

// Many nodes that maintain at once do everything once.
func TestMaintainRace(t *testing.T) {
	t.Parallel()
	ctx, c, st, line := t.Context(), &clock{start}, memstore.New(), keyring.Line("a")
	all := func() {
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				k := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
				if err := errors.Join(k.EnsureActive(ctx), k.Maintain(ctx)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	for _, at := range []time.Duration{0, 89 * day, 90 * day} {
		c.now = start.Add(at)
		all()
	}
	rows, err := st.SigningKeys(ctx)
	must(t, err)
	states := map[store.KeyState]int{}
	for _, row := range rows {
		states[row.State]++
	}
	if len(rows) != 4 || states[store.KeyActive] != 2 || states[store.KeyRetiring] != 2 {
		t.Errorf("got %v, want two active and two retiring keys", states)
	}
}

// watched counts how often the keys are read.
type watched struct {
	store.Store
	reads int
}

func (w *watched) SigningKeys(ctx context.Context) ([]*store.SigningKey, error) {
	w.reads++
	return w.Store.SigningKeys(ctx)
}

// A key that another node made is known at once when somebody shows what it
// signed; strangers with made-up ids do not make us ask more than once a second.
func TestUnknownKey(t *testing.T) {
	t.Parallel()
	ctx, c, st, line := t.Context(), &clock{start}, &watched{Store: memstore.New()}, keyring.Line("a")
	here := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	there := keys.New(keys.Config{Store: st.Store, Ring: ring(t, line), Now: c.Now})
	must(t, here.EnsureActive(ctx))
	_, err := there.Rotate(ctx, keys.ES256, time.Hour)
	must(t, err)
	if _, _, err := here.Verify(ctx, sign(t, there, keys.ES256)); err != nil {
		t.Errorf("another node's new key: got %v", err)
	}
	stranger := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, line), Now: c.Now})
	c.now = c.now.Add(2 * time.Second)
	st.reads = 0
	forged := sign(t, stranger, keys.ES256)
	for range 50 {
		if _, _, err := here.Verify(ctx, forged); !errors.Is(err, keys.ErrSignature) {
			t.Fatalf("a stranger's key: got %v, want ErrSignature", err)
		}
	}
	if st.reads != 1 {
		t.Errorf("the store was asked %d times, want once", st.reads)
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config keys.Config
		part   string
	}{
		"defaults":            {},
		"by command only":     {config: keys.Config{Rotation: -1, PublishAhead: time.Second}},
		"published too late":  {keys.Config{PublishAhead: 5 * time.Minute}, "published for 5m0s before"},
		"rotated too quickly": {keys.Config{Rotation: time.Hour}, "rotate every 1h0m0s"},
		"negative overlap":    {keys.Config{Overlap: -1}, "negative"},
	} {
		err := test.config.Check()
		if (err == nil) != (test.part == "") || err != nil && !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: got %v, want %q", name, err, test.part)
		}
	}
}
