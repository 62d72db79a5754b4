package clientdoc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/throttle"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	// maxBytes is the largest document. The draft recommends a bound of 5 KB (OAuth
	// Client ID Metadata Document §6.6); keys by value may need more.
	maxBytes = 16 << 10
	// grace is how long past its time a document is used that cannot be fetched anew.
	grace = 24 * time.Hour
	// pause is how long nothing is asked of a server that failed us while what it
	// said before still serves.
	pause = time.Minute
	// mostFailures bounds the memory of that.
	mostFailures = 10_000
	// burst documents are fetched for a network at once, then one every refill.
	burst  = 30
	refill = 2 * time.Second
)

// Config says what a resolver is made of. The first block is required.
type Config struct {
	Store store.Store
	Rules *clientmeta.Rules
	Fetch *fetch.Fetcher
	Now   func() time.Time

	// Allow lists the hosts that may describe clients; empty: every one but the issuer's. Deny lists
	// those that may not, whatever Allow says.
	Allow, Deny []string
	// Issuer is the server's own URL. What lies beside it would be taken for the
	// server's own word, and people may be able to put files there: its host must be
	// allowed by name.
	Issuer string
}

// Resolver brings clients that are documents up to date.
type Resolver struct {
	cfg         Config
	rules       clientmeta.Rules
	allow, deny hosts
	rate        *throttle.Throttle

	mu       sync.Mutex
	underWay map[string]*flight   // by client id
	failed   map[string]time.Time // by client id; when a known client's document could not be fetched
}

// flight is one fetch that several requests wait for.
type flight struct {
	done chan struct{}
	err  error
}

// New returns a resolver. CheckHosts must have accepted both lists.
func New(c Config) *Resolver {
	r := &Resolver{
		cfg: c, rules: *c.Rules, allow: readHosts(c.Allow), deny: readHosts(c.Deny), rate: throttle.New(burst, refill, c.Now),
		underWay: map[string]*flight{}, failed: map[string]time.Time{},
	}
	// There is no way to agree on a secret, and nobody vouches for the client.
	r.rules.AuthMethods = keep(c.Rules.AuthMethods, oauth.AuthNone, oauth.AuthPrivateKeyJWT)
	r.rules.GrantTypes = keep(c.Rules.GrantTypes, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantDeviceCode)
	r.rules.ResponseTypes = keep(c.Rules.ResponseTypes, oauth.ResponseTypeCode)
	r.rules.Profile = oauth.ProfileDefault
	return r
}

func keep[S ~string](list []S, want ...S) []S {
	var out []S
	for _, w := range want {
		for _, s := range list {
			if s == w {
				out = append(out, s)
			}
		}
	}
	return out
}

// Resolve sees to it that the store has the client of that id as its document
// says. For an id that is no URL, or that is registered in another way, it does
// nothing. A refusal is an [*oauth.Error]; any other error is a fault.
func (r *Resolver) Resolve(ctx context.Context, id string) error {
	if !IsURL(id) {
		return nil
	}
	known, err := r.cfg.Store.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		known = nil
	} else if err != nil {
		return fmt.Errorf("look up client: %w", err)
	}
	if known != nil && known.Registration != oauth.RegisteredByDocument {
		return nil
	}
	u, err := parse(id)
	if err != nil {
		return err
	}
	if !r.accepts(u) {
		return &oauth.Error{Code: oauth.InvalidClient, Description: "This server accepts no client metadata documents of that host."}
	}
	now := r.cfg.Now()
	if known != nil && (now.Before(known.RefreshAt) || r.paused(id, known, now)) {
		return nil
	}
	if err = r.refreshOnce(ctx, id); err == nil {
		return nil
	}
	var refusal *oauth.Error
	if known != nil && errors.As(err, &refusal) && now.Before(known.RefreshAt.Add(grace)) {
		if !errors.Is(err, oauth.SlowDown) { // that says nothing of the document, and others may ask
			r.remember(id, now)
		}
		return nil
	}
	return err
}

// accepts reports whether the operator lets clients be described there.
func (r *Resolver) accepts(u *url.URL) bool {
	host := u.Hostname()
	own := strings.HasPrefix(r.cfg.Issuer+"/", "https://"+u.Host+"/")
	return !r.deny.holds(host) && (r.allow.holds(host) || r.allow.empty() && !own)
}

// paused: what is known still serves, and asking has just failed.
func (r *Resolver) paused(id string, known *oauth.Client, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, failed := r.failed[id]
	return failed && now.Before(at.Add(pause)) && now.Before(known.RefreshAt.Add(grace))
}

func (r *Resolver) remember(id string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) >= mostFailures {
		clear(r.failed)
	}
	r.failed[id] = now
}

// refreshOnce fetches a document for everybody who waits for it. Who has asked for
// too many does not begin, so that nobody gets that refusal for somebody else.
func (r *Resolver) refreshOnce(ctx context.Context, id string) error {
	r.mu.Lock()
	f, others := r.underWay[id]
	if !others {
		if !r.rate.Take(peer.From(ctx).Network()) {
			r.mu.Unlock()
			return respond.TooMany("Too many client metadata documents were asked for from this network. Wait a minute.")
		}
		f = &flight{done: make(chan struct{})}
		r.underWay[id] = f
	}
	r.mu.Unlock()
	if others {
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() {
		r.mu.Lock()
		delete(r.underWay, id)
		r.mu.Unlock()
		close(f.done)
	}()
	// Whoever asked first may give up; the others still want it. The fetcher has a
	// limit of its own.
	f.err = r.refresh(context.WithoutCancel(ctx), id)
	return f.err
}

// refresh fetches the document and writes the client.
func (r *Resolver) refresh(ctx context.Context, id string) error {
	doc, err := r.cfg.Fetch.Get(ctx, id, fetch.Options{Accept: "application/json", MaxBytes: maxBytes})
	if err != nil {
		return bad("could not be fetched: "+fetch.Reason(err), err)
	}
	if !isJSON(doc.ContentType) {
		return bad("is not served as application/json", nil)
	}
	c, err := r.read(ctx, id, doc.Body)
	if err != nil {
		return err
	}
	c.RefreshAt = doc.Expires
	return r.write(ctx, c)
}

// isJSON: application/json, or a type that is JSON (OAuth Client ID Metadata
// Document §4).
func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && (t == "application/json" || strings.HasPrefix(t, "application/") && strings.HasSuffix(t, "+json"))
}

// bad says what is wrong with a document, in a clause.
func bad(clause string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidClient, Description: "The client metadata document of this client_id " + clause + ".", Cause: cause}
}

// read makes a client of a document (OAuth Client ID Metadata Document §4.1).
func (r *Resolver) read(ctx context.Context, id string, body []byte) (*oauth.Client, error) {
	doc, err := clientmeta.Parse(body)
	if err != nil {
		return nil, about(err)
	}
	switch {
	case doc.ClientID != id:
		return nil, bad("is that of another client_id; the two must be equal character by character", nil)
	case doc.Has("client_secret") || doc.Has("client_secret_expires_at"):
		return nil, bad("holds a client secret, which everybody can read", nil)
	case strings.TrimSpace(doc.Name) == "":
		return nil, bad("lacks the member client_name", nil)
	case len(doc.RedirectURIs) == 0:
		return nil, bad("lacks the member redirect_uris", nil)
	case doc.AuthMethod == "":
		doc.AuthMethod = oauth.AuthNone // the default of RFC 7591 §2 is a secret
	}
	c, err := r.rules.Client(doc)
	if err == nil {
		err = r.rules.CheckSector(ctx, c)
	}
	if err != nil {
		return nil, about(err)
	}
	now := r.cfg.Now()
	c.ID, c.Registration, c.CreatedAt, c.UpdatedAt = id, oauth.RegisteredByDocument, now, now
	return c, nil
}

// about is an error of a member, told of the document.
func about(err error) error {
	var e *clientmeta.Error
	if errors.As(err, &e) {
		return &oauth.Error{Code: oauth.InvalidClient, Description: "The client metadata document of this client_id cannot be accepted. " + e.Message, Cause: e.Cause}
	}
	return err
}

// write inserts the client, or brings the row up to date. What the operator decided
// about it stays.
func (r *Resolver) write(ctx context.Context, c *oauth.Client) error {
	return r.cfg.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		next := *c
		old, err := tx.Client(ctx, c.ID)
		if errors.Is(err, store.ErrNotFound) {
			if err := tx.CreateClient(ctx, &next); errors.Is(err, store.ErrExists) {
				return nil // another server was faster
			} else if err != nil {
				return fmt.Errorf("create client: %w", err)
			}
			return tx.RecordEvent(ctx, r.event(ctx, oauth.EventClientRegistered, c, "described itself as "+c.Name))
		}
		if err != nil {
			return fmt.Errorf("look up client: %w", err)
		}
		if old.Registration != oauth.RegisteredByDocument {
			return nil
		}
		if err := clientmeta.CheckChange(old, &next); err != nil {
			return about(err)
		}
		next.CreatedAt, next.Owner, next.Internal, next.Disabled, next.Profile = old.CreatedAt, old.Owner, old.Internal, old.Disabled, old.Profile
		if err := tx.UpdateClient(ctx, &next); err != nil {
			return fmt.Errorf("update client: %w", err)
		}
		if same(old, &next) {
			return nil
		}
		return tx.RecordEvent(ctx, r.event(ctx, oauth.EventClientUpdated, c, "described itself anew as "+c.Name))
	})
}

// same reports whether two clients say the same about themselves.
func same(a, b *oauth.Client) bool {
	x, err1 := json.Marshal(clientmeta.Describe(a))
	y, err2 := json.Marshal(clientmeta.Describe(b))
	return err1 == nil && err2 == nil && string(x) == string(y)
}

func (r *Resolver) event(ctx context.Context, typ oauth.EventType, c *oauth.Client, detail string) oauth.Event {
	now, from := r.cfg.Now(), peer.From(ctx)
	return oauth.Event{
		ID: mint.NewID(now), At: now, Type: typ, Actor: c.ID, ClientID: c.ID,
		Network: from.Network(), RequestID: from.RequestID, Detail: detail,
	}
}
