package sqlaccounts

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
)

const (
	sqlTrustDevice = `INSERT INTO accounts_devices (hash, account_id, created_at, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hash, account_id) DO UPDATE SET expires_at = excluded.expires_at`
	sqlDeviceAccounts = `SELECT account_id FROM accounts_devices WHERE hash = $1 AND expires_at > $2 ORDER BY account_id`
	sqlForgetDevices  = `DELETE FROM accounts_devices WHERE account_id = $1 AND hash <> $2`

	sqlCreateLink = `INSERT INTO accounts_links (hash, purpose, account_id, email, name, created_at, expires_at, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`
	sqlLink        = `SELECT hash, purpose, COALESCE(account_id, ''), email, name, created_at, expires_at, used_at FROM accounts_links WHERE hash = $1`
	sqlUseLink     = `UPDATE accounts_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2`
	sqlDeleteLinks = `DELETE FROM accounts_links WHERE purpose = $1 AND COALESCE(account_id, '') = $2`
)

// TrustDevice implements [accounts.Store].
func (s *Store) TrustDevice(ctx context.Context, d accounts.Device) error {
	_, err := s.exec(ctx, sqlTrustDevice, d.Hash[:], d.AccountID, sqldb.Micros(d.CreatedAt), sqldb.Micros(d.ExpiresAt))
	return err
}

// DeviceAccounts implements [accounts.Store].
func (s *Store) DeviceAccounts(ctx context.Context, hash oauth.Hash, now time.Time) ([]string, error) {
	return list(ctx, s.db.Read(ctx), readText, sqlDeviceAccounts, hash[:], sqldb.Micros(now))
}

// ForgetDevices implements [accounts.Store].
func (s *Store) ForgetDevices(ctx context.Context, accountID string, except oauth.Hash) error {
	_, err := s.exec(ctx, sqlForgetDevices, accountID, except[:])
	return err
}

// CreateLink implements [accounts.Store].
func (s *Store) CreateLink(ctx context.Context, l *accounts.Link) error {
	_, err := s.exec(ctx, sqlCreateLink, l.Hash[:], string(l.Purpose), text(l.AccountID), l.Email, l.Name,
		sqldb.Micros(l.CreatedAt), sqldb.Micros(l.ExpiresAt), sqldb.Micros(l.UsedAt))
	return err
}

// Link implements [accounts.Store].
func (s *Store) Link(ctx context.Context, hash oauth.Hash) (*accounts.Link, error) {
	l := &accounts.Link{}
	err := scan(s.db.Read(ctx).QueryRowContext(ctx, sqlLink, hash[:]), sqldb.ScanBytes(l.Hash[:]), (*string)(&l.Purpose), &l.AccountID, &l.Email, &l.Name,
		sqldb.ScanTime(&l.CreatedAt), sqldb.ScanTime(&l.ExpiresAt), sqldb.ScanTime(&l.UsedAt))
	if err != nil {
		return nil, err
	}
	return l, nil
}

// UseLink implements [accounts.Store].
func (s *Store) UseLink(ctx context.Context, hash oauth.Hash, now time.Time) error {
	return s.one(ctx, accounts.ErrUsed, sqlUseLink, hash[:], sqldb.Micros(now))
}

// DeleteLinks implements [accounts.Store].
func (s *Store) DeleteLinks(ctx context.Context, purpose accounts.Purpose, accountID string) error {
	_, err := s.exec(ctx, sqlDeleteLinks, string(purpose), accountID)
	return err
}

// The attempt is counted by the statement that decides whether it may be made:
// of attempts made at once, no more get through than the limit allows. With n
// attempts counted the wait is First * 2^(n - Free), at most Max.
const (
	sqlCountAttempt = `INSERT INTO accounts_attempts (key, count, retry_at, forget_at) VALUES ($1, 1, $3, $4)
		ON CONFLICT (key) DO UPDATE SET
			count = CASE WHEN accounts_attempts.forget_at <= $2 THEN 1 ELSE accounts_attempts.count + 1 END,
			retry_at = CASE
				WHEN accounts_attempts.forget_at <= $2 THEN $3
				WHEN accounts_attempts.count + 1 < $5 THEN 0
				WHEN accounts_attempts.count + 1 - $5 > 20 THEN CAST($2 AS BIGINT) + CAST($7 AS BIGINT)
				WHEN CAST($6 AS BIGINT) << CAST(accounts_attempts.count + 1 - $5 AS INTEGER) > $7 THEN CAST($2 AS BIGINT) + CAST($7 AS BIGINT)
				ELSE CAST($2 AS BIGINT) + (CAST($6 AS BIGINT) << CAST(accounts_attempts.count + 1 - $5 AS INTEGER))
			END,
			forget_at = $4
		WHERE accounts_attempts.retry_at <= $2`
	sqlRetryAt        = `SELECT retry_at FROM accounts_attempts WHERE key = $1`
	sqlRefundAttempt  = `UPDATE accounts_attempts SET count = count - 1 WHERE key = $1 AND count > 0`
	sqlForgetAttempts = `DELETE FROM accounts_attempts WHERE key = $1`
)

// CountAttempt implements [accounts.Store].
func (s *Store) CountAttempt(ctx context.Context, key string, l accounts.Limit, now time.Time) (retryAt time.Time, err error) {
	first := int64(0) // the wait after the very first attempt: none, unless it is the last free one
	if l.Free <= 1 {
		first = now.Add(l.First).UnixMicro()
	}
	err = s.db.Write(ctx, func(ctx context.Context, _ *sql.Tx) error {
		retryAt = time.Time{}
		n, err := s.exec(ctx, sqlCountAttempt, key, now.UnixMicro(), first, now.Add(l.Forget).UnixMicro(), l.Free,
			l.First.Microseconds(), l.Max.Microseconds())
		if err != nil || n > 0 {
			return err
		}
		return scan(s.db.Read(ctx).QueryRowContext(ctx, sqlRetryAt, key), sqldb.ScanTime(&retryAt))
	})
	return retryAt, err
}

// RefundAttempt implements [accounts.Store].
func (s *Store) RefundAttempt(ctx context.Context, key string) error {
	_, err := s.exec(ctx, sqlRefundAttempt, key)
	return err
}

// ForgetAttempts implements [accounts.Store].
func (s *Store) ForgetAttempts(ctx context.Context, key string) error {
	_, err := s.exec(ctx, sqlForgetAttempts, key)
	return err
}

// sqlPurge are the statements of Purge; each takes the time and the limit, the
// second one the idle time.
var sqlPurge = []struct {
	text string
	idle bool
}{
	{`DELETE FROM accounts_sessions WHERE id IN (SELECT id FROM accounts_sessions WHERE expires_at <= $1 LIMIT $2)`, false},
	{`DELETE FROM accounts_sessions WHERE id IN (SELECT id FROM accounts_sessions WHERE last_seen_at <= $1 AND remember = FALSE LIMIT $2)`, true},
	{`DELETE FROM accounts_devices WHERE (hash, account_id) IN (SELECT hash, account_id FROM accounts_devices WHERE expires_at <= $1 LIMIT $2)`, false},
	{`DELETE FROM accounts_links WHERE hash IN (SELECT hash FROM accounts_links WHERE expires_at <= $1 LIMIT $2)`, false},
	{`DELETE FROM accounts_attempts WHERE key IN (SELECT key FROM accounts_attempts WHERE forget_at <= $1 LIMIT $2)`, false},
}

// Purge implements [accounts.Store].
func (s *Store) Purge(ctx context.Context, now, idle time.Time, limit int) (int, error) {
	total := 0
	for _, p := range sqlPurge {
		before := now
		if p.idle {
			before = idle
		}
		n, err := s.exec(ctx, p.text, sqldb.Micros(before), limit)
		if err != nil {
			return total, fmt.Errorf("purge: %w", err)
		}
		total += int(n)
	}
	return total, nil
}
