-- What has changed, for those who remember rows. The triggers see to it that no
-- writer can forget to say so, an older version of the program and the operator's
-- own SQL included. Creating rows and recording uses costs nothing.

CREATE TABLE oauth_changes (
	position INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	kind     TEXT NOT NULL,  -- token, grant, client, subject
	id       TEXT NOT NULL,
	noted_at INTEGER         -- when Purge first saw it; NULL: not yet
) STRICT;

CREATE INDEX oauth_changes_noted ON oauth_changes (noted_at);

-- The highest position that was purged: whoever has read less has missed something.
CREATE TABLE oauth_changes_floor (
	id       INTEGER NOT NULL PRIMARY KEY,
	position INTEGER NOT NULL
) STRICT;

INSERT INTO oauth_changes_floor (id, position) VALUES (1, 0);

CREATE TRIGGER oauth_clients_changed AFTER UPDATE ON oauth_clients
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('client', NEW.id); END;

CREATE TRIGGER oauth_clients_deleted AFTER DELETE ON oauth_clients
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('client', OLD.id); END;

CREATE TRIGGER oauth_client_secrets_made AFTER INSERT ON oauth_client_secrets
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('client', NEW.client_id); END;

CREATE TRIGGER oauth_client_secrets_changed AFTER UPDATE OF hash, expires_at, sealed ON oauth_client_secrets
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('client', NEW.client_id); END;

CREATE TRIGGER oauth_grants_changed AFTER UPDATE OF revoked_at ON oauth_grants
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('grant', NEW.id); END;

CREATE TRIGGER oauth_tokens_changed AFTER UPDATE OF hash, scopes, expires_at, revoked_at ON oauth_tokens
WHEN NEW.kind IN ('access', 'personal')
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('token', NEW.id); END;
