package clientauth

import (
	"net/http"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/oauth"
)

// post reads client_secret_post (RFC 6749 §2.3.1): id and secret in the body.
func post(_ *http.Request, f form.Values) (credentials, bool, error) {
	secret := f["client_secret"]
	if secret == "" {
		return credentials{}, false, nil
	}
	return credentials{method: oauth.AuthPost, clientID: f["client_id"], secret: oauth.Secret(secret)}, true, nil
}
