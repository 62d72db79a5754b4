package interop

import (
	"net/http"
	"testing"
	"time"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/openidConnect"
	"golang.org/x/oauth2"
)

// gothSite is a web site that signs people in with goth, as its gothic helpers
// do, but for the cookie: what begins and ends a sign-in is kept in memory. PKCE
// is the site's own business; goth passes it on.
func gothSite(t *testing.T, h *house, users chan<- goth.User) (origin string, provider *openidConnect.Provider) {
	t.Helper()
	return serve(t, func(origin string) http.Handler {
		c := h.register(t, metadata{"redirect_uris": []string{origin + "/callback"}, "grant_types": []string{"authorization_code", "refresh_token"},
			"token_endpoint_auth_method": "client_secret_basic"})
		var err error
		if provider, err = openidConnect.New(c.ID, c.Secret, origin+"/callback", h.Issuer+"/.well-known/openid-configuration", "profile", "email"); err != nil {
			t.Error(err)
			return http.NotFoundHandler()
		}
		var kept string
		verifier := oauth2.GenerateVerifier()
		provider.SetAuthCodeOptions(map[string]string{"code_challenge": oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method": "S256"})
		mux := http.NewServeMux()
		mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
			session, err := provider.BeginAuth("a state")
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			kept = session.Marshal()
			to, _ := session.GetAuthURL()
			http.Redirect(w, r, to, http.StatusFound)
		})
		mux.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
			session, err := provider.UnmarshalSession(kept)
			if err == nil {
				params := r.URL.Query()
				params.Set("code_verifier", verifier)
				_, err = session.Authorize(provider, params)
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			user, err := provider.FetchUser(session)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			users <- user
			w.Write([]byte("welcome"))
		})
		return mux
	}), provider
}

func TestGoth_SignInAndRefresh(t *testing.T) {
	t.Parallel()
	h := start(t)
	users := make(chan goth.User, 1)
	origin, provider := gothSite(t, h, users)
	if provider == nil {
		t.FailNow()
	}
	if page := h.visitor(t).walk(origin + "/login"); string(page.Body) != "welcome" {
		t.Fatalf("not signed in: %v\n%s", page, page.Body)
	}
	user := <-users
	if user.UserID == "" || user.Email != maria.Email || user.Name != "Maria Stone" || user.FirstName != "Maria" || user.LastName != "Stone" ||
		user.NickName == "" || user.AvatarURL != "https://people.example.org/maria.png" || !user.ExpiresAt.After(time.Now()) {
		t.Errorf("user %+v", user)
	}
	fresh, err := provider.RefreshToken(user.RefreshToken)
	if err != nil || fresh.AccessToken == user.AccessToken {
		t.Errorf("refreshed: %+v, %v", fresh, err)
	}
}
