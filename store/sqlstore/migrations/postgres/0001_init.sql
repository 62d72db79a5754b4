-- Times are unix microseconds, UTC. Absent values are NULL. Scopes and grant
-- types are one text with single spaces between them. Ids of grants, codes,
-- tokens, requests and events are time-ordered: rows of one time lie together,
-- new ones at the end. Collation "C" compares text
-- byte by byte, whatever the database's own is.

CREATE TABLE oauth_clients (
	id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	type           TEXT COLLATE "C" NOT NULL,
	name           TEXT COLLATE "C" NOT NULL,
	description    TEXT COLLATE "C",
	website        TEXT COLLATE "C",
	owner          TEXT COLLATE "C",
	auth_method    TEXT COLLATE "C" NOT NULL,
	redirect_uris  TEXT COLLATE "C", -- a JSON array of strings
	grant_types    TEXT COLLATE "C",
	scopes         TEXT COLLATE "C",
	default_scopes TEXT COLLATE "C",
	require_pkce   BOOLEAN NOT NULL,
	first_party    BOOLEAN NOT NULL,
	internal       BOOLEAN NOT NULL,
	disabled       BOOLEAN NOT NULL,
	created_at     BIGINT NOT NULL,
	updated_at     BIGINT NOT NULL
);

CREATE INDEX oauth_clients_owner ON oauth_clients (owner) WHERE owner IS NOT NULL;
CREATE INDEX oauth_clients_created ON oauth_clients (created_at);

CREATE TABLE oauth_client_secrets (
	id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	client_id    TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	hash         BYTEA NOT NULL, -- SHA-256 of the whole secret
	hint         TEXT COLLATE "C",
	created_at   BIGINT NOT NULL,
	expires_at   BIGINT,
	last_used_at BIGINT
);

CREATE INDEX oauth_client_secrets_client ON oauth_client_secrets (client_id);

CREATE TABLE oauth_grants (
	id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	client_id    TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject      TEXT COLLATE "C" NOT NULL,
	scopes       TEXT COLLATE "C",
	created_at   BIGINT NOT NULL,
	revoked_at   BIGINT,
	last_used_at BIGINT
);

CREATE INDEX oauth_grants_subject ON oauth_grants (subject, client_id);
CREATE INDEX oauth_grants_client ON oauth_grants (client_id);
CREATE INDEX oauth_grants_revoked ON oauth_grants (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE oauth_codes (
	id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	hash           BYTEA NOT NULL,
	grant_id       TEXT COLLATE "C" NOT NULL REFERENCES oauth_grants (id) ON DELETE CASCADE,
	client_id      TEXT COLLATE "C" NOT NULL,
	subject        TEXT COLLATE "C" NOT NULL,
	scopes         TEXT COLLATE "C",
	redirect_uri   TEXT COLLATE "C",
	code_challenge TEXT COLLATE "C",
	issued_at      BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	used_at        BIGINT
);

CREATE INDEX oauth_codes_grant ON oauth_codes (grant_id);
CREATE INDEX oauth_codes_expires ON oauth_codes (expires_at);

-- A token is dead when it, or its grant, is revoked: revoking a grant is one row.
-- The client and the subject of a token that has a grant are the grant's and
-- are not kept again: most of the rows are such tokens.
CREATE TABLE oauth_tokens (
	id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	kind              TEXT COLLATE "C" NOT NULL, -- access, refresh, personal
	hash              BYTEA NOT NULL,
	grant_id          TEXT COLLATE "C" REFERENCES oauth_grants (id) ON DELETE CASCADE,
	client_id         TEXT COLLATE "C" REFERENCES oauth_clients (id) ON DELETE CASCADE,
	subject           TEXT COLLATE "C",
	scopes            TEXT COLLATE "C",
	issued_at         BIGINT NOT NULL,
	expires_at        BIGINT,
	revoked_at        BIGINT,
	rotated_at        BIGINT,
	successor_id      TEXT COLLATE "C",
	name              TEXT COLLATE "C",
	description       TEXT COLLATE "C",
	hint              TEXT COLLATE "C",
	internal          BOOLEAN NOT NULL,
	last_used_at      BIGINT,
	last_used_network TEXT COLLATE "C",
	CHECK (grant_id IS NULL OR client_id IS NULL AND subject IS NULL),
	CHECK (grant_id IS NOT NULL OR subject IS NOT NULL)
);

CREATE INDEX oauth_tokens_grant ON oauth_tokens (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX oauth_tokens_subject ON oauth_tokens (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_tokens_client ON oauth_tokens (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX oauth_tokens_expires ON oauth_tokens (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX oauth_tokens_revoked ON oauth_tokens (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE oauth_requests (
	id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	session_id        TEXT COLLATE "C" NOT NULL,
	subject           TEXT COLLATE "C" NOT NULL,
	client_id         TEXT COLLATE "C" NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
	response_type     TEXT COLLATE "C" NOT NULL,
	redirect_uri      TEXT COLLATE "C" NOT NULL,
	redirect_uri_sent BOOLEAN NOT NULL,
	scopes            TEXT COLLATE "C",
	state             TEXT COLLATE "C",
	code_challenge    TEXT COLLATE "C",
	created_at        BIGINT NOT NULL,
	expires_at        BIGINT NOT NULL,
	used_at           BIGINT
);

CREATE INDEX oauth_requests_expires ON oauth_requests (expires_at);

CREATE TABLE oauth_keys (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	algorithm  TEXT COLLATE "C" NOT NULL,
	state      TEXT COLLATE "C" NOT NULL, -- active, retiring
	sealed     TEXT COLLATE "C" NOT NULL, -- private key, encrypted by the keyring
	public     BYTEA NOT NULL,
	created_at BIGINT NOT NULL,
	retired_at BIGINT,
	expires_at BIGINT
);

CREATE UNIQUE INDEX oauth_keys_active ON oauth_keys (algorithm) WHERE state = 'active';

CREATE TABLE oauth_events (
	id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	at         BIGINT NOT NULL,
	type       TEXT COLLATE "C" NOT NULL,
	actor      TEXT COLLATE "C",
	subject    TEXT COLLATE "C",
	client_id  TEXT COLLATE "C",
	token_id   TEXT COLLATE "C",
	network    TEXT COLLATE "C",
	request_id TEXT COLLATE "C",
	detail     TEXT COLLATE "C"
);

CREATE INDEX oauth_events_subject ON oauth_events (subject) WHERE subject IS NOT NULL;
CREATE INDEX oauth_events_actor ON oauth_events (actor) WHERE actor IS DISTINCT FROM subject;
CREATE INDEX oauth_events_client ON oauth_events (client_id) WHERE client_id IS NOT NULL;
