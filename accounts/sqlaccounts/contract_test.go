package sqlaccounts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// run is the contract of accounts.Store.
func run(t *testing.T, open func(*testing.T) rooms) {
	for name, test := range map[string]func(*testing.T, rooms){
		"accounts": testAccounts, "lists": testLists, "sessions": testSessions, "devices": testDevices, "links": testLinks,
		"attempts": testAttempts, "races": testRaces, "hold": testHold, "cascade": testCascade, "transactions": testTransactions, "purge": testPurge, "texts": testTexts,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t)) })
	}
}

func testAccounts(t *testing.T, s rooms) {
	ctx, a := t.Context(), account("a")
	must(t, s.CreateAccount(ctx, a))
	for _, find := range []func() (*accounts.Account, error){
		func() (*accounts.Account, error) { return s.Account(ctx, "a") },
		func() (*accounts.Account, error) { return s.AccountByEmail(ctx, "a@example.org") },
	} {
		got, err := find()
		must(t, err)
		same(t, "account", got, a)
	}
	other := account("b")
	other.Email = a.Email
	is(t, "taken address", s.CreateAccount(ctx, other), accounts.ErrExists)
	again := account("a")
	again.Email = "other@example.org"
	is(t, "taken id", s.CreateAccount(ctx, again), accounts.ErrExists)
	_, err := s.Account(ctx, "A")
	is(t, "id in another case", err, accounts.ErrNotFound)

	claims := oauth.UserClaims{GivenName: "Maria", Birthdate: "0000-12-31", PhoneNumber: "+33123456789", PhoneNumberVerified: true,
		Address: &oauth.Address{StreetAddress: "1 Main Street\nBack yard", Region: "Île-de-France"}, UpdatedAt: now.Unix()}
	must(t, s.SetProfile(ctx, "a", "New", claims), s.SetAdmin(ctx, "a", true), s.VerifyEmail(ctx, "a", a.Email),
		s.ConfirmPassword(ctx, "a", "hash of a", "", now))
	is(t, "VerifyEmail of another address", s.VerifyEmail(ctx, "a", "b@example.org"), accounts.ErrNotFound)
	got, err := s.Account(ctx, "a")
	must(t, err)
	same(t, "changed", got, &accounts.Account{ID: "a", Email: a.Email, EmailVerified: true, Name: "New", Claims: claims, PasswordHash: "hash of a", Admin: true, CreatedAt: now, LastSignInAt: now})

	must(t, s.SetProfile(ctx, "a", "", oauth.UserClaims{}))
	got, err = s.Account(ctx, "a")
	must(t, err)
	same(t, "without claims", got.Claims, oauth.UserClaims{})

	must(t, s.ConfirmPassword(ctx, "a", "hash of a", "rehash", now))
	is(t, "ConfirmPassword with the hash from before", s.ConfirmPassword(ctx, "a", "hash of a", "", now), accounts.ErrNotFound)
	must(t, s.SetPassword(ctx, "a", "changed"))
	is(t, "ConfirmPassword after a change", s.ConfirmPassword(ctx, "a", "rehash", "", now), accounts.ErrNotFound)
	must(t, s.SetDisabled(ctx, "a", true))
	is(t, "ConfirmPassword of a disabled account", s.ConfirmPassword(ctx, "a", "changed", "", now), accounts.ErrNotFound)
	must(t, s.SetDisabled(ctx, "a", false), s.ConfirmPassword(ctx, "a", "changed", "", now))

	for what, err := range map[string]error{"SetProfile": s.SetProfile(ctx, "x", "", claims), "SetAdmin": s.SetAdmin(ctx, "x", true), "SetDisabled": s.SetDisabled(ctx, "x", true),
		"SetPassword": s.SetPassword(ctx, "x", ""), "DeleteAccount": s.DeleteAccount(ctx, "x"), "VerifyEmail": s.VerifyEmail(ctx, "x", "")} {
		is(t, what, err, accounts.ErrNotFound)
	}
}

func testLists(t *testing.T, s rooms) {
	ctx := t.Context()
	for i, id := range []string{"a", "b_x", "c%y", "d\\z", "e"} {
		a := account(id)
		a.Email = fmt.Sprintf("%d@example.org", i)
		if id == "e" {
			a.Name += " Étude"
		}
		a.CreatedAt = now.Add(time.Duration(i/2) * time.Second)
		must(t, s.CreateAccount(ctx, a))
	}
	ids := func(text, after string, limit int) string {
		list, err := s.ListAccounts(ctx, accounts.AccountQuery{Text: text}, accounts.Page{After: after, Limit: limit})
		must(t, err)
		var out []string
		for _, a := range list {
			out = append(out, a.ID)
		}
		return strings.Join(out, " ")
	}
	same(t, "all", ids("", "", 9), `e d\z c%y b_x a`)
	same(t, "first page", ids("", "", 2), `e d\z`)
	same(t, "second page", ids("", `d\z`, 2), "c%y b_x")
	same(t, "after the last", ids("", "a", 2), "")
	same(t, "by id", ids("_", "", 9), "b_x")
	same(t, "percent sign", ids("%", "", 9), "c%y")
	same(t, "backslash", ids(`\`, "", 9), `d\z`)
	same(t, "by address", ids("3@EXAMPLE", "", 9), `d\z`)
	same(t, "by name", ids("NAME OF E", "", 9), "e")
	same(t, "other letters match themselves", ids("Étude", "", 9), "e")
	same(t, "and only themselves", ids("étude", "", 9), "")
}

func testSessions(t *testing.T, s rooms) {
	ctx, a := t.Context(), account("a")
	must(t, s.CreateAccount(ctx, a), s.CreateAccount(ctx, account("b")))
	one, two, other := session("1", "a"), session("2", "a"), session("3", "b")
	one.LastSeenAt = now.Add(-time.Minute)
	other.AMR, other.Remember = nil, false
	must(t, s.CreateSession(ctx, one), s.CreateSession(ctx, two), s.CreateSession(ctx, other))
	got, who, err := s.Session(ctx, one.Hash)
	must(t, err)
	same(t, "session", got, one)
	same(t, "its account", who, a)
	got, _, err = s.Session(ctx, other.Hash)
	must(t, err)
	same(t, "session without AMR", got, other)
	_, _, err = s.Session(ctx, hash("nothing"))
	is(t, "unknown cookie", err, accounts.ErrNotFound)

	must(t, s.TouchSession(ctx, "1", now.Add(time.Minute)), s.TouchSession(ctx, "1", now), s.MarkSessionStale(ctx, "1", now))
	is(t, "stale twice", s.MarkSessionStale(ctx, "1", now.Add(time.Hour)), accounts.ErrUsed)
	one.LastSeenAt, one.StaleAt = now.Add(time.Minute), now
	list, err := s.ListSessions(ctx, "a", now)
	must(t, err)
	same(t, "list", list, []*accounts.Session{one, two})
	list, err = s.ListSessions(ctx, "a", now.Add(time.Hour))
	must(t, err)
	same(t, "list when all have expired", len(list), 0)

	_, err = s.EndSession(ctx, "b", "1")
	is(t, "ending another's session", err, accounts.ErrNotFound)
	sid, err := s.EndSession(ctx, "a", "1")
	must(t, err)
	same(t, "ended", sid, "sid of 1")
	_, err = s.EndSession(ctx, "a", "1")
	is(t, "ending twice", err, accounts.ErrNotFound)
	old := session("0", "a")
	old.SID = "" // from before there was a column for it
	must(t, s.CreateSession(ctx, session("4", "a")), s.CreateSession(ctx, old))
	sids, err := s.EndSessions(ctx, "a", "4")
	must(t, err)
	same(t, "ended, all but one", sids, []string{"0", "sid of 2"})
	sids, err = s.EndSessions(ctx, "nobody", "")
	must(t, err)
	same(t, "ended, of nobody", len(sids), 0)
	_, _, err = s.Session(ctx, other.Hash)
	must(t, err)
}

func testDevices(t *testing.T, s rooms) {
	ctx := t.Context()
	must(t, s.CreateAccount(ctx, account("a")), s.CreateAccount(ctx, account("b")))
	d := func(name, id string, life time.Duration) accounts.Device {
		return accounts.Device{Hash: hash(name), AccountID: id, CreatedAt: now, ExpiresAt: now.Add(life)}
	}
	must(t, s.TrustDevice(ctx, d("1", "a", time.Hour)), s.TrustDevice(ctx, d("1", "b", 2*time.Hour)), s.TrustDevice(ctx, d("2", "a", time.Hour)))
	known := func(name string, at time.Time) []string {
		ids, err := s.DeviceAccounts(ctx, hash(name), at)
		must(t, err)
		return ids
	}
	same(t, "both", known("1", now), []string{"a", "b"})
	same(t, "at the end", known("1", now.Add(time.Hour)), []string{"b"})
	must(t, s.TrustDevice(ctx, d("1", "a", 3*time.Hour)))
	same(t, "prolonged", known("1", now.Add(2*time.Hour)), []string{"a"})
	must(t, s.ForgetDevices(ctx, "a", hash("1")))
	same(t, "kept", known("1", now), []string{"a", "b"})
	same(t, "forgotten", len(known("2", now)), 0)
}

func testLinks(t *testing.T, s rooms) {
	ctx := t.Context()
	must(t, s.CreateAccount(ctx, account("a")))
	link := func(name string, p accounts.Purpose, id string) *accounts.Link {
		return &accounts.Link{Hash: hash(name), Purpose: p, AccountID: id, Email: "e", Name: "n", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	}
	one, two := link("1", accounts.PurposeReset, "a"), link("2", accounts.PurposeSetup, "")
	must(t, s.CreateLink(ctx, one), s.CreateLink(ctx, two), s.CreateLink(ctx, link("3", accounts.PurposeReset, "a")))
	got, err := s.Link(ctx, one.Hash)
	must(t, err)
	same(t, "link", got, one)
	must(t, s.UseLink(ctx, one.Hash, now))
	is(t, "used twice", s.UseLink(ctx, one.Hash, now), accounts.ErrUsed)
	is(t, "used at its end", s.UseLink(ctx, two.Hash, now.Add(time.Hour)), accounts.ErrUsed)
	is(t, "unknown", s.UseLink(ctx, hash("x"), now), accounts.ErrUsed)
	got, err = s.Link(ctx, one.Hash)
	must(t, err)
	same(t, "used at", got.UsedAt, now)
	must(t, s.DeleteLinks(ctx, accounts.PurposeReset, "a"))
	_, err = s.Link(ctx, hash("3"))
	is(t, "deleted", err, accounts.ErrNotFound)
	must(t, s.UseLink(ctx, two.Hash, now), s.DeleteLinks(ctx, accounts.PurposeSetup, ""))
	_, err = s.Link(ctx, two.Hash)
	is(t, "deleted link of nobody", err, accounts.ErrNotFound)
}

func testAttempts(t *testing.T, s rooms) {
	ctx, at := t.Context(), now
	limit := accounts.Limit{Free: 3, First: time.Second, Max: 10 * time.Second, Forget: time.Minute}
	count := func() time.Duration {
		t.Helper()
		retryAt, err := s.CountAttempt(ctx, "k", limit, at)
		must(t, err)
		if retryAt.IsZero() {
			return 0
		}
		return retryAt.Sub(at)
	}
	// The third attempt makes the fourth wait a second, and so on.
	for i, wait := range []time.Duration{0, 0, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		same(t, fmt.Sprintf("attempt %d", i+1), count(), 0)
		if wait > 0 {
			same(t, fmt.Sprintf("at once after attempt %d", i+1), count(), wait)
			at = at.Add(wait - time.Microsecond)
			same(t, "just before the wait is over", count(), time.Microsecond)
			at = at.Add(time.Microsecond)
		}
	}
	at = at.Add(time.Minute)
	for range 3 {
		same(t, "after it was forgotten", count(), 0)
	}
	same(t, "and counted anew", count(), time.Second)
	must(t, s.ForgetAttempts(ctx, "k"))
	same(t, "first after a success", count(), 0)
	for range 20 { // each is taken back, so none makes a wait
		same(t, "next", count(), 0)
		must(t, s.RefundAttempt(ctx, "k"))
	}
	once := accounts.Limit{Free: 1, First: time.Minute, Max: time.Minute, Forget: time.Minute}
	for _, want := range []time.Time{{}, at.Add(time.Minute)} {
		got, err := s.CountAttempt(ctx, "once", once, at)
		must(t, err)
		same(t, "one a minute", got, want)
	}
}

// Of many at once, as many get through as may.
func testRaces(t *testing.T, s rooms) {
	ctx := t.Context()
	l := &accounts.Link{Hash: hash("l"), Purpose: accounts.PurposeSetup, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	must(t, s.CreateLink(ctx, l))
	var used, counted, created atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if err := s.UseLink(ctx, l.Hash, now); err == nil {
				used.Add(1)
			} else if !errors.Is(err, accounts.ErrUsed) {
				t.Errorf("UseLink: %v", err)
			}
			retryAt, err := s.CountAttempt(ctx, "k", accounts.Limit{Free: 5, First: time.Second, Max: time.Minute, Forget: time.Minute}, now)
			if err != nil {
				t.Errorf("CountAttempt: %v", err)
			} else if retryAt.IsZero() {
				counted.Add(1)
			}
			if err := s.CreateAccount(ctx, account("a")); err == nil {
				created.Add(1)
			} else if !errors.Is(err, accounts.ErrExists) {
				t.Errorf("CreateAccount: %v", err)
			}
		})
	}
	wg.Wait()
	same(t, "used", used.Load(), 1)
	same(t, "counted", counted.Load(), 5)
	same(t, "created", created.Load(), 1)
}

// Administrators who demote each other at once, two by two in every direction:
// whoever holds both and looks again leaves one.
func testHold(t *testing.T, s rooms) {
	ctx := t.Context()
	errLate := errors.New("administrator no more")
	for round := range 10 {
		var ids []string
		for i := range 4 {
			a := account(fmt.Sprintf("%d of round %d", i, round))
			a.Admin = true
			must(t, s.CreateAccount(ctx, a))
			ids = append(ids, a.ID)
		}
		var wg sync.WaitGroup
		for i := range 32 {
			actor, other := ids[i%4], ids[(i+1+i/4%3)%4]
			wg.Go(func() {
				err := s.InTx(ctx, func(ctx context.Context, tx accounts.Store) error {
					if err := tx.HoldAccounts(ctx, actor, other, "nobody", "no\x00body"); err != nil {
						return err
					}
					if a, err := tx.Account(ctx, actor); err != nil || !a.Admin {
						return errors.Join(err, errLate)
					}
					return tx.SetAdmin(ctx, other, false)
				})
				if err != nil && !errors.Is(err, errLate) {
					t.Errorf("%s and %s: %v", actor, other, err)
				}
			})
		}
		wg.Wait()
		left := 0
		for _, id := range ids {
			a, err := s.Account(ctx, id)
			must(t, err)
			if a.Admin {
				left++
			}
		}
		same(t, "administrators left", left, 1)
	}
}

func testCascade(t *testing.T, s rooms) {
	ctx := t.Context()
	l := &accounts.Link{Hash: hash("l"), Purpose: accounts.PurposeReset, AccountID: "a", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
	must(t, s.CreateAccount(ctx, account("a")), s.CreateSession(ctx, session("1", "a")), s.CreateLink(ctx, l),
		s.TrustDevice(ctx, accounts.Device{Hash: hash("d"), AccountID: "a", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}), s.DeleteAccount(ctx, "a"))
	_, _, err := s.Session(ctx, session("1", "a").Hash)
	is(t, "session", err, accounts.ErrNotFound)
	_, err = s.Link(ctx, l.Hash)
	is(t, "link", err, accounts.ErrNotFound)
	ids, err := s.DeviceAccounts(ctx, hash("d"), now)
	must(t, err)
	same(t, "devices", len(ids), 0)
}

// A transaction spans both stores of the database.
func testTransactions(t *testing.T, s rooms) {
	ctx, no := t.Context(), errors.New("no")
	write := func(id string, result error) error {
		return s.InTx(ctx, func(ctx context.Context, tx accounts.Store) error {
			err := tx.InTx(ctx, func(ctx context.Context, tx accounts.Store) error { return tx.CreateAccount(ctx, account(id)) })
			if err == nil {
				err = s.trail.RecordEvent(ctx, oauth.Event{ID: id, At: now, Type: oauth.EventUserCreated, Subject: id})
			}
			return errors.Join(err, result)
		})
	}
	must(t, write("kept", nil))
	is(t, "InTx", write("undone", no), no)
	for id, want := range map[string]int{"kept": 1, "undone": 0} {
		_, err := s.Account(ctx, id)
		if (err == nil) != (want == 1) {
			t.Errorf("account %s: %v", id, err)
		}
		events, err := s.trail.ListEvents(ctx, store.EventQuery{Involving: id}, store.Page{Limit: 9})
		must(t, err)
		same(t, "events of "+id, len(events), want)
	}
}

func testPurge(t *testing.T, s rooms) {
	ctx := t.Context()
	expired, idle, alive := session("1", "a"), session("2", "a"), session("3", "a")
	expired.ExpiresAt = now
	idle.LastSeenAt, idle.Remember = now.Add(-time.Hour), false
	alive.LastSeenAt = idle.LastSeenAt // but it is remembered
	must(t, s.CreateAccount(ctx, account("a")), s.CreateSession(ctx, expired), s.CreateSession(ctx, idle), s.CreateSession(ctx, alive))
	for i, life := range []time.Duration{0, time.Microsecond} {
		name := fmt.Sprint(i)
		_, err := s.CountAttempt(ctx, name, accounts.Limit{Free: 9, Forget: life}, now)
		must(t, err, s.TrustDevice(ctx, accounts.Device{Hash: hash(name), AccountID: "a", CreatedAt: now, ExpiresAt: now.Add(life)}),
			s.CreateLink(ctx, &accounts.Link{Hash: hash(name), Purpose: accounts.PurposeSetup, CreatedAt: now, ExpiresAt: now.Add(life)}))
	}
	for _, want := range []int{5, 0} {
		n, err := s.Purge(ctx, now, now.Add(-time.Hour), 10)
		must(t, err)
		same(t, "purged", n, want)
	}
	_, _, err := s.Session(ctx, alive.Hash)
	must(t, err)
}

// A text that no row can hold finds nothing, and is no fault.
func testTexts(t *testing.T, s rooms) {
	ctx := t.Context()
	must(t, s.CreateAccount(ctx, account("a"))) // a row to look at
	for _, odd := range []string{"\x00", "a\xff", strings.Repeat("x", 1<<16)} {
		_, err := s.Account(ctx, odd)
		is(t, "Account", err, accounts.ErrNotFound)
		_, err = s.AccountByEmail(ctx, odd)
		is(t, "AccountByEmail", err, accounts.ErrNotFound)
		list, err := s.ListAccounts(ctx, accounts.AccountQuery{Text: odd}, accounts.Page{Limit: 1})
		must(t, err)
		same(t, "ListAccounts", len(list), 0)
		_, err = s.EndSession(ctx, "a", odd)
		is(t, "EndSession", err, accounts.ErrNotFound)
	}
}
