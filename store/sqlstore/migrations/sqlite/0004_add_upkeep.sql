-- What the deletion of old rows goes by, so that it never looks through a table.

-- Rotated tokens that never expire have only this to be deleted by.
CREATE INDEX oauth_tokens_rotated ON oauth_tokens (rotated_at) WHERE rotated_at IS NOT NULL AND expires_at IS NULL;
CREATE INDEX oauth_client_secrets_expires ON oauth_client_secrets (expires_at) WHERE expires_at IS NOT NULL;

-- Of many grants of one subject and client the latest is found at once.
CREATE INDEX oauth_grants_latest ON oauth_grants (subject, client_id, id);
DROP INDEX oauth_grants_subject;
