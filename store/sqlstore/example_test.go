package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func ExampleNew() {
	dir, err := os.MkdirTemp("", "valetkey")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(dir, "valetkey.db")))
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)

	st := sqlstore.New(db, sqlstore.SQLite)
	ctx := context.Background()
	if err := st.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	if err := st.CreateClient(ctx, &oauth.Client{ID: "reporter", Name: "Reporter"}); err != nil {
		log.Fatal(err)
	}
	c, err := st.Client(ctx, "reporter")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Name)
	// Output: Reporter
}
