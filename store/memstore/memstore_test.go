package memstore_test

import (
	"testing"

	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}
