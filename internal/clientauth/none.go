package clientauth

import (
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/oauth"
)

// none reads the method of public clients: they only say who they are (RFC 6749 §3.2.1).
func none(f form.Values) (credentials, error) {
	id := f["client_id"]
	if id == "" {
		return credentials{}, &oauth.Error{Code: oauth.InvalidClient,
			Description: "The request does not say which client sends it: client_id is missing.", Cause: ErrUnknownClient}
	}
	return credentials{method: oauth.AuthNone, clientID: id}, nil
}
