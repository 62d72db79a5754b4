package keys

import (
	"errors"
	"net/http"
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
	s, err := k.fresh(r.Context())
	if err == nil && s.published == nil {
		err = errNoKeys
	}
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	w.Header()["Access-Control-Allow-Origin"] = everybody
	s.published.ServeHTTP(w, r)
}

// everybody may read it: it is public and holds no secret.
var everybody = []string{"*"}
