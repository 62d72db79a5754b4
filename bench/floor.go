package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// floorArgument makes this program serve the floors: an address, a database
// (sqlite:FILE or a URL), and how many tokens it holds before it starts.
const floorArgument = "serve-floor"

const (
	floorClient = "floor"
	floorSecret = "floor-secret"
	floorScope  = "read write"
	floorLife   = 3600 // seconds
)

// child is this program again, serving something.
type child struct {
	addr string
	pid  int
	cmd  *exec.Cmd
}

// startChild starts this program with args after the address it listens on.
func startChild(ctx context.Context, what string, args ...string) (*child, error) {
	addr, err := livetest.FreeAddr()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{what, addr}, args...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{addr: addr, pid: cmd.Process.Pid, cmd: cmd}
	for range 6000 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return c, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.stop()
	return nil, fmt.Errorf("%s did not start", what)
}

func (c *child) stop() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// startFloor starts the floors on a fresh SQLite database, or on that of the URL.
func startFloor(ctx context.Context, dir, database string) (*child, error) {
	if database == "" {
		own, err := os.MkdirTemp(dir, "floor")
		if err != nil {
			return nil, err
		}
		database = "sqlite:" + filepath.Join(own, "floor.db")
	}
	return startChild(ctx, floorArgument, database)
}

// side is one of the floor's routes, asked again and again.
func (c *child) side(request []byte, expect string) *side {
	return &side{pid: c.pid, connect: func(int) (step, error) {
		w := &wire{addr: c.addr}
		return func() error { return w.expect(request, expect) }, nil
	}}
}

func (c *child) get(path, expect string) *side { return c.side(get(c.addr, path), expect) }

// post sends a form as the floor's only client.
func (c *child) post(path string, form url.Values, expect string) *side {
	return c.side(post(c.addr, path, form, basic(floorClient, floorSecret)), expect)
}

// token is the floor that makes a token by the route.
func (c *child) token(path string) *side {
	return c.post(path, url.Values{"grant_type": {"client_credentials"}}, "access_token")
}

// introspect is a floor that looks tokens up that it has just made.
func (c *child) introspect(path, mint string) *side {
	return &side{pid: c.pid, connect: func(int) (step, error) {
		w, auth := &wire{addr: c.addr}, basic(floorClient, floorSecret)
		var pool [][]byte
		for range tokenPool / people {
			if err := w.expect(post(c.addr, mint, url.Values{"grant_type": {"client_credentials"}}, auth), "access_token"); err != nil {
				return nil, err
			}
			pool = append(pool, post(c.addr, path, url.Values{"token": {member(w.body.String(), "access_token")}}, auth))
		}
		return w.inTurns(pool, `"active":true`), nil
	}}
}

// serveFloor serves the floors: an answer that is ready, and the least that
// issues, signs, looks up and hashes.
func serveFloor(args []string) error {
	if len(args) != 2 {
		return errors.New("want an address and a database")
	}
	rows, err := openFloor(args[1])
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ready := []byte(`{"issuer":"https://id.example.org"` + strings.Repeat(`,"member":"a value of some length"`, 52) + `}`)
	slots := make(chan struct{}, max(1, runtime.NumCPU()-1))

	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]string{"status": "ok"})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(ready)
	})
	mux.Handle("POST /token", forClient(func(w http.ResponseWriter, r *http.Request) error {
		text, row := newFloorRow()
		if err := rows.add(row); err != nil {
			return err
		}
		return writeJSON(w, floorAnswer(text))
	}))
	mux.Handle("POST /token-es256", forClient(func(w http.ResponseWriter, r *http.Request) error {
		text, err := floorJWT(key, time.Now())
		if err != nil {
			return err
		}
		return writeJSON(w, floorAnswer(text))
	}))
	mux.Handle("POST /introspect", forClient(func(w http.ResponseWriter, r *http.Request) error {
		row, err := rows.find(r.Context(), r.PostForm.Get("token"))
		if err != nil {
			return err
		}
		return writeJSON(w, row.describe())
	}))
	mux.HandleFunc("POST /hash", func(w http.ResponseWriter, r *http.Request) {
		slots <- struct{}{}
		defer func() { <-slots }()
		argon2.IDKey([]byte(floorSecret), []byte("0123456789abcdef"), 2, 19*1024, 1, 32)
		writeJSON(w, map[string]string{"status": "ok"})
	})
	server := http.Server{Addr: args[0], Handler: mux, ReadHeaderTimeout: answerWithin}
	return server.ListenAndServe()
}

// forClient checks the secret of the floor's only client and reads the form.
func forClient(next func(http.ResponseWriter, *http.Request) error) http.Handler {
	secret := sha256.Sum256([]byte(floorSecret))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		sent := sha256.Sum256([]byte(password))
		if r.ParseForm() != nil || subtle.ConstantTimeCompare(sent[:], secret[:]) != 1 {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		if err := next(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
}

type floorToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
}

func floorAnswer(text string) floorToken { return floorToken{text, "Bearer", floorLife, floorScope} }

// floorJWT signs a token that nobody keeps.
func floorJWT(key *ecdsa.PrivateKey, now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": "https://id.example.org", "sub": floorClient, "aud": "https://api.example.org", "client_id": floorClient,
		"iat": now.Unix(), "exp": now.Unix() + floorLife, "jti": rand.Text(), "scope": floorScope,
	})
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"floor","typ":"at+jwt"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature[:]), nil
}

func writeJSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	return json.NewEncoder(w).Encode(v)
}
