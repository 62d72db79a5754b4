package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

// Made by passlib 1.7.4 and Flask-Security's get_hmac from the password of these tests.
const (
	passlibHash  = "$pbkdf2-sha512$25000$7x3DGEMoZUyJsXZO6f0/Zw$8i9kTH1gnoNcmt9S3aPTixqS9jDnJyhGUV/VH710L/SceySnjtrWQ7LTBLtFY.Bce9PT963pdoMzkxSCnIcoxg"
	flaskHash    = "$pbkdf2-sha512$25000$eG/NmXNOae29l1JKidE6Zw$L81hieTHVvJbyvqqI/3.cZuj1ttbN6bCOiI3NgTGPOz9FFL6wtM/rJ5.6Koa0QPGaawsXzM3lMIDW.HJqSeXug"
	bcryptHash   = "$2b$05$UicAYc1ds7k2yhoFUtiY6.XkW/DaZ32UdFuC9x6zZnXpM2wUTle6a"
	importedSalt = "CHANGE_ME"
)

// The predecessor's hashes open the door once and are made anew.
func TestParity65_ImportedHashesAreReplaced(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.ImportedSalt = importedSalt })
	for name, hash := range map[string]string{
		"passlib":   passlibHash,
		"bare":      strings.Replace(strings.TrimPrefix(passlibHash, "$"), "-", "_", 1),
		"invenio":   flaskHash,
		"bcrypt":    bcryptHash,
		"bcrypt-2a": strings.Replace(bcryptHash, "$2b$", "$2a$", 1),
	} {
		email := name + "@example.org"
		acc := h.create(accounts.NewUser{Email: email, PasswordHash: hash})
		if _, err := h.door.VerifyPassword(t.Context(), email, "wrong password"); !errors.Is(err, oauth.ErrUserNotFound) {
			t.Errorf("%s: wrong password: %v", name, err)
		}
		for i := range 2 {
			if got, err := h.door.VerifyPassword(t.Context(), email, password); got != acc.ID || err != nil {
				t.Errorf("%s: sign-in %d: %q, %v", name, i+1, got, err)
			}
			if got, _ := h.door.FindUser(t.Context(), acc.ID); !strings.HasPrefix(got.PasswordHash, "$argon2id$v=19$m=64,t=1,p=1$") {
				t.Errorf("%s: after sign-in %d the hash is %q", name, i+1, got.PasswordHash)
			}
		}
	}
}

func TestHashGrowsWithItsCost(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	old, _ := h.door.FindUser(t.Context(), acc.ID)
	h.cfg.Hash.Time = 2
	h.open()
	h.visitor().signIn(alice, password)
	now, _ := h.door.FindUser(t.Context(), acc.ID)
	if !strings.Contains(now.PasswordHash, ",t=2,") || now.PasswordHash == old.PasswordHash {
		t.Errorf("after signing in at a higher cost: %q, before %q", now.PasswordHash, old.PasswordHash)
	}
	h.cfg.Hash.Time = 1 // a lower cost weakens nobody
	h.open()
	h.visitor().signIn(alice, password)
	if again, _ := h.door.FindUser(t.Context(), acc.ID); again.PasswordHash != now.PasswordHash {
		t.Errorf("after signing in at a lower cost: %q", again.PasswordHash)
	}
}

func TestDefaultCostIsOWASPs(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.Hash = accounts.Argon2{} })
	acc := h.alice()
	if got, _ := h.door.FindUser(t.Context(), acc.ID); !strings.HasPrefix(got.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q", got.PasswordHash)
	}
}

func TestWeakPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, p := range []string{"1234567", "password", "PASSWORD", "12345678", "iloveyou", "qwertyuiop", "zzzzzzzzzzzz", "weak.person", "weak.person@example.org", "VALETKEY", strings.Repeat("x1", 513)} {
		_, err := h.door.CreateUser(t.Context(), accounts.NewUser{Email: "weak.person@example.org", Password: oauth.Secret(p)})
		var invalid *accounts.Invalid
		if !errors.As(err, &invalid) || invalid.Field != "password" {
			t.Errorf("password %q: %v, want it refused", p, err)
		}
	}
	// The demonstration's users are made on purpose.
	h.create(accounts.NewUser{Email: "reader@inveniosoftware.org", Password: "123456", AllowWeakPassword: true})
	h.visitor().signIn("reader@inveniosoftware.org", "123456")
}

// Every byte of a password counts, up to the last of 1024.
func TestPasswordsAreNotCut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	long := strings.Repeat("0123456789abcdef", 64)
	acc := h.create(accounts.NewUser{Email: alice, Password: oauth.Secret(long)})
	for _, wrong := range []string{long[:1023], long[:1023] + "x", long + "x", long[:72]} {
		if _, err := h.door.VerifyPassword(t.Context(), alice, oauth.Secret(wrong)); !errors.Is(err, oauth.ErrUserNotFound) {
			t.Errorf("%d bytes: %v, want them refused", len(wrong), err)
		}
	}
	if got, err := h.door.VerifyPassword(t.Context(), alice, oauth.Secret(long)); got != acc.ID || err != nil {
		t.Errorf("the password itself: %q, %v", got, err)
	}
}

func TestUsersAreValidated(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for _, u := range []accounts.NewUser{
		{Email: "a@b@example.org"}, {Email: "alice＠example.org"}, {Email: "alice@example.org."}, {Email: "alice@"}, {Email: "@example.org"}, {Email: "alice"},
		{Email: "a b@example.org"}, {Email: "<alice@example.org>"}, {Email: "alice@-example.org"}, {Email: "alicé@example.org"}, {Email: "a\x00@example.org"},
		{Email: "x@example.org", Name: "a\u202eb"}, {Email: "x@example.org", Name: strings.Repeat("n", 101)}, {Email: "x@example.org", Name: "a\xffb"},
		{Email: "x@example.org", Subject: "new"}, {Email: "x@example.org", Subject: "a/b"}, {Email: "x@example.org", Subject: ".."},
		{Email: "x@example.org", PasswordHash: "$6$rounds=5000$abc"}, {Email: "x@example.org", PasswordHash: bcryptHash, Password: password},
	} {
		var invalid *accounts.Invalid
		if acc, err := h.door.CreateUser(t.Context(), u); !errors.As(err, &invalid) {
			t.Errorf("%+v: %+v, %v; want *Invalid", u, acc, err)
		}
	}
	for _, u := range []accounts.NewUser{{Email: "ALICE@Example.Org"}, {Email: "other@example.org", Subject: h.mustFind(alice).ID}} {
		if _, err := h.door.CreateUser(t.Context(), u); !errors.Is(err, accounts.ErrExists) {
			t.Errorf("%+v: %v, want ErrExists", u, err)
		}
	}
}

func (h *house) mustFind(who string) *accounts.Account {
	h.t.Helper()
	acc, err := h.door.FindUser(h.t.Context(), who)
	if err != nil {
		h.t.Fatal(err)
	}
	return acc
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$c29tZWtleXNvbWVrZXlzb21la2V5c29tZWtleTE")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=+8,t=01,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add(passlibHash)
	f.Add(bcryptHash)
	f.Fuzz(func(t *testing.T, s string) {
		accounts.KnownHash(s)
		if p, err := accounts.ParsePHC(s); err == nil && p.String() != s {
			t.Errorf("%q is read, but written as %q", s, p)
		}
	})
}
