package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// errWrong: address and password do not belong together, or the account is
// disabled. Nobody learns which.
var errWrong = errors.New("accounts: wrong e-mail address or password")

func isThrottled(err error) bool {
	var t *Throttled
	return errors.As(err, &t)
}

// proof is a password that was right a moment ago.
type proof struct {
	account *Account
	hash    string // the stored hash it was verified against
	rehash  string // what should replace it; empty: nothing
	budgets []budget
}

// attempt is try, and tells the observer how it ended.
func (a *Accounts) attempt(ctx context.Context, username string, password oauth.Secret, device oauth.Hash, then func(*proof) error) error {
	err := a.try(ctx, username, password, device, then)
	switch {
	case err == nil:
		peer.NoteSignIn(ctx, oauth.SignInRight)
	case errors.Is(err, errWrong):
		peer.NoteSignIn(ctx, oauth.SignInWrong)
	case isThrottled(err):
		peer.NoteSignIn(ctx, oauth.SignInThrottled)
	}
	return err
}

// try verifies a password and, if it is right, does what then does with the
// proof. The attempt is counted before it is verified, and waits for its turn
// before it is counted; then, which accepts the proof, is still part of it.
// Errors: errWrong, *Throttled, a refusal when too many try, what then returns, or
// a fault.
func (a *Accounts) try(ctx context.Context, username string, password oauth.Secret, device oauth.Hash, then func(*proof) error) error {
	email := strings.ToLower(strings.TrimSpace(username))
	acc, err := a.store.AccountByEmail(ctx, email)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if acc == nil {
		acc = &Account{} // nobody: no id, no hash, the same work
	}
	known, err := a.deviceKnown(ctx, device, acc.ID)
	if err != nil {
		return err
	}
	budgets := attemptBudgets(email, acc.ID, device, known, peer.From(ctx).Network())
	leave, err := a.turns.take(ctx, budgets[0].key)
	if err != nil {
		return err
	}
	defer leave()
	if err := a.spend(ctx, budgets); err != nil {
		return err
	}
	p, err := a.prove(ctx, acc, password)
	if err != nil {
		return err
	}
	p.budgets = budgets
	return then(p)
}

// prove verifies the password of an account. Errors as for attempt.
func (a *Accounts) prove(ctx context.Context, acc *Account, password oauth.Secret) (*proof, error) {
	right, outdated, err := a.hasher.verify(ctx, acc.PasswordHash, password)
	if err != nil {
		return nil, err
	}
	if !right || acc.Disabled {
		if err := a.record(ctx, oauth.EventSignInFailed, "", acc.ID, "Wrong e-mail address or password, or a disabled account."); err != nil {
			return nil, err
		}
		return nil, errWrong
	}
	p := &proof{account: acc, hash: acc.PasswordHash}
	if outdated {
		if p.rehash, err = a.hasher.hash(ctx, password); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (a *Accounts) deviceKnown(ctx context.Context, device oauth.Hash, accountID string) (bool, error) {
	if device == (oauth.Hash{}) {
		return false, nil
	}
	ids, err := a.store.DeviceAccounts(ctx, device, a.cfg.Now())
	return slices.Contains(ids, accountID), err
}

// accept records the success inside tx. errWrong if the password was changed or
// the account disabled while it was being verified.
func (p *proof) accept(ctx context.Context, tx Store, now time.Time) error {
	err := tx.ConfirmPassword(ctx, p.account.ID, p.hash, p.rehash, now)
	if errors.Is(err, ErrNotFound) {
		return errWrong
	}
	if err != nil {
		return err
	}
	return settle(ctx, tx, p.budgets)
}

// VerifyPassword is the [oauth.PasswordVerifier] of the bundled accounts. A
// wrong password is oauth.ErrUserNotFound; attempts that come too soon and a
// server that is busy are refusals of their own.
func (a *Accounts) VerifyPassword(ctx context.Context, username string, password oauth.Secret) (string, error) {
	subject := ""
	err := a.attempt(ctx, username, password, oauth.Hash{}, func(p *proof) error {
		subject = p.account.ID
		return a.store.InTx(ctx, func(ctx context.Context, tx Store) error { return p.accept(ctx, tx, a.cfg.Now()) })
	})
	switch {
	case err == nil:
		return subject, nil
	case isThrottled(err):
		return "", &oauth.Error{Code: oauth.InvalidGrant, Description: "Too many attempts with a wrong password. Try again in a minute.", Cause: err}
	case errors.Is(err, errWrong):
		return "", errors.Join(oauth.ErrUserNotFound, err)
	}
	return "", err
}

// opening is a session about to be made, and the cookies it will have.
type opening struct {
	session *Session
	cookie  oauth.Secret
	device  oauth.Secret
}

// open prepares a session for the browser that sent r. Its id and its cookie
// are always new, whatever cookies came with the request.
func (a *Accounts) open(r *http.Request, accountID string, remember bool) (*opening, error) {
	ctx, now := r.Context(), a.cfg.Now()
	o := &opening{cookie: drawSecret()}
	hash, value, ok := a.cookie(r, deviceCookie)
	if ok {
		// A device cookie that nobody signed in with may have been planted.
		ids, err := a.store.DeviceAccounts(ctx, hash, now)
		if err != nil {
			return nil, err
		}
		ok = len(ids) > 0
	}
	if !ok {
		value = drawSecret()
		hash = oauth.HashSecret(value)
	}
	o.device = value
	life := a.cfg.Absolute
	if remember {
		life = a.cfg.Remember
	}
	at := surround(a.peer(r), hash)
	o.session = &Session{ID: mint.NewID(now), Hash: oauth.HashSecret(o.cookie), AccountID: accountID, CreatedAt: now, AuthTime: now,
		AMR: []string{"pwd"}, ExpiresAt: now.Add(life), LastSeenAt: now, Remember: remember,
		Device: hash, Agent: at.agent, System: at.system, Network: at.network, Exact: at.exact}
	return o, nil
}

// begin makes the session inside tx and deletes the one that the browser had.
func (a *Accounts) begin(ctx context.Context, tx Store, r *http.Request, o *opening) error {
	o.session.SID = rand.Text()
	if hash, _, ok := a.cookie(r, sessionCookie); ok {
		old, _, err := tx.Session(ctx, hash)
		if err == nil {
			err = a.supersede(ctx, tx, old, o.session)
		}
		if ignore(err, ErrNotFound) != nil {
			return err
		}
	}
	now := o.session.CreatedAt
	if err := tx.CreateSession(ctx, o.session); err != nil {
		return err
	}
	return tx.TrustDevice(ctx, Device{Hash: o.session.Device, AccountID: o.session.AccountID, CreatedAt: now, ExpiresAt: now.Add(deviceLife)})
}

// supersede deletes the session that the browser had. If it was the same
// person's, clients take the new one for the old: nobody has signed out. What
// had expired had ended before, and nobody is told of that.
func (a *Accounts) supersede(ctx context.Context, tx Store, old, session *Session) error {
	over := a.over(old, session.CreatedAt)
	if !over && old.AccountID != session.AccountID {
		return a.endSession(ctx, tx, old.AccountID, old.ID)
	}
	sid, err := tx.EndSession(ctx, old.AccountID, old.ID)
	if err == nil && !over {
		session.SID = sid
	}
	return err
}

// give hands the browser its cookies, once the session is in the store.
func (a *Accounts) give(w http.ResponseWriter, o *opening) {
	life := time.Duration(0)
	if o.session.Remember {
		life = a.cfg.Remember
	}
	a.setCookie(w, sessionCookie, o.cookie, life)
	a.setCookie(w, deviceCookie, o.device, deviceLife)
	a.changed(w)
}

// signIn makes a session for the person who proved their password.
func (a *Accounts) signIn(w http.ResponseWriter, r *http.Request, p *proof, remember bool) error {
	o, err := a.open(r, p.account.ID, remember)
	if err != nil {
		return err
	}
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		if err := p.accept(ctx, tx, o.session.CreatedAt); err != nil {
			return err
		}
		if err := a.begin(ctx, tx, r, o); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventSignIn, p.account.ID, p.account.ID, o.session.Agent+" on "+o.session.System+".")
	})
	if err == nil {
		a.give(w, o)
	}
	return err
}
