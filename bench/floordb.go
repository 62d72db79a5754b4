package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	_ "modernc.org/sqlite"
)

const (
	floorBatch   = 256
	floorWaiting = 4096
)

// floorRow is what a floor keeps of a token, under a key that grows with time.
type floorRow struct {
	id      []byte
	hash    [sha256.Size]byte
	client  string
	scope   string
	expires int64
	done    chan error // for who waits for its commit
}

func newFloorRow() (string, *floorRow) {
	row := &floorRow{id: make([]byte, 16), client: floorClient, scope: floorScope, done: make(chan error, 1)}
	now := time.Now()
	binary.BigEndian.PutUint64(row.id, uint64(now.UnixMicro()))
	rand.Read(row.id[8:])
	text := hex.EncodeToString(row.id) + rand.Text()
	row.hash, row.expires = sha256.Sum256([]byte(text)), now.Unix()+floorLife
	return text, row
}

// describe is the answer of RFC 7662.
func (r *floorRow) describe() map[string]any {
	if r == nil {
		return map[string]any{"active": false}
	}
	return map[string]any{"active": true, "client_id": r.client, "sub": r.client, "scope": r.scope, "exp": r.expires,
		"iat": r.expires - floorLife, "token_type": "Bearer", "iss": "https://id.example.org"}
}

// floorRows is a table of tokens, in either database.
type floorRows struct {
	insert  func(batch []*floorRow) error
	look    func(ctx context.Context, id []byte) (*floorRow, error)
	waiting chan *floorRow
}

// openFloor opens the database and starts who commits: one for SQLite, two for
// PostgreSQL, each taking whatever waits.
func openFloor(database string) (f *floorRows, err error) {
	writers := 2
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		writers = 1
		f, err = floorOnSQLite(file)
	} else {
		f, err = floorOnPostgres(database)
	}
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	f.waiting = make(chan *floorRow, floorWaiting)
	for range writers {
		go f.commit()
	}
	return f, nil
}

// add returns when the row is committed.
func (f *floorRows) add(r *floorRow) error {
	f.waiting <- r
	return <-r.done
}

// commit commits whatever waits in one transaction, again and again.
func (f *floorRows) commit() {
	for first := range f.waiting {
		batch := []*floorRow{first}
		for more := true; more && len(batch) < floorBatch; {
			select {
			case r := <-f.waiting:
				batch = append(batch, r)
			default:
				more = false
			}
		}
		err := f.insert(batch)
		for _, r := range batch {
			r.done <- err
		}
	}
}

// find returns the row of a token; nil for none.
func (f *floorRows) find(ctx context.Context, text string) (*floorRow, error) {
	if len(text) < 32 {
		return nil, nil
	}
	id, err := hex.DecodeString(text[:32])
	if err != nil {
		return nil, nil
	}
	row, err := f.look(ctx, id)
	if errors.Is(err, sql.ErrNoRows) || errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(text))
	if err != nil || subtle.ConstantTimeCompare(hash[:], row.hash[:]) != 1 {
		return nil, err
	}
	return row, nil
}

const floorTable = `CREATE TABLE floor_tokens (id %[1]s PRIMARY KEY, hash %[1]s NOT NULL, client TEXT NOT NULL, scope TEXT NOT NULL, expires BIGINT NOT NULL)`

func floorOnSQLite(file string) (*floorRows, error) {
	source := "file:" + file + "?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if _, err := db.Exec(fmt.Sprintf(floorTable, "BLOB") + " WITHOUT ROWID"); err != nil {
		return nil, err
	}
	insert, err := db.Prepare(`INSERT INTO floor_tokens VALUES (?, ?, ?, ?, ?)`)
	if err != nil {
		return nil, err
	}
	look, err := db.Prepare(`SELECT hash, client, scope, expires FROM floor_tokens WHERE id = ?`)
	if err != nil {
		return nil, err
	}
	return &floorRows{
		insert: func(batch []*floorRow) error {
			tx, err := db.Begin()
			if err != nil {
				return err
			}
			defer tx.Rollback()
			st := tx.Stmt(insert)
			for _, r := range batch {
				if _, err := st.Exec(r.id, r.hash[:], r.client, r.scope, r.expires); err != nil {
					return err
				}
			}
			return tx.Commit()
		},
		look: func(ctx context.Context, id []byte) (*floorRow, error) {
			var hash []byte
			r := &floorRow{id: id}
			err := look.QueryRowContext(ctx, id).Scan(&hash, &r.client, &r.scope, &r.expires)
			copy(r.hash[:], hash)
			return r, err
		},
	}, nil
}

func floorOnPostgres(url string) (*floorRows, error) {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, fmt.Sprintf(floorTable, "BYTEA")); err != nil {
		return nil, err
	}
	return &floorRows{
		insert: func(batch []*floorRow) error {
			var ids, hashes [][]byte
			var clients, scopes []string
			var expires []int64
			for _, r := range batch {
				ids, hashes = append(ids, r.id), append(hashes, r.hash[:])
				clients, scopes, expires = append(clients, r.client), append(scopes, r.scope), append(expires, r.expires)
			}
			_, err := pool.Exec(ctx, `INSERT INTO floor_tokens SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::bigint[])`,
				ids, hashes, clients, scopes, expires)
			return err
		},
		look: func(ctx context.Context, id []byte) (*floorRow, error) {
			var hash []byte
			r := &floorRow{id: id}
			err := pool.QueryRow(ctx, `SELECT hash, client, scope, expires FROM floor_tokens WHERE id = $1`, id).Scan(&hash, &r.client, &r.scope, &r.expires)
			copy(r.hash[:], hash)
			return r, err
		},
	}, nil
}
