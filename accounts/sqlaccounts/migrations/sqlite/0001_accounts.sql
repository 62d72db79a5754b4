-- Times are UTC unix microseconds; NULL: never. Hashes are SHA-256.
CREATE TABLE accounts_accounts (
	id              TEXT    NOT NULL PRIMARY KEY,
	email           TEXT    NOT NULL UNIQUE,
	email_verified  BOOLEAN NOT NULL,
	name            TEXT    NOT NULL,
	password_hash   TEXT    NOT NULL,
	admin           BOOLEAN NOT NULL,
	disabled        BOOLEAN NOT NULL,
	created_at      BIGINT  NOT NULL,
	last_sign_in_at BIGINT
);
CREATE INDEX accounts_accounts_created ON accounts_accounts (created_at, id);

CREATE TABLE accounts_sessions (
	id           TEXT    NOT NULL PRIMARY KEY,
	hash         BLOB    NOT NULL UNIQUE,
	account_id   TEXT    NOT NULL REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	created_at   BIGINT  NOT NULL,
	auth_time    BIGINT  NOT NULL,
	amr          TEXT    NOT NULL, -- separated by spaces
	expires_at   BIGINT  NOT NULL,
	last_seen_at BIGINT  NOT NULL,
	stale_at     BIGINT,
	remember     BOOLEAN NOT NULL,
	device       BLOB    NOT NULL,
	agent        TEXT    NOT NULL,
	system       TEXT    NOT NULL,
	network      TEXT    NOT NULL,
	exact        BLOB    NOT NULL
);
CREATE INDEX accounts_sessions_account ON accounts_sessions (account_id);
CREATE INDEX accounts_sessions_expiry ON accounts_sessions (expires_at);
CREATE INDEX accounts_sessions_seen ON accounts_sessions (last_seen_at);

CREATE TABLE accounts_devices (
	hash       BLOB   NOT NULL,
	account_id TEXT   NOT NULL REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (hash, account_id)
);
CREATE INDEX accounts_devices_account ON accounts_devices (account_id);
CREATE INDEX accounts_devices_expiry ON accounts_devices (expires_at);

CREATE TABLE accounts_links (
	hash       BLOB   NOT NULL PRIMARY KEY,
	purpose    TEXT   NOT NULL,
	account_id TEXT   REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	email      TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT
);
CREATE INDEX accounts_links_account ON accounts_links (account_id);
CREATE INDEX accounts_links_expiry ON accounts_links (expires_at);

-- Attempts against a key: how many, when the next may be made, and when they
-- are forgotten.
CREATE TABLE accounts_attempts (
	key       TEXT   NOT NULL PRIMARY KEY,
	count     BIGINT NOT NULL,
	retry_at  BIGINT NOT NULL,
	forget_at BIGINT NOT NULL
);
CREATE INDEX accounts_attempts_forget ON accounts_attempts (forget_at);
