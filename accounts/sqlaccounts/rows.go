package sqlaccounts

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
)

const accountColumns = `a.id, a.email, a.email_verified, a.name, a.claims, a.password_hash, a.admin, a.disabled, a.created_at, a.last_sign_in_at`

func accountFields(a *accounts.Account) []any {
	return []any{&a.ID, &a.Email, &a.EmailVerified, &a.Name, claimsText{&a.Claims}, &a.PasswordHash, &a.Admin, &a.Disabled, sqldb.ScanTime(&a.CreatedAt), sqldb.ScanTime(&a.LastSignInAt)}
}

func readAccount(row interface{ Scan(...any) error }) (*accounts.Account, error) {
	a := &accounts.Account{}
	if err := scan(row, accountFields(a)...); err != nil {
		return nil, err
	}
	return a, nil
}

const (
	sqlCreateAccount = `INSERT INTO accounts_accounts (id, email, email_verified, name, claims, password_hash, admin, disabled, created_at, last_sign_in_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`
	sqlAccount        = `SELECT ` + accountColumns + ` FROM accounts_accounts a WHERE a.id = $1`
	sqlAccountByEmail = `SELECT ` + accountColumns + ` FROM accounts_accounts a WHERE a.email = $1`
	sqlListAccounts   = `SELECT ` + accountColumns + ` FROM accounts_accounts a
		WHERE (lower(a.id) LIKE $1 ESCAPE '\' OR lower(a.email) LIKE $1 ESCAPE '\' OR lower(a.name) LIKE $1 ESCAPE '\')
		AND ($2 = '' OR (a.created_at, a.id) < (SELECT b.created_at, b.id FROM accounts_accounts b WHERE b.id = $2))
		ORDER BY a.created_at DESC, a.id DESC LIMIT $3`
	sqlSetProfile      = `UPDATE accounts_accounts SET name = $2, claims = $3 WHERE id = $1`
	sqlHoldAccount     = `UPDATE accounts_accounts SET admin = admin WHERE id = $1` // FOR UPDATE, in words that SQLite knows
	sqlSetAdmin        = `UPDATE accounts_accounts SET admin = $2 WHERE id = $1`
	sqlSetDisabled     = `UPDATE accounts_accounts SET disabled = $2 WHERE id = $1`
	sqlVerifyEmail     = `UPDATE accounts_accounts SET email_verified = TRUE WHERE id = $1 AND email = $2`
	sqlSetPassword     = `UPDATE accounts_accounts SET password_hash = $2 WHERE id = $1`
	sqlConfirmPassword = `UPDATE accounts_accounts SET last_sign_in_at = $4, password_hash = CASE WHEN $3 = '' THEN password_hash ELSE $3 END
		WHERE id = $1 AND password_hash = $2 AND disabled = FALSE`
	sqlDeleteAccount = `DELETE FROM accounts_accounts WHERE id = $1`
)

// CreateAccount implements [accounts.Store].
func (s *Store) CreateAccount(ctx context.Context, a *accounts.Account) error {
	return s.one(ctx, accounts.ErrExists, sqlCreateAccount, a.ID, a.Email, a.EmailVerified, a.Name, claimsText{&a.Claims}, a.PasswordHash,
		a.Admin, a.Disabled, sqldb.Micros(a.CreatedAt), sqldb.Micros(a.LastSignInAt))
}

// Account implements [accounts.Store].
func (s *Store) Account(ctx context.Context, id string) (*accounts.Account, error) {
	if !sqldb.Storable(id) {
		return nil, accounts.ErrNotFound
	}
	return readAccount(s.db.Read(ctx).QueryRowContext(ctx, sqlAccount, id))
}

// AccountByEmail implements [accounts.Store].
func (s *Store) AccountByEmail(ctx context.Context, email string) (*accounts.Account, error) {
	if !sqldb.Storable(email) {
		return nil, accounts.ErrNotFound
	}
	return readAccount(s.db.Read(ctx).QueryRowContext(ctx, sqlAccountByEmail, email))
}

// ListAccounts implements [accounts.Store].
func (s *Store) ListAccounts(ctx context.Context, q accounts.AccountQuery, p accounts.Page) ([]*accounts.Account, error) {
	if !sqldb.Storable(q.Text) || !sqldb.Storable(p.After) {
		return nil, nil
	}
	pattern, ok := sqldb.Containing(q.Text)
	if !ok {
		return nil, nil
	}
	return list(ctx, s.db.Read(ctx), readAccount, sqlListAccounts, pattern, p.After, p.Limit)
}

// SetProfile implements [accounts.Store].
func (s *Store) SetProfile(ctx context.Context, id, name string, claims oauth.UserClaims) error {
	return s.one(ctx, accounts.ErrNotFound, sqlSetProfile, id, name, claimsText{&claims})
}

// HoldAccounts implements [accounts.Store].
func (s *Store) HoldAccounts(ctx context.Context, ids ...string) error {
	ids = slices.Sorted(slices.Values(ids))
	for _, id := range slices.Compact(ids) {
		if !sqldb.Storable(id) {
			continue
		}
		if _, err := s.exec(ctx, sqlHoldAccount, id); err != nil {
			return err
		}
	}
	return nil
}

// SetAdmin implements [accounts.Store].
func (s *Store) SetAdmin(ctx context.Context, id string, admin bool) error {
	return s.one(ctx, accounts.ErrNotFound, sqlSetAdmin, id, admin)
}

// SetDisabled implements [accounts.Store].
func (s *Store) SetDisabled(ctx context.Context, id string, disabled bool) error {
	return s.one(ctx, accounts.ErrNotFound, sqlSetDisabled, id, disabled)
}

// VerifyEmail implements [accounts.Store].
func (s *Store) VerifyEmail(ctx context.Context, id, email string) error {
	return s.one(ctx, accounts.ErrNotFound, sqlVerifyEmail, id, email)
}

// SetPassword implements [accounts.Store].
func (s *Store) SetPassword(ctx context.Context, id, hash string) error {
	return s.one(ctx, accounts.ErrNotFound, sqlSetPassword, id, hash)
}

// ConfirmPassword implements [accounts.Store].
func (s *Store) ConfirmPassword(ctx context.Context, id, hash, rehash string, now time.Time) error {
	return s.one(ctx, accounts.ErrNotFound, sqlConfirmPassword, id, hash, rehash, sqldb.Micros(now))
}

// DeleteAccount implements [accounts.Store].
func (s *Store) DeleteAccount(ctx context.Context, id string) error {
	return s.one(ctx, accounts.ErrNotFound, sqlDeleteAccount, id)
}

const sessionColumns = `s.id, s.hash, s.account_id, s.created_at, s.auth_time, s.amr, s.expires_at, s.last_seen_at, s.stale_at, s.remember,
		s.device, s.agent, s.system, s.network, s.exact, s.sid`

func sessionFields(v *accounts.Session, amr *string) []any {
	return []any{&v.ID, sqldb.ScanBytes(v.Hash[:]), &v.AccountID, sqldb.ScanTime(&v.CreatedAt), sqldb.ScanTime(&v.AuthTime), amr, sqldb.ScanTime(&v.ExpiresAt),
		sqldb.ScanTime(&v.LastSeenAt), sqldb.ScanTime(&v.StaleAt), &v.Remember, sqldb.ScanBytes(v.Device[:]), &v.Agent, &v.System, &v.Network, sqldb.ScanBytes(v.Exact[:]), &v.SID}
}

func readSession(row interface{ Scan(...any) error }) (*accounts.Session, error) {
	v, amr := &accounts.Session{}, ""
	if err := scan(row, sessionFields(v, &amr)...); err != nil {
		return nil, err
	}
	v.AMR = fields(amr)
	return v, nil
}

func fields(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

const (
	sqlCreateSession = `INSERT INTO accounts_sessions (id, hash, account_id, created_at, auth_time, amr, expires_at, last_seen_at, stale_at,
		remember, device, agent, system, network, exact, sid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	sqlSession = `SELECT ` + sessionColumns + `, ` + accountColumns + `
		FROM accounts_sessions s JOIN accounts_accounts a ON a.id = s.account_id WHERE s.hash = $1`
	sqlTouchSession     = `UPDATE accounts_sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2`
	sqlMarkSessionStale = `UPDATE accounts_sessions SET stale_at = $2 WHERE id = $1 AND stale_at IS NULL`
	sqlListSessions     = `SELECT ` + sessionColumns + ` FROM accounts_sessions s WHERE s.account_id = $1 AND s.expires_at > $2
		ORDER BY s.last_seen_at DESC, s.id DESC`
	sqlEndSession  = `DELETE FROM accounts_sessions WHERE id = $1 AND account_id = $2 RETURNING CASE WHEN sid = '' THEN id ELSE sid END`
	sqlEndSessions = `DELETE FROM accounts_sessions WHERE account_id = $1 AND id <> $2 RETURNING CASE WHEN sid = '' THEN id ELSE sid END`
)

// CreateSession implements [accounts.Store].
func (s *Store) CreateSession(ctx context.Context, v *accounts.Session) error {
	_, err := s.exec(ctx, sqlCreateSession, v.ID, v.Hash[:], v.AccountID, sqldb.Micros(v.CreatedAt), sqldb.Micros(v.AuthTime), strings.Join(v.AMR, " "),
		sqldb.Micros(v.ExpiresAt), sqldb.Micros(v.LastSeenAt), sqldb.Micros(v.StaleAt), v.Remember, v.Device[:], v.Agent, v.System, v.Network, v.Exact[:], v.SID)
	return err
}

// Session implements [accounts.Store].
func (s *Store) Session(ctx context.Context, hash oauth.Hash) (*accounts.Session, *accounts.Account, error) {
	v, a, amr := &accounts.Session{}, &accounts.Account{}, ""
	into := append(sessionFields(v, &amr), accountFields(a)...)
	if err := scan(s.db.Read(ctx).QueryRowContext(ctx, sqlSession, hash[:]), into...); err != nil {
		return nil, nil, err
	}
	v.AMR = fields(amr)
	return v, a, nil
}

// TouchSession implements [accounts.Store].
func (s *Store) TouchSession(ctx context.Context, id string, now time.Time) error {
	_, err := s.exec(ctx, sqlTouchSession, id, sqldb.Micros(now))
	return err
}

// MarkSessionStale implements [accounts.Store].
func (s *Store) MarkSessionStale(ctx context.Context, id string, now time.Time) error {
	return s.one(ctx, accounts.ErrUsed, sqlMarkSessionStale, id, sqldb.Micros(now))
}

// ListSessions implements [accounts.Store].
func (s *Store) ListSessions(ctx context.Context, accountID string, now time.Time) ([]*accounts.Session, error) {
	return list(ctx, s.db.Read(ctx), readSession, sqlListSessions, accountID, sqldb.Micros(now))
}

// EndSession implements [accounts.Store].
func (s *Store) EndSession(ctx context.Context, accountID, id string) (sid string, err error) {
	if !sqldb.Storable(id) {
		return "", accounts.ErrNotFound
	}
	err = s.db.Write(ctx, func(ctx context.Context, _ *sql.Tx) (err error) {
		sid, err = readText(s.db.Read(ctx).QueryRowContext(ctx, sqlEndSession, id, accountID))
		return err
	})
	return sid, err
}

// EndSessions implements [accounts.Store].
func (s *Store) EndSessions(ctx context.Context, accountID, except string) (sids []string, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, _ *sql.Tx) (err error) {
		sids, err = list(ctx, s.db.Read(ctx), readText, sqlEndSessions, accountID, except)
		return err
	})
	slices.Sort(sids)
	return sids, err
}

func readText(row interface{ Scan(...any) error }) (s string, err error) {
	err = scan(row, &s)
	return s, err
}
