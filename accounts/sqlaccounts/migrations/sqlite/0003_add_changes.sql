-- Whoever remembers who a subject is hears of it when that changes; the table is
-- the engine's. Signing in changes nothing of that.
CREATE TRIGGER accounts_accounts_changed
AFTER UPDATE OF email, email_verified, name, admin, disabled, claims ON accounts_accounts
FOR EACH ROW WHEN ((OLD.email, OLD.email_verified, OLD.name, OLD.admin, OLD.disabled, OLD.claims)
IS DISTINCT FROM (NEW.email, NEW.email_verified, NEW.name, NEW.admin, NEW.disabled, NEW.claims))
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('subject', NEW.id); END;

CREATE TRIGGER accounts_accounts_deleted
AFTER DELETE ON accounts_accounts
FOR EACH ROW
BEGIN INSERT INTO oauth_changes (kind, id) VALUES ('subject', OLD.id); END;
