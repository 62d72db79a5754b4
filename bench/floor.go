package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/livetest"
)

// floorArgument makes this program serve the floors instead of measuring.
const floorArgument = "serve-floor"

const (
	floorSecret  = "floor-secret"
	floorBatch   = 256
	floorWaiting = 4096
)

// floor is the running server of the floors.
type floor struct {
	addr string
	pid  int
	cmd  *exec.Cmd
}

// startFloor starts this program again as the server of the floors, in a
// process of its own so that its CPU time can be told from the load's.
func startFloor(ctx context.Context, dir string) (*floor, error) {
	addr, err := livetest.FreeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, floorArgument, addr, filepath.Join(dir, "floor.db"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &floor{addr: addr, pid: cmd.Process.Pid, cmd: cmd}
	for range 500 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return f, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.stop()
	return nil, errors.New("the floor server did not start")
}

func (f *floor) stop() {
	f.cmd.Process.Kill()
	f.cmd.Wait()
}

// floorScenarios are the rows that Valetkey's own are held against.
func floorScenarios(f *floor) []scenario {
	hello := get(f.addr, "/hello")
	token := post(f.addr, "/token", url.Values{"grant_type": {"client_credentials"}}, basic("floor", floorSecret))
	return []scenario{
		{"floor: hello", []int{1, 32}, func(int) (step, error) {
			w := &wire{addr: f.addr}
			return func() error { return w.expect(hello, "ok") }, nil
		}},
		{"floor: token, group commit", []int{1, 32}, func(int) (step, error) {
			w := &wire{addr: f.addr}
			return func() error { return w.expect(token, "access_token") }, nil
		}},
	}
}

// serveFloor answers /hello with a constant and /token with a token whose hash
// is committed to SQLite before the answer, many tokens to a commit.
func serveFloor(addr, file string) error {
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE tokens (id BLOB PRIMARY KEY, hash BLOB NOT NULL, expires BIGINT NOT NULL) WITHOUT ROWID`); err != nil {
		return err
	}
	commits := make(chan floorToken, floorWaiting)
	go commitAll(db, commits)
	secret := sha256.Sum256([]byte(floorSecret))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		sent := sha256.Sum256([]byte(password))
		if r.ParseForm() != nil || subtle.ConstantTimeCompare(sent[:], secret[:]) != 1 {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		t := floorToken{id: make([]byte, 16), done: make(chan error, 1)}
		binary.BigEndian.PutUint64(t.id, uint64(time.Now().UnixMicro()))
		rand.Read(t.id[8:])
		text := hex.EncodeToString(t.id) + rand.Text()
		t.hash = sha256.Sum256([]byte(text))
		commits <- t
		if err := <-t.done; err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, struct {
			AccessToken string `json:"access_token"`
			TokenType   string `json:"token_type"`
			ExpiresIn   int    `json:"expires_in"`
		}{text, "Bearer", 3600})
	})
	server := http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: answerWithin}
	return server.ListenAndServe()
}

// floorToken is one row that waits for its commit.
type floorToken struct {
	id   []byte
	hash [sha256.Size]byte
	done chan error
}

// commitAll commits whatever waits in one transaction, again and again.
func commitAll(db *sql.DB, waiting <-chan floorToken) {
	for first := range waiting {
		batch := []floorToken{first}
		for more := true; more && len(batch) < floorBatch; {
			select {
			case t := <-waiting:
				batch = append(batch, t)
			default:
				more = false
			}
		}
		err := commit(db, batch)
		for _, t := range batch {
			t.done <- err
		}
	}
}

func commit(db *sql.DB, batch []floorToken) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.Prepare(`INSERT INTO tokens (id, hash, expires) VALUES (?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	expires := time.Now().Add(time.Hour).UnixMicro()
	for _, t := range batch {
		if _, err := insert.Exec(t.id, t.hash[:], expires); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}
