package pages_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is one page as the tests draw it; its golden file is testdata/<name>.html.
type sample struct {
	name  string
	shell pages.Shell
	page  pages.Page
}

// samples holds every page, full and empty. Each room lists its own.
func samples() []sample {
	all := append([]sample{}, ownSamples...)
	all = append(all, accountsSamples...)
	all = append(all, developmentSamples...)
	all = append(all, logoutSamples...)
	all = append(all, deviceSamples...)
	return append(all, adminSamples...)
}

// now is the clock of the golden pages.
var now = time.Date(2026, 11, 23, 18, 44, 2, 0, time.UTC)

var (
	maria   = &oauth.User{Subject: "u1", Username: "maria", Name: "Maria Example", Email: "maria@example.org", EmailVerified: true}
	admin   = &oauth.User{Subject: "u2", Username: "root", Name: "Ada Admin", Email: "ada@example.org", Admin: true}
	session = &oauth.Session{Subject: "u1", ID: "s1", AuthTime: now}
)

var menu = []oauth.MenuItem{
	{ID: "settings.profile", Label: "Profile", Path: "/account/settings/profile/", Order: 10},
	{ID: "settings.security", Label: "Password and sessions", Path: "/account/settings/security/", Order: 20},
	{ID: "settings.applications", Label: "Applications", Path: "/account/settings/applications/", Order: 21},
	{ID: "settings.activity", Label: "Activity", Path: "/account/settings/activity/", Order: 30},
	{ID: "admin.applications", Label: "Applications", Path: "/admin/applications/", Order: 10, Admin: true},
	{ID: "admin.tokens", Label: "Tokens", Path: "/admin/tokens/", Order: 20, Admin: true},
	{ID: "admin.users", Label: "Users", Path: "/admin/users/", Order: 30, Admin: true},
	{ID: "admin.activity", Label: "Activity", Path: "/admin/activity/", Order: 40, Admin: true},
}

func config() pages.Config {
	return pages.Config{
		Product: "Example Repository", Issuer: "https://example.org", Secure: true, Menu: menu,
		Proof: func(s *oauth.Session) string { return "proof-of-" + s.ID },
		Now:   func() time.Time { return now },
	}
}

func newPages(t *testing.T, cfg pages.Config) *pages.Pages {
	t.Helper()
	p, err := pages.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var assetHash = regexp.MustCompile(`-[0-9a-f]{12}\.`)

func TestGoldenPages(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			got, err := p.Draw(s.shell, s.page)
			if err != nil {
				t.Fatal(err)
			}
			// The style sheet's hash says nothing about the page.
			got = assetHash.ReplaceAll(got, []byte("-HASH."))
			file := filepath.Join("testdata", s.name+".html")
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs from what is drawn now; look at it and run the test with -update", file)
			}
		})
	}
}

// A template without samples could break unseen.
func TestEveryTemplateHasSamples(t *testing.T) {
	t.Parallel()
	drawn := map[string]int{}
	for _, s := range samples() {
		drawn[s.page.Template()]++
	}
	err := filepath.WalkDir("templates", func(file string, d os.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(file, "templates"+string(filepath.Separator)))
		if err != nil || d.IsDir() || name == "layout.html" || strings.HasPrefix(name, "partials/") {
			return err
		}
		if drawn[name] < 2 {
			t.Errorf("templates/%s: got %d samples, want a full and an empty one", name, drawn[name])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
