-- Times are UTC unix microseconds; NULL: never. Hashes are SHA-256.
-- Collation "C" compares text byte by byte, whatever the database's own is.
CREATE TABLE accounts_accounts (
	id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	email           TEXT COLLATE "C" NOT NULL UNIQUE,
	email_verified  BOOLEAN NOT NULL,
	name            TEXT COLLATE "C" NOT NULL,
	password_hash   TEXT COLLATE "C" NOT NULL,
	admin           BOOLEAN NOT NULL,
	disabled        BOOLEAN NOT NULL,
	created_at      BIGINT  NOT NULL,
	last_sign_in_at BIGINT
);
CREATE INDEX accounts_accounts_created ON accounts_accounts (created_at, id);

CREATE TABLE accounts_sessions (
	id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	hash         BYTEA   NOT NULL UNIQUE,
	account_id   TEXT COLLATE "C" NOT NULL REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	created_at   BIGINT  NOT NULL,
	auth_time    BIGINT  NOT NULL,
	amr          TEXT COLLATE "C" NOT NULL, -- separated by spaces
	expires_at   BIGINT  NOT NULL,
	last_seen_at BIGINT  NOT NULL,
	stale_at     BIGINT,
	remember     BOOLEAN NOT NULL,
	device       BYTEA   NOT NULL,
	agent        TEXT COLLATE "C" NOT NULL,
	system       TEXT COLLATE "C" NOT NULL,
	network      TEXT COLLATE "C" NOT NULL,
	exact        BYTEA   NOT NULL
);
CREATE INDEX accounts_sessions_account ON accounts_sessions (account_id);
CREATE INDEX accounts_sessions_expiry ON accounts_sessions (expires_at);
CREATE INDEX accounts_sessions_seen ON accounts_sessions (last_seen_at);

CREATE TABLE accounts_devices (
	hash       BYTEA  NOT NULL,
	account_id TEXT COLLATE "C" NOT NULL REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (hash, account_id)
);
CREATE INDEX accounts_devices_account ON accounts_devices (account_id);
CREATE INDEX accounts_devices_expiry ON accounts_devices (expires_at);

CREATE TABLE accounts_links (
	hash       BYTEA  NOT NULL PRIMARY KEY,
	purpose    TEXT COLLATE "C" NOT NULL,
	account_id TEXT COLLATE "C" REFERENCES accounts_accounts (id) ON DELETE CASCADE,
	email      TEXT COLLATE "C" NOT NULL,
	name       TEXT COLLATE "C" NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT
);
CREATE INDEX accounts_links_account ON accounts_links (account_id);
CREATE INDEX accounts_links_expiry ON accounts_links (expires_at);

-- Attempts against a key: how many, when the next may be made, and when they
-- are forgotten.
CREATE TABLE accounts_attempts (
	key       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	count     BIGINT NOT NULL,
	retry_at  BIGINT NOT NULL,
	forget_at BIGINT NOT NULL
);
CREATE INDEX accounts_attempts_forget ON accounts_attempts (forget_at);
