package accounts_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/valetkey/valetkey/accounts"
)

// The end of a session and what other rooms write about it are one transaction.
func TestSessionEndsWithWhatOthersWrite(t *testing.T) {
	t.Parallel()
	var told []string
	var fault error
	changes := 0
	h := newHouse(t, func(c *accounts.Config) {
		c.SessionEnded = func(_ context.Context, sids ...string) error {
			told = append(told, sids...)
			return fault
		}
		c.SessionChanged = func(w http.ResponseWriter) {
			changes++
			http.SetCookie(w, &http.Cookie{Name: "other_room", Value: "x", Path: "/"})
		}
	})
	acc := h.alice()
	alice := h.visitor().signIn("alice@example.org", password)
	if changes != 1 || alice.cookie("other_room") != "x" || len(told) != 0 {
		t.Errorf("after signing in: %d changes, told of %q", changes, told)
	}
	fault = errors.New("the other room is broken")
	if page := alice.send(alice.open("/logout/").Form()); page.Status != http.StatusInternalServerError {
		t.Errorf("with a fault: %v", page)
	}
	if err := h.door.DisableUser(t.Context(), acc.ID); !errors.Is(err, fault) {
		t.Errorf("DisableUser: %v", err)
	}
	alice.mustBe("alice@example.org")

	fault, told = nil, nil
	elsewhere := h.visitor().signIn("alice@example.org", password)
	if err := h.door.DisableUser(t.Context(), acc.ID); err != nil {
		t.Fatal(err)
	}
	alice.mustBe("nobody")
	elsewhere.mustBe("nobody")
	slices.Sort(told)
	if len(told) != 2 || told[0] == "" || told[0] == told[1] {
		t.Errorf("told of %q, want two sessions", told)
	}
}
