-- What OpenID Connect says about the person beyond the columns that are there
-- (Core §5.1), JSON; empty: nothing.
ALTER TABLE accounts_accounts ADD COLUMN claims TEXT NOT NULL DEFAULT '';

-- What clients call the session (Front-Channel Logout §3). It stays when the same
-- person signs in anew in the same browser. Empty: id does both.
ALTER TABLE accounts_sessions ADD COLUMN sid TEXT NOT NULL DEFAULT '';
