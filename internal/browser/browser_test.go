package browser_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/valetkey/valetkey/internal/browser"
)

// site is a page with a form that sets a cookie and redirects away.
func site() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /form", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		fmt.Fprint(w, `<form method="post" action="send">
			<input type="hidden" name="id" value="a&amp;b"><input name="who"><input type="checkbox" name="box" value="1">
			<input type="checkbox" name="box" value="2" checked><select name="kind"><option value="x">x<option value="y" selected>y</select>
			<textarea name="note">line</textarea><button type="button" name="no">no</button>
			<button type="submit" name="confirm" value="yes">Yes</button><button type="submit" name="confirm" value="no">No</button></form>`)
	})
	mux.HandleFunc("POST /send", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("seen"); err != nil || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
			http.Error(w, "not as a browser does it", http.StatusForbidden)
			return
		}
		r.ParseForm()
		http.Redirect(w, r, "/away?"+r.PostForm.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://app.example/callback?"+r.URL.RawQuery, http.StatusFound)
	})
	return mux
}

func TestFormIsSentAsFilledIn(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(site())
	defer srv.Close()
	for button, want := range map[string]string{
		"yes": "box=2&confirm=yes&id=a%26b&kind=y&note=line&who=me",
		"no":  "box=2&confirm=no&id=a%26b&kind=y&note=line&who=me",
	} {
		b := browser.New(srv.Client().Transport)
		b.StopAt = []string{"https://app.example/"}
		page, err := b.Open(srv.URL + "/form")
		if err != nil {
			t.Fatal(err)
		}
		page, err = b.Send(page.Form().Set("who", "me").Press("confirm", button))
		if err != nil {
			t.Fatal(err)
		}
		if page.Location == nil || page.Location.RawQuery != want {
			t.Errorf("button %s: arrived at %v (%v), want the query %s", button, page.Location, page, want)
		}
	}
}

func TestFirstButtonIsPressed(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(site())
	defer srv.Close()
	page, err := browser.New(srv.Client().Transport).Open(srv.URL + "/form")
	if err != nil {
		t.Fatal(err)
	}
	if got := page.FormTo("/send").Values.Get("confirm"); got != "yes" {
		t.Errorf("confirm = %q, want yes", got)
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	defer srv.Close()
	if page, err := browser.New(srv.Client().Transport).Open(srv.URL); err == nil {
		t.Errorf("a redirect loop ended at %v", page)
	}
}
