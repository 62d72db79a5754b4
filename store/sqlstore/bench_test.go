package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func seed(b testing.TB, st *sqlstore.Store) {
	b.Helper()
	ctx := context.Background()
	if err := st.CreateClient(ctx, client("0003WmQ1aDsiMTe6yVlhUy")); err != nil {
		b.Fatal(err)
	}
	if err := st.CreateGrant(ctx, &oauth.Grant{ID: "0003WmQ1aDsiMTe6yVlhUz", ClientID: "0003WmQ1aDsiMTe6yVlhUy", Subject: "0003WmQ1aDsiMTe6yVlhUx", CreatedAt: testTime}); err != nil {
		b.Fatal(err)
	}
}

// typical is a token as most are: 22-character ids, two scopes, an hour to live.
func typical(id string, issued time.Time) *oauth.Token {
	return &oauth.Token{ID: id, Kind: oauth.AccessToken, Hash: oauth.HashSecret(oauth.Secret(id)), GrantID: "0003WmQ1aDsiMTe6yVlhUz",
		ClientID: "0003WmQ1aDsiMTe6yVlhUy", Subject: "0003WmQ1aDsiMTe6yVlhUx", Scopes: []string{"records:read", "records:write"},
		IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
}

// BenchmarkInTx is one durable token a transaction, answered after the disk has it.
func BenchmarkInTx(b *testing.B) {
	for _, callers := range []int{1, 32, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			st := openSQLite(b)
			seed(b, st)
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						at := testTime.Add(time.Duration(i) * time.Millisecond)
						err := st.InTx(context.Background(), func(ctx context.Context, tx store.Store) error {
							return tx.CreateToken(ctx, typical(mint.NewID(at), at))
						})
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
}

// BenchmarkToken is one look-up, grant included.
func BenchmarkToken(b *testing.B) {
	st := openSQLite(b)
	seed(b, st)
	ids := fill(b, st, 10_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := st.Token(context.Background(), ids[i%len(ids)]); err != nil {
			b.Fatal(err)
		}
	}
}

func fill(tb testing.TB, st *sqlstore.Store, n int) (ids []string) {
	tb.Helper()
	err := st.InTx(context.Background(), func(ctx context.Context, tx store.Store) error {
		ids = nil
		for i := range n {
			at := testTime.Add(time.Duration(i) * time.Millisecond)
			ids = append(ids, mint.NewID(at))
			if err := tx.CreateToken(ctx, typical(ids[i], at)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ids
}

// A million tokens must not cost more than 350 MB.
func TestBytesPerToken(t *testing.T) {
	t.Parallel()
	st := openSQLite(t)
	seed(t, st)
	size := func() (pages, page int) {
		if err := st.DB().Pool().QueryRow("SELECT (SELECT page_count FROM pragma_page_count), (SELECT page_size FROM pragma_page_size)").Scan(&pages, &page); err != nil {
			t.Fatal(err)
		}
		return pages, page
	}
	before, page := size()
	const n = 20_000
	fill(t, st, n)
	after, _ := size()
	got := (after - before) * page / n
	t.Logf("%d bytes a token with indexes", got)
	if got > 350 {
		t.Errorf("got %d bytes a token with indexes, want at most 350", got)
	}
}
