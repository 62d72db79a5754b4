// Package examples_test plays through the example programs as a newcomer would.
package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/livetest"
)

// start builds and runs an example on a free port and returns its URL.
func start(t *testing.T, name, addr string, env []string, args ...string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", binary, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	ctx, stop := context.WithCancel(context.Background())
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, append([]string{"-addr", addr}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, output.String())
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + addr + "/")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", name, err)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := livetest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// person is somebody with a browser.
type person struct {
	t *testing.T
	b *browser.Browser
}

func (p person) open(address string) *browser.Page {
	p.t.Helper()
	return p.shown(p.b.Open(address))
}

func (p person) send(f *browser.Form) *browser.Page {
	p.t.Helper()
	return p.shown(p.b.Send(f))
}

func (p person) shown(page *browser.Page, err error) *browser.Page {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	if page.Status != http.StatusOK {
		p.t.Fatalf("%s: got status %d\n%s", page.URL, page.Status, page.Body)
	}
	return page
}

// signIn returns a person who is signed in at the app.
func signIn(t *testing.T, app, name string) person {
	t.Helper()
	p := person{t, browser.New(nil)}
	page := p.open(app + "/")
	page = p.send(page.FormTo("/login/").Set("username", name).Set("password", name))
	if !strings.Contains(string(page.Body), "Notes of "+name) {
		t.Fatalf("%s is not signed in: %s", name, page.Body)
	}
	return p
}

// register makes an application on the settings page and returns its id and secret.
func (p person) register(app, kind, name, website, redirect string) (id, secret string) {
	p.t.Helper()
	form := p.open(app + "/account/settings/applications/clients/new/").FormTo("/clients/new/")
	page := p.send(form.Set("type", kind).Set("name", name).Set("website", website).Set("redirect_uris", redirect))
	id, secret = value(page, "client_id"), value(page, "client_secret")
	if id == "" || secret == "" {
		p.t.Fatalf("no client id and secret on %s:\n%s", page.URL, page.Body)
	}
	return id, secret
}

// value is what the input of that id holds.
func value(page *browser.Page, id string) string {
	found := regexp.MustCompile(`<input id="` + id + `"[^>]* value="([^"]*)"`).FindSubmatch(page.Body)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// says is the text of the element of that id.
func says(page *browser.Page, id string) string {
	found := regexp.MustCompile(`id="` + id + `">([^<]*)<`).FindSubmatch(page.Body)
	if found == nil {
		return ""
	}
	return string(found[1])
}

func get(t *testing.T, address, token string) string {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
}

// TestParity0_ConsumerAppAndResource is the whole story: an app that is a
// server, a consumer that is registered, authorized, used, refreshed, refused
// and revoked, and an API elsewhere that asks about the token.
func TestParity0_ConsumerAppAndResource(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs three programs")
	}
	t.Parallel()
	appAddr, consumerAddr, apiAddr := freeAddr(t), freeAddr(t), freeAddr(t)
	app, consumer, api := "http://"+appAddr, "http://"+consumerAddr, "http://"+apiAddr
	start(t, "app", appAddr, nil)

	ann := signIn(t, app, "ann")
	id, secret := ann.register(app, "web", "foobar-app", consumer+"/", consumer+"/authorized")
	apiID, apiSecret := ann.register(app, "service", "records API", "https://records.example/", "")
	start(t, "consumer", consumerAddr, []string{"CONSUMER_CLIENT_ID=" + id, "CONSUMER_CLIENT_SECRET=" + secret},
		"-issuer", app, "-resource", app+"/api/notes", "-scope", "notes:read")
	start(t, "resource", apiAddr, []string{"RESOURCE_CLIENT_ID=" + apiID, "RESOURCE_CLIENT_SECRET=" + apiSecret},
		"-issuer", app, "-scope", "notes:read")

	// Ben denies first: the error is in the query part of the URL.
	ben := signIn(t, app, "ben")
	consent := ben.send(ben.open(consumer + "/").FormTo("/authorize"))
	if !strings.Contains(string(consent.Body), "foobar-app") {
		t.Fatalf("no consent page: %s\n%s", consent.URL, consent.Body)
	}
	page := ben.send(consent.Form().Press("confirm", "no"))
	if got := page.URL.Query().Get("error"); got != "access_denied" || says(page, "error") != got {
		t.Errorf("denied: got %s, want access_denied in the query and on the page", page.URL)
	}

	// Then he authorizes.
	consent = ben.send(page.FormTo("/authorize"))
	page = ben.send(consent.Form().Press("confirm", "yes"))
	token := says(page, "access-token")
	if token == "" || says(page, "scope") != "notes:read" || page.URL.RawQuery != "" {
		t.Fatalf("authorized: got %s\n%s", page.URL, page.Body)
	}
	if page = ben.send(page.FormTo("/resource")); says(page, "answer") != "200 OK\n[]\n" {
		t.Errorf("the resource answered %q, want 200 and no notes", says(page, "answer"))
	}
	if got, want := get(t, api+"/", token), `200 {"client":"`+id+`","scopes":["notes:read"],"subject":"ben"}`; got != want {
		t.Errorf("the API elsewhere: got %s, want %s", got, want)
	}
	if got := get(t, api+"/", ""); !strings.HasPrefix(got, "401") {
		t.Errorf("the API elsewhere without a token: got %s, want 401", got)
	}

	// By refresh, and by a new flow, in which consent is remembered or asked for again.
	page = ben.send(page.FormTo("/refresh"))
	refreshed := says(page, "access-token")
	if refreshed == "" || refreshed == token {
		t.Errorf("refresh: got the token %q, want another one; %s", refreshed, page.URL)
	}
	page = ben.send(page.FormTo("/authorize"))
	if strings.HasPrefix(page.URL.String(), app) {
		page = ben.send(page.Form().Press("confirm", "yes"))
	}
	if again := says(page, "access-token"); again == "" || again == refreshed {
		t.Errorf("new flow: got the token %q, want another one; %s", again, page.URL)
	}

	// An answer that was not asked for is not taken.
	if page := ben.open(consumer + "/authorized?code=x&state=y"); says(page, "error") != "state_mismatch" {
		t.Errorf("forged answer: got %q, want state_mismatch", says(page, "error"))
	}

	// Ben takes it back, and every token is dead.
	list := ben.open(app + "/account/settings/applications/")
	revoke := regexp.MustCompile(`/account/settings/applications/tokens/[^/"]+/revoke/`).FindString(string(list.Body))
	if revoke == "" {
		t.Fatalf("no link to revoke:\n%s", list.Body)
	}
	ben.send(ben.open(app + revoke).FormTo("/revoke/"))
	if page = ben.send(ben.open(consumer + "/").FormTo("/resource")); !strings.HasPrefix(says(page, "answer"), "401") {
		t.Errorf("after revocation the resource answered %q, want 401", says(page, "answer"))
	}
	if got := get(t, api+"/", refreshed); !strings.HasPrefix(got, "401") {
		t.Errorf("after revocation the API elsewhere: got %s, want 401", got)
	}
}
