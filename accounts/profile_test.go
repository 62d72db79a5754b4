package accounts_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/oauth"
)

// typed is what Maria types, kept is what becomes of it.
var (
	typed = map[string]string{
		"name": "Maria Stone", "given_name": "Maria", "middle_name": "Anna", "family_name": "Stone", "nickname": "Mia",
		"website": "https://maria.example", "profile": "https://example.org/maria", "picture": "https://example.org/maria.png",
		"gender": "female", "birthdate": "1990-12-31", "zoneinfo": "Europe/Paris", "locale": "en_gb", "phone_number": "+33 1 23 45 67 89",
		"street_address": "1 Main Street\r\nBack yard", "formatted": "1 Main Street\r\n75001 Paris", "postal_code": "75001", "locality": "Paris",
		"region": "Île-de-France", "country": "France",
	}
	kept = oauth.UserClaims{GivenName: "Maria", MiddleName: "Anna", FamilyName: "Stone", Nickname: "Mia",
		Website: "https://maria.example", Profile: "https://example.org/maria", Picture: "https://example.org/maria.png",
		Gender: "female", Birthdate: "1990-12-31", Zoneinfo: "Europe/Paris", Locale: "en-GB", PhoneNumber: "+33123456789"}
	keptAddress = oauth.Address{Formatted: "1 Main Street\n75001 Paris", StreetAddress: "1 Main Street\nBack yard", PostalCode: "75001",
		Locality: "Paris", Region: "Île-de-France", Country: "France"}
)

// says reports whether the claims are want and address, leaving updated_at to others.
func says(t *testing.T, got, want oauth.UserClaims, address oauth.Address) {
	t.Helper()
	var a oauth.Address
	if got.Address != nil {
		a = *got.Address
	}
	got.Address, got.UpdatedAt = nil, 0
	if got != want || a != address {
		t.Errorf("claims %+v, address %+v\nwant   %+v, address %+v", got, a, want, address)
	}
}

func fill(f *browser.Form, values map[string]string) *browser.Form {
	for name, value := range values {
		f = f.Set(name, value)
	}
	return f
}

func TestB8_PeopleSayEveryStandardClaim(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	if u, err := h.door.User(t.Context(), acc.ID); err != nil || u.Claims.UpdatedAt != acc.CreatedAt.Unix() {
		t.Errorf("a new account was updated at %d (%v), want %d", u.Claims.UpdatedAt, err, acc.CreatedAt.Unix())
	}
	h.now.Advance(time.Hour)
	form := p.open("/account/settings/profile/").Form()
	for name := range typed {
		if !form.Values.Has(name) {
			t.Errorf("the form has no field %s", name)
		}
	}
	// Who made the account anew sends fields that the form does not have: M55.
	page := p.send(fill(form, typed).Set("phone_number_verified", "true").Set("preferred_username", "root").Set("email_verified", "true").Set("updated_at", "1"))
	if !page.Contains("Your profile is saved.") {
		t.Fatalf("after saving: %v", page)
	}
	u, err := h.door.User(t.Context(), acc.ID)
	if err != nil {
		t.Fatal(err)
	}
	says(t, u.Claims, kept, keptAddress)
	if u.Name != "Maria Stone" || u.EmailVerified || u.Claims.UpdatedAt != h.now.Now().Unix() {
		t.Errorf("user %+v", u)
	}
	// The form shows what was kept, and sending it again changes nothing.
	before := u.Claims.UpdatedAt
	h.now.Advance(time.Hour)
	if page = p.send(page.Form()); !page.Contains("Your profile is saved.") {
		t.Fatalf("saved again: %v", page)
	}
	if u, _ = h.door.User(t.Context(), acc.ID); u.Claims.UpdatedAt != before {
		t.Error("saving the same counts as a change")
	}
	says(t, u.Claims, kept, keptAddress)
	if got := h.events(acc.ID); countOf(got, oauth.EventUserUpdated) != 1 {
		t.Errorf("events %v, want one %s", got, oauth.EventUserUpdated)
	}

	// What is emptied is gone, address and all.
	form = p.open("/account/settings/profile/").Form()
	for name := range typed {
		form = form.Set(name, " ")
	}
	p.send(form)
	if got := h.mustFind(acc.ID); got.Claims.Address != nil || got.Name != "" {
		t.Errorf("emptied: %+v", got)
	}
	says(t, h.mustFind(acc.ID).Claims, oauth.UserClaims{}, oauth.Address{})
}

func countOf(list []oauth.EventType, want oauth.EventType) (n int) {
	for _, e := range list {
		if e == want {
			n++
		}
	}
	return n
}

// Every wrong field is told at its field, at once, and nothing changes.
func TestProfileRefusesAllOrNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	page := p.send(fill(p.open("/account/settings/profile/").Form(), typed))
	wrong := map[string]string{
		"name": strings.Repeat("n", 101), "website": "javascript:alert(1)", "birthdate": "31.12.1990", "zoneinfo": "Paris", "locale": "English",
		"phone_number": "0123456789", "given_name": "a\u202eb", "postal_code": strings.Repeat("1", 101),
	}
	page = p.send(fill(page.Form(), wrong).Set("nickname", "Mimi"))
	if page.Status != http.StatusUnprocessableEntity {
		t.Fatalf("wrong values: %v", page)
	}
	for name := range wrong {
		if !page.Contains(`id="`+name+`-error"`) || !page.Contains(`href="#`+name+`"`) {
			t.Errorf("the page does not say what is wrong with %s", name)
		}
	}
	if page.Contains(`id="nickname-error"`) || page.Form().Values.Get("nickname") != "Mimi" {
		t.Error("what was right is not kept in the form")
	}
	says(t, h.mustFind(acc.ID).Claims, kept, keptAddress)
}

// A form of before, or a script that knows a few fields, does not empty the others.
func TestProfileLeavesWhatWasNotSent(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	form := p.send(fill(p.open("/account/settings/profile/").Form(), typed)).Form()
	for name := range typed {
		if name != "nickname" {
			delete(form.Values, name)
		}
	}
	p.send(form.Set("nickname", "Mimi"))
	got, want := h.mustFind(acc.ID), kept
	want.Nickname = "Mimi"
	says(t, got.Claims, want, keptAddress)
	if got.Name != "Maria Stone" {
		t.Errorf("name %q", got.Name)
	}
}

func TestAnotherPhoneNumberIsUnverified(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	verified := oauth.UserClaims{PhoneNumber: "+33 1 23 45 67 89", PhoneNumberVerified: true, PreferredUsername: "m.stone"}
	if err := h.door.SetProfile(t.Context(), acc.ID, "Maria", verified); err != nil {
		t.Fatal(err)
	}
	p := h.visitor().signIn(alice, password)
	page := p.open("/account/settings/profile/")
	if !page.Contains("m.stone") {
		t.Error("the page does not show preferred_username")
	}
	page = p.send(page.Form().Set("nickname", "Mia").Set("phone_number", "+33-123456789"))
	want := oauth.UserClaims{PhoneNumber: "+33123456789", PhoneNumberVerified: true, PreferredUsername: "m.stone", Nickname: "Mia"}
	says(t, h.mustFind(acc.ID).Claims, want, oauth.Address{})
	page = p.send(page.Form().Set("phone_number", "+33123456780"))
	want.PhoneNumber, want.PhoneNumberVerified = "+33123456780", false
	says(t, h.mustFind(acc.ID).Claims, want, oauth.Address{})
	p.send(page.Form().Set("phone_number", "+33123456789")) // back again: still nobody has checked
	want.PhoneNumber = "+33123456789"
	says(t, h.mustFind(acc.ID).Claims, want, oauth.Address{})
}

func TestConfirmedAddressIsAnUpdate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	p := h.visitor().signIn(alice, password)
	page := p.open("/account/settings/profile/")
	h.now.Advance(time.Minute)
	p.send(page.FormTo("confirm-email/"))
	p.send(p.open(h.link(alice)).Form())
	u, err := h.door.User(t.Context(), acc.ID)
	if err != nil || !u.EmailVerified || u.Claims.UpdatedAt != h.now.Now().Unix() {
		t.Errorf("user %+v, %v", u, err)
	}
}

func TestSetProfile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	address := keptAddress
	all := kept
	all.Address, all.PreferredUsername, all.PhoneNumberVerified, all.UpdatedAt = &address, "m.stone", true, 1
	made := h.create(accounts.NewUser{Email: "full@example.org", Name: "Maria Stone", Claims: all})
	if made.Claims.UpdatedAt != h.now.Now().Unix() {
		t.Errorf("a new account was updated at %d", made.Claims.UpdatedAt)
	}
	all.Address = nil
	want := all
	want.UpdatedAt = 0
	says(t, h.mustFind(made.ID).Claims, want, keptAddress)

	var invalid *accounts.Invalid
	err := h.door.SetProfile(t.Context(), acc.ID, strings.Repeat("n", 101), oauth.UserClaims{Birthdate: "yesterday", PhoneNumberVerified: true})
	if !errors.As(err, &invalid) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("SetProfile: %v, want three problems", err)
	}
	if err := h.door.SetProfile(t.Context(), "nobody", "", oauth.UserClaims{}); !errors.Is(err, accounts.ErrNotFound) {
		t.Errorf("SetProfile of nobody: %v", err)
	}
	_, err = h.door.CreateUser(t.Context(), accounts.NewUser{Email: "wrong@example.org", Claims: oauth.UserClaims{Zoneinfo: "Mars"}})
	if !errors.As(err, &invalid) || invalid.Field != "zoneinfo" {
		t.Errorf("CreateUser: %v", err)
	}
}

// The values that a client wishes for change nothing, whatever they are.
func TestB5_WishesForClassAndLanguageAreHarmless(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*accounts.Config){
		"1":                  func(*accounts.Config) {},
		"urn:example:silver": func(c *accounts.Config) { c.ACR = "urn:example:silver" },
	} {
		h := newHouse(t, change)
		h.alice()
		p := h.visitor()
		page := p.open("/asks?acr=" + strings.Repeat("x", 3000))
		if page.Status != http.StatusOK || !page.Contains("Sign in") {
			t.Fatalf("the login page: %v", page)
		}
		if page = p.send(page.Form().Set("username", alice).Set("password", password)); !page.Contains("pwd " + want) {
			t.Errorf("session %s, want pwd %s", page.Body, want)
		}
	}
	if _, err := accounts.New(accounts.Config{Issuer: "https://id.example", Store: newHouse(t).cfg.Store, ACR: "two words"}); err == nil {
		t.Error("ACR of two words is accepted")
	}
}
