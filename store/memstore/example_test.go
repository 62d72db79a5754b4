package memstore_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

func ExampleNew() {
	st, ctx := memstore.New(), context.Background()
	err := st.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := tx.CreateClient(ctx, &oauth.Client{ID: "reporter"}); err != nil {
			return err
		}
		return errors.New("changed my mind") // undoes it
	})
	fmt.Println(err)
	_, err = st.Client(ctx, "reporter")
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// changed my mind
	// true
}
