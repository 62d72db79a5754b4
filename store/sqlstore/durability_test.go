package sqlstore_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

const writerEnv = "VALETKEY_TEST_DURABILITY_WRITER"

// TestMain is the test, or the process that the durability test kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(m.Run())
}

func client(id string) *oauth.Client {
	return &oauth.Client{ID: id, Type: oauth.WebApplication, Name: id, AuthMethod: oauth.AuthBasic, CreatedAt: testTime, UpdatedAt: testTime}
}

// writeUntilKilled rotates refresh tokens and prints each id when it is
// acknowledged: the old token is rotated and the new one is there, or neither.
func writeUntilKilled(path string) {
	die := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	ctx := context.Background()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path))
	die(err)
	st := sqlstore.New(db, sqlstore.SQLite)
	die(st.Migrate(ctx))
	var out sync.Mutex
	for w := range 8 {
		go func() {
			old := ""
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d-%06d", os.Getpid(), w, i)
				die(st.InTx(ctx, func(ctx context.Context, tx store.Store) error {
					if old != "" {
						if err := tx.RotateToken(ctx, old, id, testTime); err != nil {
							return err
						}
					}
					return tx.CreateToken(ctx, &oauth.Token{ID: id, Kind: oauth.RefreshToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: testTime})
				}))
				out.Lock()
				fmt.Println(id, old)
				out.Unlock()
				old = id
			}
		}()
	}
	select {}
}

// What was acknowledged is there after the process was killed at any moment,
// nothing is there by half, and what was used up stays used up.
func TestM57_AcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	st := openFile(t, path)
	if err := st.CreateClient(t.Context(), client("c1")); err != nil {
		t.Fatal(err)
	}
	if err := st.CreateGrant(t.Context(), &oauth.Grant{ID: "g1", ClientID: "c1", Subject: "alice", CreatedAt: testTime}); err != nil {
		t.Fatal(err)
	}
	st.DB().Pool().Close()

	acked := map[string]string{} // new id: old id
	for round := range 5 {
		for id, old := range runAndKill(t, path, 200+100*round) {
			acked[id] = old
		}
		db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(path))
		if err != nil {
			t.Fatal(err)
		}
		st := sqlstore.New(db, sqlstore.SQLite)
		for id, old := range acked {
			if _, err := st.Token(t.Context(), id); err != nil {
				t.Fatalf("round %d: token %s was acknowledged and is lost: %v", round, id, err)
			}
			if old == "" {
				continue
			}
			if tok, err := st.Token(t.Context(), old); err != nil || tok.SuccessorID != id {
				t.Fatalf("round %d: the rotation of %s to %s was acknowledged and is lost (%v)", round, old, id, err)
			}
			if err := st.RotateToken(t.Context(), old, "again", testTime); !errors.Is(err, store.ErrUsed) {
				t.Fatalf("round %d: %s was rotated before the crash; again: got %v, want %v", round, old, err, store.ErrUsed)
			}
		}
		var halves int
		err = db.QueryRow(`SELECT count(*) FROM oauth_tokens t WHERE rotated_at IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM oauth_tokens n WHERE n.id = t.successor_id)`).Scan(&halves)
		if err != nil || halves != 0 {
			t.Fatalf("round %d: %d rotations are there by half (%v)", round, halves, err)
		}
		var sound string
		if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&sound); err != nil || sound != "ok" {
			t.Fatalf("round %d: integrity_check: %s %v", round, sound, err)
		}
		db.Close()
	}
	t.Logf("%d acknowledged writes survived", len(acked))
}

// runAndKill runs a writer, kills it after it has acknowledged n writes, and
// returns all it has acknowledged.
func runAndKill(t *testing.T, path string, n int) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	acked := map[string]string{}
	for in := bufio.NewScanner(out); in.Scan(); {
		id, old, whole := strings.Cut(in.Text(), " ")
		if !whole {
			continue // killed while it printed
		}
		acked[id] = old
		if len(acked) == n {
			cmd.Process.Kill() // SIGKILL; what is still in the pipe was acknowledged too
		}
	}
	if len(acked) < n {
		t.Fatalf("the writer stopped after %d writes: %s", len(acked), stderr.String())
	}
	return acked
}
