package doctor_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/doctor"
)

// world is a public URL that answers like that.
func world(t *testing.T, s *doctor.Site, answer http.HandlerFunc) {
	t.Helper()
	srv := httptest.NewUnstartedServer(answer)
	srv.Config.ErrorLog = nil
	srv.StartTLS()
	t.Cleanup(srv.Close)
	if s.Config.Issuer == "https://id.example.org" {
		s.Config.Issuer = srv.URL
	}
	s.HTTP = srv.Client()
	s.HTTP.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.HTTP.Transport.(*http.Transport).TLSClientConfig.Time = s.Now
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	metadata := func(issuer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", now.Format(http.TimeFormat))
			w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			io.WriteString(w, `{"issuer":"`+strings.ReplaceAll(issuer, "SELF", "https://"+r.Host)+`"}`)
		}
	}
	for _, test := range []struct {
		name     string
		answer   http.HandlerFunc
		severity doctor.Severity
		says     string
	}{
		{"sound", metadata("SELF"), doctor.OK, "is the issuer that it says it is"},
		{"wrong issuer", metadata("https://other.example.org"), doctor.Problem, `says that it is "https://other.example.org"`},
		{"a slash more", metadata("SELF/"), doctor.Problem, "clients refuse that"},
		{"another program", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<h1>It works</h1>") }, doctor.Problem, "another program"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://www.example.org/", http.StatusFound)
		}, doctor.Problem, "Location: https://www.example.org/"},
		{"Host not passed on", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMisdirectedRequest) }, doctor.Problem, "proxy_set_header Host"},
		{"a proxy without a server", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, doctor.Problem, "answers 502"},
		{"policy taken away", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login/" {
				return
			}
			metadata("SELF")(w, r)
		}, doctor.Warning, "without our Content-Security-Policy"},
		{"cookies rewritten", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "a secret of somebody"})
			metadata("SELF")(w, r)
		}, doctor.Problem, "The cookie session comes"},
		{"a path of the metadata is missing", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/.well-known/oauth-authorization-server") {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			metadata("SELF")(w, r)
		}, doctor.Problem, "RFC 8414 §3.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := site(t, "server-trusted-proxies=127.0.0.1")
			world(t, s, test.answer)
			found := s.Examine(t.Context())
			wants(t, found, test.severity, "public url", test.says)
			if test.severity == doctor.OK {
				lacks(t, found, doctor.Warning)
			}
			if strings.Contains(listed(found), "a secret of somebody") {
				t.Errorf("the value of a cookie is told: %s", listed(found))
			}
		})
	}
}

func TestPublicURLCannotBeTrusted(t *testing.T) {
	t.Parallel()
	answer := func(http.ResponseWriter, *http.Request) {}

	s := site(t)
	world(t, s, answer)
	s.HTTP.Transport.(*http.Transport).TLSClientConfig.RootCAs = x509.NewCertPool()
	wants(t, s.Examine(t.Context()), doctor.Problem, "public url", "does not lead to an authority")

	s = site(t)
	world(t, s, answer)
	s.Now = func() time.Time { return now.AddDate(100, 0, 0) }
	s.HTTP.Transport.(*http.Transport).TLSClientConfig.Time = s.Now
	wants(t, s.Examine(t.Context()), doctor.Problem, "public url", "is not good now")

	s = site(t)
	world(t, s, answer)
	s.HTTP.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: s.HTTP.Transport.(*http.Transport).TLSClientConfig.RootCAs, Time: s.Now, ServerName: "www.example.net"}
	wants(t, s.Examine(t.Context()), doctor.Problem, "public url", "is for another host")
}

func TestWrongClock(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]doctor.Severity{0: doctor.OK, 10 * time.Second: doctor.Warning, -2 * time.Minute: doctor.Problem} {
		s := site(t)
		world(t, s, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", now.Add(ahead).Format(http.TimeFormat))
		})
		wants(t, s.Examine(t.Context()), want, "public url", "The clock at https://")
	}
}
