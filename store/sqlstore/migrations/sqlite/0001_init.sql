-- Times are unix microseconds, UTC. Absent values are NULL. Scopes and grant
-- types are one text with single spaces between them. Ids of grants, codes,
-- tokens, requests and events are time-ordered: rows of one time lie together,
-- new ones at the end. WITHOUT ROWID keeps a row inside its key's index.

CREATE TABLE oauth_clients (
	id             TEXT NOT NULL PRIMARY KEY,
	type           TEXT NOT NULL,
	name           TEXT NOT NULL,
	description    TEXT,
	website        TEXT,
	owner          TEXT,
	auth_method    TEXT NOT NULL,
	redirect_uris  TEXT,              -- a JSON array of strings
	grant_types    TEXT,
	scopes         TEXT,
	default_scopes TEXT,
	require_pkce   INTEGER NOT NULL,
	first_party    INTEGER NOT NULL,
	internal       INTEGER NOT NULL,
	disabled       INTEGER NOT NULL,
	created_at     INTEGER NOT NULL,
	updated_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_clients_owner ON oauth_clients (owner) WHERE owner IS NOT NULL;
CREATE INDEX oauth_clients_created ON oauth_clients (created_at);

CREATE TABLE oauth_client_secrets (
	id           TEXT NOT NULL PRIMARY KEY,
	client_id    TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	hash         BLOB NOT NULL,       -- SHA-256 of the whole secret
	hint         TEXT,
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER,
	last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_client_secrets_client ON oauth_client_secrets (client_id);

CREATE TABLE oauth_grants (
	id           TEXT NOT NULL PRIMARY KEY,
	client_id    TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject      TEXT NOT NULL,
	scopes       TEXT,
	created_at   INTEGER NOT NULL,
	revoked_at   INTEGER,
	last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_grants_subject ON oauth_grants (subject, client_id);
CREATE INDEX oauth_grants_client ON oauth_grants (client_id);
CREATE INDEX oauth_grants_revoked ON oauth_grants (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE oauth_codes (
	id             TEXT NOT NULL PRIMARY KEY,
	hash           BLOB NOT NULL,
	grant_id       TEXT NOT NULL REFERENCES oauth_grants (id) ON DELETE CASCADE,
	client_id      TEXT NOT NULL,
	subject        TEXT NOT NULL,
	scopes         TEXT,
	redirect_uri   TEXT,
	code_challenge TEXT,
	issued_at      INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	used_at        INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_codes_grant ON oauth_codes (grant_id);
CREATE INDEX oauth_codes_expires ON oauth_codes (expires_at);

-- A token is dead when it, or its grant, is revoked: revoking a grant is one row.
-- The client and the subject of a token that has a grant are the grant's and
-- are not kept again: most of the rows are such tokens.
CREATE TABLE oauth_tokens (
	id                TEXT NOT NULL PRIMARY KEY,
	kind              TEXT NOT NULL,  -- access, refresh, personal
	hash              BLOB NOT NULL,
	grant_id          TEXT REFERENCES oauth_grants (id) ON DELETE CASCADE,
	client_id         TEXT REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject           TEXT,
	scopes            TEXT,
	issued_at         INTEGER NOT NULL,
	expires_at        INTEGER,
	revoked_at        INTEGER,
	rotated_at        INTEGER,
	successor_id      TEXT,
	name              TEXT,
	description       TEXT,
	hint              TEXT,
	internal          INTEGER NOT NULL,
	last_used_at      INTEGER,
	last_used_network TEXT,
	CHECK (grant_id IS NULL OR client_id IS NULL AND subject IS NULL),
	CHECK (grant_id IS NOT NULL OR subject IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_tokens_grant ON oauth_tokens (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_tokens_subject ON oauth_tokens (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_tokens_client ON oauth_tokens (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX oauth_tokens_expires ON oauth_tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX oauth_tokens_revoked ON oauth_tokens (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE oauth_requests (
	id                TEXT NOT NULL PRIMARY KEY,
	session_id        TEXT NOT NULL,
	subject           TEXT NOT NULL,
	client_id         TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	response_type     TEXT NOT NULL,
	redirect_uri      TEXT NOT NULL,
	redirect_uri_sent INTEGER NOT NULL,
	scopes            TEXT,
	state             TEXT,
	code_challenge    TEXT,
	created_at        INTEGER NOT NULL,
	expires_at        INTEGER NOT NULL,
	used_at           INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_requests_expires ON oauth_requests (expires_at);

CREATE TABLE oauth_keys (
	id         TEXT NOT NULL PRIMARY KEY,
	algorithm  TEXT NOT NULL,
	state      TEXT NOT NULL,         -- active, retiring
	sealed     TEXT NOT NULL,         -- private key, encrypted by the keyring
	public     BLOB NOT NULL,
	created_at INTEGER NOT NULL,
	retired_at INTEGER,
	expires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX oauth_keys_active ON oauth_keys (algorithm) WHERE state = 'active';

CREATE TABLE oauth_events (
	id         TEXT NOT NULL PRIMARY KEY,
	at         INTEGER NOT NULL,
	type       TEXT NOT NULL,
	actor      TEXT,
	subject    TEXT,
	client_id  TEXT,
	token_id   TEXT,
	network    TEXT,
	request_id TEXT,
	detail     TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX oauth_events_subject ON oauth_events (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_events_actor ON oauth_events (actor) WHERE actor IS DISTINCT FROM subject;
CREATE INDEX oauth_events_client ON oauth_events (client_id) WHERE client_id IS NOT NULL;
