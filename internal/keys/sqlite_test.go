package keys_test

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// TestOverSQLite walks the life of the keys, and of the salt beside them, over a
// database.
func TestOverSQLite(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "t.db")))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	st := sqlstore.New(db, sqlstore.SQLite)
	must(t, st.Migrate(ctx))
	oldLine, newLine := keyring.Line("old"), keyring.Line("new")
	k := keys.New(keys.Config{Store: st, Ring: ring(t, oldLine), Now: c.Now})
	must(t, k.EnsureActive(ctx))
	salt, err := k.PairwiseSalt(ctx)
	must(t, err)
	var signed []string
	for _, at := range []time.Duration{0, 89 * day, 90 * day} {
		c.now = start.Add(at)
		must(t, k.Maintain(ctx))
		for _, alg := range k.Algorithms() {
			signed = append(signed, sign(t, k, alg))
		}
	}
	if first, last := kid(t, signed[0]), kid(t, signed[len(signed)-2]); first == last {
		t.Error("the ES256 key was not rotated")
	}
	both := keys.New(keys.Config{Store: st, Ring: ring(t, newLine, oldLine), Now: c.Now})
	if n, err := both.Reseal(ctx); err != nil || n != 5 { // four keys and the salt
		t.Errorf("resealed %d, %v, want 5", n, err)
	}
	after := keys.New(keys.Config{Store: st, Ring: ring(t, newLine), Now: c.Now})
	must(t, after.EnsureActive(ctx))
	for _, jws := range signed {
		if _, _, err := after.Verify(ctx, jws); err != nil {
			t.Error(err)
		}
	}
	if got, err := after.PairwiseSalt(ctx); err != nil || !bytes.Equal(got, salt) {
		t.Errorf("the salt changed (%v)", err)
	}
}
