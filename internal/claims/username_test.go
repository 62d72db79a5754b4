package claims

import (
	"testing"

	"github.com/valetkey/valetkey/oauth"
)

// Who signs in with an e-mail address does not tell it to a client that may read
// the profile alone.
func TestAddressToSignInWithIsNoUsername(t *testing.T) {
	t.Parallel()
	profile := []string{"openid", "profile"}
	told := UserInfo(&oauth.User{Subject: "1", Username: "Maria@example.org", Email: "maria@example.org"}, "1", profile, nil)
	if len(told) != 1 {
		t.Errorf("told %v, want sub alone", told)
	}
	told = UserInfo(&oauth.User{Subject: "1", Username: "maria", Email: "maria@example.org"}, "1", profile, nil)
	if told["preferred_username"] != "maria" || told["name"] != "maria" {
		t.Errorf("told %v, want the user name", told)
	}
}
