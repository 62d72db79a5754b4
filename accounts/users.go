package accounts

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
)

// operator is who acts when there is no browser: the command line, a host.
const operator = "operator"

// User implements [oauth.UserSource].
func (a *Accounts) User(ctx context.Context, subject string) (*oauth.User, error) {
	acc, err := a.store.Account(ctx, subject)
	if errors.Is(err, ErrNotFound) {
		return nil, oauth.ErrUserNotFound
	}
	if err != nil {
		return nil, err
	}
	return acc.user(), nil
}

// CreateUser makes an account. [*Invalid] says what is wrong with u; ErrExists
// if the address or the subject is taken.
func (a *Accounts) CreateUser(ctx context.Context, u NewUser) (*Account, error) {
	acc, err := a.newAccount(ctx, u)
	if err == nil {
		err = a.create(ctx, operator, acc)
	}
	if err != nil {
		return nil, err
	}
	return acc, nil
}

func (a *Accounts) create(ctx context.Context, actor string, acc *Account) error {
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error { return a.insert(ctx, tx, actor, acc) })
}

// newAccount validates u and hashes its password; nothing is stored yet.
func (a *Accounts) newAccount(ctx context.Context, u NewUser) (*Account, error) {
	now := a.cfg.Now()
	acc := &Account{ID: cmp.Or(u.Subject, mint.NewID(now)), EmailVerified: u.EmailVerified, Name: u.Name, Claims: u.Claims, PasswordHash: u.PasswordHash,
		Admin: u.Admin, Disabled: u.Disabled, CreatedAt: now}
	var err error
	if acc.Email, err = ParseEmail(u.Email); err != nil {
		return nil, err
	}
	if err := a.parseProfile(acc); err != nil {
		return nil, err
	}
	acc.Claims.UpdatedAt = now.Unix()
	switch {
	case !validSubject(acc.ID):
		return nil, &Invalid{"subject", "Use letters, digits, dots, hyphens, tildes and underscores, at most 128 of them."}
	case u.Password != "" && u.PasswordHash != "":
		return nil, &Invalid{"password", "Give a password or the hash of one, not both."}
	case u.PasswordHash != "" && !KnownHash(u.PasswordHash):
		return nil, &Invalid{"password", "This is no hash that can be verified: argon2id, bcrypt and pbkdf2_sha512 are."}
	case u.Password != "":
		if !u.AllowWeakPassword || len(u.Password) > maxPassword {
			if err := checkPassword(u.Password, acc.Email, a.cfg.Product); err != nil {
				return nil, err
			}
		}
		acc.PasswordHash, err = a.hasher.hash(ctx, u.Password)
	}
	return acc, err
}

func (a *Accounts) insert(ctx context.Context, tx Store, actor string, acc *Account) error {
	if err := tx.CreateAccount(ctx, acc); err != nil {
		return err
	}
	return a.record(ctx, oauth.EventUserCreated, actor, acc.ID, "")
}

// FindUser returns the account with that subject or, if it holds an @, that
// e-mail address. ErrNotFound.
func (a *Accounts) FindUser(ctx context.Context, subjectOrEmail string) (*Account, error) {
	if strings.Contains(subjectOrEmail, "@") {
		return a.store.AccountByEmail(ctx, strings.ToLower(strings.TrimSpace(subjectOrEmail)))
	}
	return a.store.Account(ctx, subjectOrEmail)
}

// ListUsers returns the accounts that match, newest first.
func (a *Accounts) ListUsers(ctx context.Context, q AccountQuery, p Page) ([]*Account, error) {
	return a.store.ListAccounts(ctx, q, p)
}

// userChanged is deferred by what changes who a subject is.
func (a *Accounts) userChanged(subject string) {
	if a.cfg.UserChanged != nil {
		a.cfg.UserChanged(subject)
	}
}

// DisableUser keeps the person out and ends their sessions. ErrNotFound.
func (a *Accounts) DisableUser(ctx context.Context, subject string) error {
	return a.disable(ctx, operator, subject)
}

func (a *Accounts) disable(ctx context.Context, actor, subject string) error {
	defer a.userChanged(subject)
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := tx.SetDisabled(ctx, subject, true); err != nil {
			return err
		}
		if err := a.endSessions(ctx, tx, subject, ""); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventUserDisabled, actor, subject, "")
	})
}

// EnableUser lets the person in again. What was ended stays ended. ErrNotFound.
func (a *Accounts) EnableUser(ctx context.Context, subject string) error {
	return a.enable(ctx, operator, subject)
}

func (a *Accounts) enable(ctx context.Context, actor, subject string) error {
	defer a.userChanged(subject)
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := tx.SetDisabled(ctx, subject, false); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventUserEnabled, actor, subject, "")
	})
}

// SetPassword gives the account another password and ends its sessions.
// [*Invalid] if the password is too weak; ErrNotFound.
func (a *Accounts) SetPassword(ctx context.Context, subject string, password oauth.Secret) error {
	acc, err := a.store.Account(ctx, subject)
	if err != nil {
		return err
	}
	if err := checkPassword(password, acc.Email, a.cfg.Product); err != nil {
		return err
	}
	hash, err := a.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := a.replacePassword(ctx, tx, subject, hash, "", oauth.Hash{}); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventPasswordReset, operator, subject, "Set by the operator.")
	})
}

// replacePassword ends everything that the old password opened: every session
// but the one that begin is about to replace, every pending link to reset it,
// and the budget of every browser but device.
func (a *Accounts) replacePassword(ctx context.Context, tx Store, accountID, hash, session string, device oauth.Hash) error {
	if err := tx.SetPassword(ctx, accountID, hash); err != nil {
		return err
	}
	if err := a.endSessions(ctx, tx, accountID, session); err != nil {
		return err
	}
	if err := tx.ForgetDevices(ctx, accountID, device); err != nil {
		return err
	}
	return tx.DeleteLinks(ctx, PurposeReset, accountID)
}

// DeleteUser deletes the account and, by Config.OnDelete, what other rooms keep
// about it. ErrNotFound.
func (a *Accounts) DeleteUser(ctx context.Context, subject string) error {
	return a.delete(ctx, operator, subject)
}

func (a *Accounts) delete(ctx context.Context, actor, subject string) error {
	defer a.userChanged(subject)
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := tx.HoldAccounts(ctx, subject); err != nil { // no session is begun meanwhile
			return err
		}
		if err := a.endSessions(ctx, tx, subject, ""); err != nil {
			return err
		}
		if err := tx.DeleteAccount(ctx, subject); err != nil {
			return err
		}
		if a.cfg.OnDelete != nil {
			if err := a.cfg.OnDelete(ctx, subject); err != nil {
				return err
			}
		}
		return a.record(ctx, oauth.EventUserDeleted, actor, subject, "")
	})
}
