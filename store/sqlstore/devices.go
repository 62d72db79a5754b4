package sqlstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
)

const deviceColumns = `id, hash, user_code, client_id, scopes, resources, network, agent, issued_at, expires_at,
	poll_interval, polled_at, subject, grant_id, denied_at, used_at`

func intoDevice(d *oauth.DeviceCode) []any {
	return []any{&d.ID, sqldb.ScanBytes(d.Hash[:]), &d.UserCode, &d.ClientID, toWords(&d.Scopes), toWords(&d.Resources),
		toOpt(&d.Network), toOpt(&d.Agent), sqldb.ScanTime(&d.IssuedAt), sqldb.ScanTime(&d.ExpiresAt),
		toInterval(&d.Interval), sqldb.ScanTime(&d.PolledAt), toOpt(&d.Subject), toOpt(&d.GrantID),
		sqldb.ScanTime(&d.DeniedAt), sqldb.ScanTime(&d.UsedAt)}
}

const (
	// A taken id and a taken user code are conflicts alike.
	sqlCreateDeviceCode = `INSERT INTO oauth_device_codes (` + deviceColumns + `)
	SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
	WHERE EXISTS (SELECT 1 FROM oauth_clients WHERE id = $4)
	AND (CAST($14 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM oauth_grants WHERE id = $14 AND client_id = $4 AND subject = $13))
	ON CONFLICT DO NOTHING`
	sqlDeviceCodeExists = `SELECT EXISTS (SELECT 1 FROM oauth_device_codes WHERE id = $1)
	OR EXISTS (SELECT 1 FROM oauth_device_codes WHERE user_code = $2)`
)

// CreateDeviceCode implements [store.Devices].
func (s *Store) CreateDeviceCode(ctx context.Context, d *oauth.DeviceCode) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		n, err := s.insert(ctx, sqlCreateDeviceCode, d.ID, d.Hash[:], d.UserCode, d.ClientID, words(d.Scopes),
			words(d.Resources), opt(d.Network), opt(d.Agent), micros(d.IssuedAt), micros(d.ExpiresAt),
			d.Interval.Microseconds(), sqldb.Micros(d.PolledAt), opt(d.Subject), opt(d.GrantID),
			sqldb.Micros(d.DeniedAt), sqldb.Micros(d.UsedAt))
		return s.createdIn(ctx, n, err, sqlDeviceCodeExists, d.ID, d.UserCode)
	})
}

const (
	sqlDeviceCode           = `SELECT ` + deviceColumns + ` FROM oauth_device_codes WHERE id = $1`
	sqlDeviceCodeByUserCode = `SELECT ` + deviceColumns + ` FROM oauth_device_codes WHERE user_code = $1`
)

// DeviceCode implements [store.Devices].
func (s *Store) DeviceCode(ctx context.Context, id string) (*oauth.DeviceCode, error) {
	return one(ctx, s, sqlDeviceCode, id, intoDevice)
}

// DeviceCodeByUserCode implements [store.Devices].
func (s *Store) DeviceCodeByUserCode(ctx context.Context, userCode string) (*oauth.DeviceCode, error) {
	return one(ctx, s, sqlDeviceCodeByUserCode, userCode, intoDevice)
}

const (
	unanswered = ` AND grant_id IS NULL AND denied_at IS NULL AND expires_at > $2`

	sqlApproveDeviceCode = `UPDATE oauth_device_codes
	SET grant_id = $3, subject = (SELECT g.subject FROM oauth_grants g WHERE g.id = $3)
	WHERE id = $1` + unanswered + `
	AND EXISTS (SELECT 1 FROM oauth_grants g WHERE g.id = $3 AND g.client_id = oauth_device_codes.client_id)`
	sqlDenyDeviceCode     = `UPDATE oauth_device_codes SET denied_at = $2 WHERE id = $1` + unanswered
	sqlDeviceCodeAnswered = `SELECT grant_id IS NOT NULL OR denied_at IS NOT NULL FROM oauth_device_codes WHERE id = $1`
)

// ApproveDeviceCode implements [store.Devices].
func (s *Store) ApproveDeviceCode(ctx context.Context, id, grantID string, now time.Time) error {
	return s.use(ctx, sqlApproveDeviceCode, sqlDeviceCodeAnswered, id, micros(now), grantID)
}

// DenyDeviceCode implements [store.Devices].
func (s *Store) DenyDeviceCode(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlDenyDeviceCode, sqlDeviceCodeAnswered, id, micros(now))
}

const sqlPollDeviceCode = `UPDATE oauth_device_codes SET polled_at = $2, poll_interval = $3 WHERE id = $1`

// PollDeviceCode implements [store.Devices].
func (s *Store) PollDeviceCode(ctx context.Context, id string, now time.Time, interval time.Duration) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		return require(s.change(ctx, sqlPollDeviceCode, id, micros(now), interval.Microseconds()))
	})
}

const (
	sqlClaimDevice = `UPDATE oauth_device_codes SET used_at = $2
	WHERE id = $1 AND used_at IS NULL AND grant_id IS NOT NULL AND denied_at IS NULL AND expires_at > $2
	AND NOT EXISTS (SELECT 1 FROM oauth_grants g WHERE g.id = grant_id AND g.revoked_at IS NOT NULL)`
	sqlDeviceClaimed = `SELECT d.used_at IS NOT NULL OR g.revoked_at IS NOT NULL
	FROM oauth_device_codes d LEFT JOIN oauth_grants g ON g.id = d.grant_id WHERE d.id = $1`
)

// ClaimDevice implements [store.Devices].
func (s *Store) ClaimDevice(ctx context.Context, id string, now time.Time) error {
	return s.use(ctx, sqlClaimDevice, sqlDeviceClaimed, id, micros(now))
}
