package accounts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// The limits of password attempts. Counters live in the store, so a restart
// forgives nothing.
var (
	// strangerLimit bounds the attempts at one account from all browsers that
	// never signed in to it, wherever they are.
	strangerLimit = Limit{Free: 5, First: time.Second, Max: time.Minute, Forget: 15 * time.Minute}
	// deviceLimit is the own budget of a browser that did.
	deviceLimit = Limit{Free: 10, First: time.Second, Max: time.Minute, Forget: 15 * time.Minute}
	// networkLimit bounds the failed attempts from one network at all accounts.
	networkLimit = Limit{Free: 100, First: time.Second, Max: time.Minute, Forget: 15 * time.Minute}
	// mailLimit lets one mail a minute go to an address; mailNetworkLimit bounds
	// how many addresses one network may have written to.
	mailLimit        = Limit{Free: 1, First: time.Minute, Max: time.Minute, Forget: time.Minute}
	mailNetworkLimit = Limit{Free: 20, First: 10 * time.Second, Max: time.Minute, Forget: 15 * time.Minute}
)

// Throttled refuses an attempt that comes too soon.
type Throttled struct {
	RetryAfter time.Duration // above zero
}

func (e *Throttled) Error() string {
	return fmt.Sprintf("accounts: too many attempts, wait %s", e.RetryAfter)
}

// Seconds is the wait in whole seconds, rounded up, for people and Retry-After.
func (e *Throttled) Seconds() int { return int((e.RetryAfter + time.Second - 1) / time.Second) }

// budget is one counter and its limit.
type budget struct {
	key   string
	limit Limit
	// failuresOnly: a success takes its own attempt back and forgives no other,
	// else somebody with an account could wash a network clean.
	failuresOnly bool
}

// attemptBudgets are the counters that an attempt at the account behind the
// address spends. The address is hashed whether or not anybody has it, so
// unknown ones are throttled like known ones. A device that signed in to this
// account before has a budget of its own and nothing else: strangers cannot
// make its owner wait.
func attemptBudgets(email, accountID string, device oauth.Hash, known bool, network string) []budget {
	if known {
		return []budget{{key: "device:" + shortHash(device[:]) + ":" + accountID, limit: deviceLimit}}
	}
	return []budget{
		{key: "account:" + shortHash([]byte(email)), limit: strangerLimit},
		{key: "network:" + network, limit: networkLimit, failuresOnly: true},
	}
}

// shortHash makes a key of bounded length that shows nobody's address.
func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// spend counts the attempt against every budget, or against none and says how
// long to wait.
func (a *Accounts) spend(ctx context.Context, budgets []budget) error {
	now := a.cfg.Now()
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		for _, b := range budgets {
			retryAt, err := tx.CountAttempt(ctx, b.key, b.limit, now)
			if err != nil {
				return err
			}
			if !retryAt.IsZero() {
				return &Throttled{RetryAfter: max(retryAt.Sub(now), time.Millisecond)}
			}
		}
		return nil
	})
}

// settle takes back what a successful attempt spent.
func settle(ctx context.Context, tx Store, budgets []budget) error {
	for _, b := range budgets {
		var err error
		if b.failuresOnly {
			err = tx.RefundAttempt(ctx, b.key)
		} else {
			err = tx.ForgetAttempts(ctx, b.key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// spendMail counts a mail to an address that somebody typed. due is false if
// one went to it within the minute: the answer is the same, the mail is not sent
// again.
func (a *Accounts) spendMail(ctx context.Context, purpose Purpose, email string) (due bool, err error) {
	network := budget{key: "mail-network:" + peer.From(ctx).Network(), limit: mailNetworkLimit}
	if err := a.spend(ctx, []budget{network}); err != nil {
		return false, err
	}
	address := budget{key: "mail:" + string(purpose) + ":" + shortHash([]byte(email)), limit: mailLimit}
	switch err := a.spend(ctx, []budget{address}); {
	case isThrottled(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}
