package keys

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// maxAge is for how long a verifier may keep the key set.
const maxAge = 5 * time.Minute

// errNoKeys: before the first key is made there is no set to serve. Whoever
// verifies would keep an empty one for minutes.
var errNoKeys = &oauth.Error{
	Code: oauth.TemporarilyUnavailable, Description: "There is no signing key yet. Try again in a moment.",
	Cause: errors.New("nothing has called EnsureActive, which Server.Start does"),
}

// ServeHTTP answers with the JSON Web Key Set (RFC 7517 §5), or with 503 while
// there is no key.
func (k *Keys) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	s, err := k.fresh(r.Context())
	if err == nil && s.body == nil {
		err = errNoKeys
	}
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(maxAge/time.Second)))
	h.Set("Access-Control-Allow-Origin", "*") // it is public and holds no secret
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", s.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.body)) // answers If-None-Match (RFC 9110 §13.1.2)
}
