package logout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	// patience is for how long a client is tried.
	patience = 24 * time.Hour
	// firstRetry is the wait after the first failure. It doubles up to longestRetry.
	firstRetry   = 10 * time.Second
	longestRetry = 2 * time.Hour
	// rest is for how long a client that could not be reached is left alone, so
	// that one that is down does not keep the others waiting.
	rest = 5 * time.Second
	// attempt bounds one attempt, our own work and the store's included.
	attempt = 15 * time.Second
	// maxAttempts bounds how many are under way at once.
	maxAttempts = 32
	// poll is how often Run looks for notices of other processes, and for those
	// whose time has come.
	poll  = 5 * time.Second
	batch = 100
)

// hasty is when Run looks again after it was woken: the transaction that ended
// the session may still be open.
var hasty = []time.Duration{time.Second, 250 * time.Millisecond, 50 * time.Millisecond, 10 * time.Millisecond}

// Delivery says how clients are told. All fields but Logger are required.
type Delivery struct {
	Store    store.Store
	Issuer   string
	IDTokens *idtoken.Minter // has the keys and the subjects of logout tokens too
	// Post sends a form to a URL that a client's registration names
	// (fetch.Fetcher.PostForm).
	Post   func(ctx context.Context, url string, form url.Values) (status int, err error)
	Now    func() time.Time
	Logger *slog.Logger // nil: what fails is not logged
}

// Deliverer tells clients of sessions that have ended. It is safe for concurrent use.
type Deliverer struct {
	Delivery
	slots chan struct{}
	wake  chan struct{}
	busy  sync.WaitGroup

	mu      sync.Mutex
	pending map[notice]chan struct{} // closed when the attempt is over
	resting map[string]time.Time     // by client id: until when
}

// notice is the key of a row.
type notice struct{ sid, clientID string }

// NewDeliverer returns a deliverer.
func NewDeliverer(d Delivery) *Deliverer {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	return &Deliverer{Delivery: d, slots: make(chan struct{}, maxAttempts), wake: make(chan struct{}, 1),
		pending: map[notice]chan struct{}{}, resting: map[string]time.Time{}}
}

// End writes down that the sessions have ended, and wakes Run. It may be called
// inside the transaction that ends them: they are told once that is committed.
func (d *Deliverer) End(ctx context.Context, sids ...string) error {
	told := 0
	for _, sid := range sids {
		n, err := d.Store.EndSession(ctx, sid, d.Now())
		if err != nil {
			return fmt.Errorf("end session: %w", err)
		}
		told += n
	}
	if told > 0 {
		select {
		case d.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return nil
}

// Tell makes the first attempts for a session that has ended, and waits for them
// no longer than the given time; they go on after it.
func (d *Deliverer) Tell(ctx context.Context, sid string, wait time.Duration) error {
	rows, err := d.Store.SessionClients(ctx, sid)
	if err != nil {
		return fmt.Errorf("look up the session's clients: %w", err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var all []chan struct{}
	for _, row := range rows {
		if row.EndedAt.IsZero() || row.Attempts > 0 {
			continue
		}
		if over := d.begin(ctx, row); over != nil {
			all = append(all, over)
		}
	}
	for _, over := range all {
		select {
		case <-over:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// Run delivers what is due until ctx is done, and then waits for the attempts
// that are under way.
func (d *Deliverer) Run(ctx context.Context) {
	defer d.busy.Wait()
	for looks := 0; ; {
		if err := d.due(ctx); err != nil && ctx.Err() == nil {
			d.Logger.ErrorContext(ctx, "logout notices could not be looked up", "error", err)
		}
		wait := poll
		if looks > 0 {
			looks--
			wait = hasty[looks]
		}
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
			looks = len(hasty)
		case <-time.After(wait):
		}
	}
}

// due begins an attempt for every notice whose time has come, as far as there are slots.
func (d *Deliverer) due(ctx context.Context) error {
	rows, err := d.Store.DueLogouts(ctx, d.Now(), batch)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if d.begin(ctx, row) == nil {
			return nil
		}
	}
	return nil
}

// begin starts an attempt, unless this process is making it already. It returns a
// channel that is closed when that is over; nil if there is no slot.
func (d *Deliverer) begin(ctx context.Context, row *oauth.SessionClient) chan struct{} {
	key := notice{row.SID, row.ClientID}
	d.mu.Lock()
	defer d.mu.Unlock()
	if over := d.pending[key]; over != nil {
		return over
	}
	select {
	case d.slots <- struct{}{}:
	default:
		return nil
	}
	over := make(chan struct{})
	d.pending[key] = over
	d.busy.Go(func() {
		defer func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.pending, key)
			close(over)
			<-d.slots
		}()
		// Whoever ended the session need not wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attempt)
		defer cancel()
		if err := d.deliver(ctx, row); err != nil {
			d.Logger.ErrorContext(ctx, "a client could not be told that a session ended", "client_id", row.ClientID, "error", err)
		}
	})
	return over
}

// deliver makes one attempt. Only a fault of our own is an error.
func (d *Deliverer) deliver(ctx context.Context, row *oauth.SessionClient) error {
	c, err := d.Store.Client(ctx, row.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // and the row went with it
	}
	if err != nil {
		return err
	}
	if c.Metadata.BackchannelLogoutURI == "" || c.Disabled {
		return ignoreNotFound(d.Store.DeleteSessionClient(ctx, row.SID, row.ClientID))
	}
	next := d.Now().Add(backoff(row.Attempts))
	switch err := d.Store.RetryLogout(ctx, row.SID, row.ClientID, next); {
	case errors.Is(err, store.ErrNotFound):
		return nil // another node has delivered it
	case err != nil:
		return err
	}
	why, err := d.send(ctx, c, row)
	switch {
	case err != nil:
		return err
	case why == "":
		return d.settle(ctx, row, oauth.EventLogoutDelivered, "")
	case next.Sub(row.EndedAt) > patience:
		return d.settle(ctx, row, oauth.EventLogoutFailed, why)
	}
	d.Logger.InfoContext(ctx, "a client was not told that a session ended, yet", "client_id", c.ID, "reason", why, "again", next)
	return nil
}

// send posts the logout token (OpenID Connect Back-Channel Logout §2.5) and says
// why it was not accepted; an empty text says that it was. Any success will do:
// some frameworks make 204 of an empty 200 (§2.8).
func (d *Deliverer) send(ctx context.Context, c *oauth.Client, row *oauth.SessionClient) (why string, err error) {
	if d.rests(c.ID) {
		return "the client could not be reached a moment ago", nil
	}
	token, err := d.token(ctx, c, row)
	if err != nil {
		return "", err
	}
	status, err := d.Post(ctx, c.Metadata.BackchannelLogoutURI, url.Values{"logout_token": {token}})
	switch {
	case err != nil:
		d.letRest(c.ID)
		return fetch.Reason(err), nil
	case status < 200 || status > 299:
		return fmt.Sprintf("the client answered %d", status), nil
	}
	return "", nil
}

// settle drops the notice and records what became of it. Of two nodes that
// delivered it one does.
func (d *Deliverer) settle(ctx context.Context, row *oauth.SessionClient, what oauth.EventType, detail string) error {
	err := d.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := tx.DeleteSessionClient(ctx, row.SID, row.ClientID); err != nil {
			return err
		}
		now := d.Now()
		return tx.RecordEvent(ctx, oauth.Event{ID: mint.NewID(now), At: now, Type: what, Subject: row.Subject, ClientID: row.ClientID,
			RequestID: peer.From(ctx).RequestID, Detail: detail})
	})
	return ignoreNotFound(err)
}

func ignoreNotFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// backoff is the wait after so many attempts and one more.
func backoff(attempts int) time.Duration {
	wait := firstRetry
	for range attempts {
		if wait *= 2; wait >= longestRetry {
			return longestRetry
		}
	}
	return wait
}

func (d *Deliverer) rests(clientID string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Now().Before(d.resting[clientID])
}

// letRest leaves the client alone for a while, and forgets those who had their rest.
func (d *Deliverer) letRest(clientID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	for id, until := range d.resting {
		if !now.Before(until) {
			delete(d.resting, id)
		}
	}
	d.resting[clientID] = now.Add(rest)
}
