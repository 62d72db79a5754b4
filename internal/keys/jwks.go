package keys

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// refresh is how old the published document may grow before the store is asked
// again: another node or the command line may have rotated the key.
const refresh = time.Minute

// errNoKeys: before the first key is made there is no set to serve. Whoever
// verifies would keep an empty one for minutes.
var errNoKeys = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Description: "There is no signing key yet. Try again in a moment.",
	Cause: errors.New("nothing has called EnsureActive, which Server.Start does"),
}

// document is a published key set; it has at least one key.
type document struct {
	body []byte
	etag string
	made time.Time
	// until is when the next key drops out; zero: none will.
	until time.Time
}

// ServeHTTP answers with the JSON Web Key Set (RFC 7517 §5), or with 503 while
// there is no key.
func (k *Keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	doc, err := k.document(r.Context())
	if err != nil {
		respond.Error(w, r, respond.Unavailable(err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Access-Control-Allow-Origin", "*") // it is public and holds no secret
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", doc.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(doc.body)) // answers If-None-Match (RFC 9110 §13.1.2)
}

// document returns the published key set, made anew if it may be out of date.
func (k *Keys) document(ctx context.Context) (*document, error) {
	if doc := k.published.Load(); doc != nil {
		now := k.cfg.Now()
		if age := now.Sub(doc.made); age >= 0 && age < refresh && (doc.until.IsZero() || now.Before(doc.until)) {
			return doc, nil
		}
	}
	if err := k.publish(ctx); err != nil {
		return nil, err
	}
	return k.published.Load(), nil
}

func (k *Keys) publish(ctx context.Context) error {
	now := k.cfg.Now()
	doc := &document{made: now}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	rows, err := k.rows(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !row.ExpiresAt.IsZero() && !now.Before(row.ExpiresAt) {
			continue
		}
		public, err := x509.ParsePKIXPublicKey(row.Public)
		if err != nil {
			return fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: row.ID, Algorithm: row.Algorithm, Use: "sig"})
		if !row.ExpiresAt.IsZero() && (doc.until.IsZero() || row.ExpiresAt.Before(doc.until)) {
			doc.until = row.ExpiresAt
		}
	}
	if len(set.Keys) == 0 {
		return errNoKeys
	}
	if doc.body, err = json.Marshal(set); err != nil {
		return fmt.Errorf("signing keys: %w", err)
	}
	sum := sha256.Sum256(doc.body)
	doc.etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	k.published.Store(doc)
	return nil
}
