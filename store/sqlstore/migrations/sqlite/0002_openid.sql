-- OpenID Connect, and what OAuth learned since: see 0001 for how values are kept.
-- Resources are one text with single spaces between them, as scopes are. An
-- authentication is how a person was signed in, its time in unix microseconds.

ALTER TABLE oauth_clients ADD COLUMN registration TEXT; -- NULL: by hand
ALTER TABLE oauth_clients ADD COLUMN profile TEXT;
ALTER TABLE oauth_clients ADD COLUMN metadata TEXT; -- a JSON object
ALTER TABLE oauth_clients ADD COLUMN fingerprint TEXT;
ALTER TABLE oauth_clients ADD COLUMN refresh_at INTEGER;

ALTER TABLE oauth_client_secrets ADD COLUMN sealed TEXT; -- encrypted by the keyring
CREATE INDEX oauth_client_secrets_sealed ON oauth_client_secrets (id) WHERE sealed IS NOT NULL;

ALTER TABLE oauth_grants ADD COLUMN resources TEXT;
ALTER TABLE oauth_grants ADD COLUMN authentication TEXT; -- a JSON object
ALTER TABLE oauth_grants ADD COLUMN claims TEXT;

ALTER TABLE oauth_codes ADD COLUMN nonce TEXT;
ALTER TABLE oauth_codes ADD COLUMN resources TEXT;

ALTER TABLE oauth_tokens ADD COLUMN resources TEXT;

ALTER TABLE oauth_requests ADD COLUMN response_mode TEXT;
ALTER TABLE oauth_requests ADD COLUMN nonce TEXT;
ALTER TABLE oauth_requests ADD COLUMN resources TEXT;
ALTER TABLE oauth_requests ADD COLUMN claims TEXT;
ALTER TABLE oauth_requests ADD COLUMN authentication TEXT; -- a JSON object
ALTER TABLE oauth_requests ADD COLUMN pushed_id TEXT;

ALTER TABLE oauth_keys ADD COLUMN active_at INTEGER; -- NULL: not yet

-- Every key so far has signed since it was made.
UPDATE oauth_keys SET active_at = created_at;

CREATE UNIQUE INDEX oauth_keys_next ON oauth_keys (algorithm) WHERE state = 'next';
CREATE UNIQUE INDEX oauth_clients_fingerprint ON oauth_clients (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX oauth_clients_unused ON oauth_clients (updated_at) WHERE registration = 'dynamic';
-- Clients that registered themselves are deleted many at a time.
CREATE INDEX oauth_requests_client ON oauth_requests (client_id);

CREATE TABLE oauth_pushed_requests (
	id         TEXT NOT NULL PRIMARY KEY,
	hash       BLOB NOT NULL, -- SHA-256 of the whole request_uri
	client_id  TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	form       TEXT, -- a JSON object of strings
	resources  TEXT,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_at    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_pushed_requests_client ON oauth_pushed_requests (client_id);
CREATE INDEX oauth_pushed_requests_expires ON oauth_pushed_requests (expires_at);

CREATE TABLE oauth_device_codes (
	id            TEXT NOT NULL PRIMARY KEY,
	hash          BLOB NOT NULL,
	user_code     TEXT NOT NULL,
	client_id     TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	scopes        TEXT,
	resources     TEXT,
	network       TEXT,
	agent         TEXT,
	issued_at     INTEGER NOT NULL,
	expires_at    INTEGER NOT NULL,
	poll_interval INTEGER NOT NULL, -- microseconds
	polled_at     INTEGER,
	subject       TEXT,
	grant_id      TEXT REFERENCES oauth_grants (id) ON DELETE CASCADE,
	denied_at     INTEGER,
	used_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX oauth_device_codes_user ON oauth_device_codes (user_code);
CREATE INDEX oauth_device_codes_client ON oauth_device_codes (client_id);
CREATE INDEX oauth_device_codes_grant ON oauth_device_codes (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_device_codes_subject ON oauth_device_codes (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_device_codes_expires ON oauth_device_codes (expires_at);

-- What may be used once and carries its own expiry.
CREATE TABLE oauth_replays (
	id         TEXT NOT NULL PRIMARY KEY,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_replays_expires ON oauth_replays (expires_at);

-- Sessions that have clients, or have ended: one that has ended stays ended even
-- when all its clients were told.
CREATE TABLE oauth_sessions (
	sid        TEXT NOT NULL PRIMARY KEY,
	expires_at INTEGER NOT NULL,
	ended_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_sessions_expires ON oauth_sessions (expires_at);

CREATE TABLE oauth_session_clients (
	sid        TEXT NOT NULL,
	client_id  TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject    TEXT NOT NULL,
	expires_at INTEGER NOT NULL,
	ended_at   INTEGER,
	attempts   INTEGER NOT NULL,
	retry_at   INTEGER,
	PRIMARY KEY (sid, client_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_session_clients_client ON oauth_session_clients (client_id);
CREATE INDEX oauth_session_clients_subject ON oauth_session_clients (subject);
CREATE INDEX oauth_session_clients_expires ON oauth_session_clients (expires_at) WHERE ended_at IS NULL;
CREATE INDEX oauth_session_clients_due ON oauth_session_clients (retry_at, sid, client_id) WHERE ended_at IS NOT NULL;
