-- What has changed, for those who remember rows. The triggers see to it that no
-- writer can forget to say so, an older version of the program and the operator's
-- own SQL included. Creating rows and recording uses costs nothing.
--
-- The position is the id of the writing transaction: sequences hand out numbers
-- in another order than the one in which transactions commit, so a reader of a
-- sequence would pass over rows. A reader goes on from the oldest transaction
-- that was still under way when it last looked.

CREATE TABLE oauth_changes (
	position BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
	kind     TEXT COLLATE "C" NOT NULL, -- token, grant, client, subject
	id       TEXT COLLATE "C" NOT NULL,
	noted_at BIGINT, -- when Purge first saw it; NULL: not yet
	PRIMARY KEY (position, kind, id)
);

CREATE INDEX oauth_changes_noted ON oauth_changes (noted_at);

-- The highest position that was purged: whoever has read less has missed something.
CREATE TABLE oauth_changes_floor (
	id       BIGINT NOT NULL PRIMARY KEY,
	position BIGINT NOT NULL
);

INSERT INTO oauth_changes_floor (id, position) VALUES (1, 0);

-- Nobody is notified from here: transactions that notify commit one after another.

CREATE FUNCTION oauth_changes_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO oauth_changes (kind, id) VALUES (TG_ARGV[0], NEW.id) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;

CREATE FUNCTION oauth_changes_note_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO oauth_changes (kind, id) VALUES (TG_ARGV[0], OLD.id) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;

CREATE FUNCTION oauth_changes_note_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO oauth_changes (kind, id) VALUES ('client', NEW.client_id) ON CONFLICT DO NOTHING;
	RETURN NULL;
END $$;

CREATE TRIGGER oauth_clients_changed AFTER UPDATE ON oauth_clients
	FOR EACH ROW EXECUTE FUNCTION oauth_changes_note('client');

CREATE TRIGGER oauth_clients_deleted AFTER DELETE ON oauth_clients
	FOR EACH ROW EXECUTE FUNCTION oauth_changes_note_deleted('client');

CREATE TRIGGER oauth_client_secrets_made AFTER INSERT ON oauth_client_secrets
	FOR EACH ROW EXECUTE FUNCTION oauth_changes_note_client();

CREATE TRIGGER oauth_client_secrets_changed AFTER UPDATE OF hash, expires_at, sealed ON oauth_client_secrets
	FOR EACH ROW EXECUTE FUNCTION oauth_changes_note_client();

CREATE TRIGGER oauth_grants_changed AFTER UPDATE OF revoked_at ON oauth_grants
	FOR EACH ROW EXECUTE FUNCTION oauth_changes_note('grant');

CREATE TRIGGER oauth_tokens_changed AFTER UPDATE OF hash, scopes, expires_at, revoked_at ON oauth_tokens
	FOR EACH ROW WHEN (NEW.kind IN ('access', 'personal')) EXECUTE FUNCTION oauth_changes_note('token');
