-- OpenID Connect, and what OAuth learned since: see 0001 for how values are kept.
-- Resources are one text with single spaces between them, as scopes are. An
-- authentication is how a person was signed in, its time in unix microseconds.

ALTER TABLE oauth_clients ADD COLUMN registration TEXT COLLATE "C"; -- NULL: by hand
ALTER TABLE oauth_clients ADD COLUMN profile TEXT COLLATE "C";
ALTER TABLE oauth_clients ADD COLUMN metadata TEXT COLLATE "C"; -- a JSON object
ALTER TABLE oauth_clients ADD COLUMN fingerprint TEXT COLLATE "C";
ALTER TABLE oauth_clients ADD COLUMN refresh_at BIGINT;

ALTER TABLE oauth_client_secrets ADD COLUMN sealed TEXT COLLATE "C"; -- encrypted by the keyring
CREATE INDEX oauth_client_secrets_sealed ON oauth_client_secrets (id) WHERE sealed IS NOT NULL;

ALTER TABLE oauth_grants ADD COLUMN resources TEXT COLLATE "C";
ALTER TABLE oauth_grants ADD COLUMN authentication TEXT COLLATE "C"; -- a JSON object
ALTER TABLE oauth_grants ADD COLUMN claims TEXT COLLATE "C";

ALTER TABLE oauth_codes ADD COLUMN nonce TEXT COLLATE "C";
ALTER TABLE oauth_codes ADD COLUMN resources TEXT COLLATE "C";

ALTER TABLE oauth_tokens ADD COLUMN resources TEXT COLLATE "C";

ALTER TABLE oauth_requests ADD COLUMN response_mode TEXT COLLATE "C";
ALTER TABLE oauth_requests ADD COLUMN nonce TEXT COLLATE "C";
ALTER TABLE oauth_requests ADD COLUMN resources TEXT COLLATE "C";
ALTER TABLE oauth_requests ADD COLUMN claims TEXT COLLATE "C";
ALTER TABLE oauth_requests ADD COLUMN authentication TEXT COLLATE "C"; -- a JSON object
ALTER TABLE oauth_requests ADD COLUMN pushed_id TEXT COLLATE "C";

ALTER TABLE oauth_keys ADD COLUMN active_at BIGINT; -- NULL: not yet

-- Every key so far has signed since it was made.
UPDATE oauth_keys SET active_at = created_at;

CREATE UNIQUE INDEX oauth_keys_next ON oauth_keys (algorithm) WHERE state = 'next';
CREATE UNIQUE INDEX oauth_clients_fingerprint ON oauth_clients (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX oauth_clients_unused ON oauth_clients (updated_at) WHERE registration = 'dynamic';
-- Clients that registered themselves are deleted many at a time.
CREATE INDEX oauth_requests_client ON oauth_requests (client_id);

CREATE TABLE oauth_pushed_requests (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	hash       BYTEA NOT NULL, -- SHA-256 of the whole request_uri
	client_id  TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	form       TEXT COLLATE "C", -- a JSON object of strings
	resources  TEXT COLLATE "C",
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT
);

CREATE INDEX oauth_pushed_requests_client ON oauth_pushed_requests (client_id);
CREATE INDEX oauth_pushed_requests_expires ON oauth_pushed_requests (expires_at);

CREATE TABLE oauth_device_codes (
	id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	hash          BYTEA NOT NULL,
	user_code     TEXT COLLATE "C" NOT NULL,
	client_id     TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	scopes        TEXT COLLATE "C",
	resources     TEXT COLLATE "C",
	network       TEXT COLLATE "C",
	agent         TEXT COLLATE "C",
	issued_at     BIGINT NOT NULL,
	expires_at    BIGINT NOT NULL,
	poll_interval BIGINT NOT NULL, -- microseconds
	polled_at     BIGINT,
	subject       TEXT COLLATE "C",
	grant_id      TEXT COLLATE "C" REFERENCES oauth_grants (id) ON DELETE CASCADE,
	denied_at     BIGINT,
	used_at       BIGINT
);

CREATE UNIQUE INDEX oauth_device_codes_user ON oauth_device_codes (user_code);
CREATE INDEX oauth_device_codes_client ON oauth_device_codes (client_id);
CREATE INDEX oauth_device_codes_grant ON oauth_device_codes (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_device_codes_subject ON oauth_device_codes (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_device_codes_expires ON oauth_device_codes (expires_at);

-- What may be used once and carries its own expiry.
CREATE TABLE oauth_replays (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_replays_expires ON oauth_replays (expires_at);

-- Sessions that have clients, or have ended: one that has ended stays ended even
-- when all its clients were told.
CREATE TABLE oauth_sessions (
	sid        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	expires_at BIGINT NOT NULL,
	ended_at   BIGINT
);

CREATE INDEX oauth_sessions_expires ON oauth_sessions (expires_at);

CREATE TABLE oauth_session_clients (
	sid        TEXT COLLATE "C" NOT NULL,
	client_id  TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject    TEXT COLLATE "C" NOT NULL,
	expires_at BIGINT NOT NULL,
	ended_at   BIGINT,
	attempts   BIGINT NOT NULL,
	retry_at   BIGINT,
	PRIMARY KEY (sid, client_id)
);

CREATE INDEX oauth_session_clients_client ON oauth_session_clients (client_id);
CREATE INDEX oauth_session_clients_subject ON oauth_session_clients (subject);
CREATE INDEX oauth_session_clients_expires ON oauth_session_clients (expires_at) WHERE ended_at IS NULL;
CREATE INDEX oauth_session_clients_due ON oauth_session_clients (retry_at, sid, client_id) WHERE ended_at IS NOT NULL;
