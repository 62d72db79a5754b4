package csrf_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/oauth"
)

// serve is a server behind the guard. A request with the header Session has
// one; what the handler read of the form comes back as the body.
func serve(t *testing.T) *httptest.Server {
	t.Helper()
	g := guardAt(start, keyOne)
	options := csrf.ProtectOptions{
		Session: func(r *http.Request) (*oauth.Session, error) {
			switch r.Header.Get("Session") {
			case "":
				return nil, nil
			case "broken":
				return nil, errors.New("the session store is away")
			}
			return session, nil
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, reason error) {
			status := http.StatusInternalServerError
			var refused *csrf.Error
			switch {
			case errors.Is(reason, csrf.ErrCrossOrigin):
				status = http.StatusForbidden
			case errors.As(reason, &refused):
				status = refused.Status
			}
			http.Error(w, reason.Error(), status)
		},
	}
	srv := httptest.NewServer(g.Protect(options, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})))
	t.Cleanup(srv.Close)
	return srv
}

func TestM99_Protect(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	host := strings.TrimPrefix(srv.URL, "http://")
	token := guardAt(start, keyOne).Token(session)
	type headers map[string]string
	for _, tt := range []struct {
		name, method string
		headers      headers
		form         url.Values
		want         int
	}{
		{"a page is read from another site", "GET", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 200},
		{"HEAD", "HEAD", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 200},
		{"own page", "POST", headers{"Sec-Fetch-Site": "same-origin", "Session": "1"}, nil, 200},
		{"cross-site", "POST", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 403},
		{"cross-site, although with a proof", "POST", headers{"Sec-Fetch-Site": "cross-site", "Session": "1", csrf.Header: token}, nil, 403},
		{"cross-site without a session", "POST", headers{"Sec-Fetch-Site": "cross-site"}, nil, 403},
		{"a sister site", "POST", headers{"Sec-Fetch-Site": "same-site", "Session": "1"}, nil, 403},
		{"cross-site PUT", "PUT", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 403},
		{"cross-site DELETE", "DELETE", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 403},
		{"lower-case post", "post", headers{"Sec-Fetch-Site": "cross-site", "Session": "1"}, nil, 403},
		{"origin of ours", "POST", headers{"Origin": "https://" + host, "Session": "1"}, nil, 200},
		{"origin of ours, but http", "POST", headers{"Origin": "http://" + host, "Session": "1"}, nil, 403},
		{"origin elsewhere", "POST", headers{"Origin": "https://evil.example", "Session": "1"}, nil, 403},
		{"origin null", "POST", headers{"Origin": "null", "Session": "1"}, nil, 403},
		{"no word, no session", "POST", nil, nil, 200},
		{"no word, session, no proof", "POST", headers{"Session": "1"}, nil, 400},
		{"no word, session, proof in the form", "POST", headers{"Session": "1"}, url.Values{csrf.Field: {token}}, 200},
		{"no word, session, proof in the form twice", "POST", headers{"Session": "1"}, url.Values{csrf.Field: {token, token}}, 400},
		{"no word, session, proof in the header", "POST", headers{"Session": "1", csrf.Header: token}, nil, 200},
		{"no word, session, forged proof", "POST", headers{"Session": "1"}, url.Values{csrf.Field: {guardAt(start, keyTwo).Token(session)}}, 400},
		{"no word, session, another's proof", "POST", headers{"Session": "1", csrf.Header: guardAt(start, keyOne).Token(&oauth.Session{Subject: "eve", ID: "e"})}, nil, 403},
		{"sessions cannot be looked up", "POST", headers{"Session": "broken"}, nil, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body := tt.form.Encode()
			req, err := http.NewRequest(tt.method, srv.URL+"/x?"+csrf.Field+"="+token, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for k, v := range tt.headers {
				req.Header.Set(k, v)
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != tt.want {
				t.Fatalf("status: got %d %s, want %d", resp.StatusCode, got, tt.want)
			}
			if tt.want == 200 && tt.method == "POST" && string(got) != body {
				t.Errorf("body that reached the handler: got %q, want %q", got, body)
			}
		})
	}
}

// A form larger than any of ours is refused before it is read to its end.
func TestProtectBoundsTheForm(t *testing.T) {
	t.Parallel()
	srv := serve(t)
	req, err := http.NewRequest("POST", srv.URL, strings.NewReader("a="+strings.Repeat("x", 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Session", "1")
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 400 {
		t.Errorf("status: got %d, want 400", resp.StatusCode)
	}
}
