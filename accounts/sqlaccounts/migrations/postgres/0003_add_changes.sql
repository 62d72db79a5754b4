-- Whoever remembers who a subject is hears of it when that changes; the table and
-- the functions are the engine's. Signing in changes nothing of that.
CREATE TRIGGER accounts_accounts_changed
AFTER UPDATE OF email, email_verified, name, admin, disabled, claims ON accounts_accounts
FOR EACH ROW WHEN ((OLD.email, OLD.email_verified, OLD.name, OLD.admin, OLD.disabled, OLD.claims)
IS DISTINCT FROM (NEW.email, NEW.email_verified, NEW.name, NEW.admin, NEW.disabled, NEW.claims))
EXECUTE FUNCTION oauth_changes_note('subject');

CREATE TRIGGER accounts_accounts_deleted
AFTER DELETE ON accounts_accounts
FOR EACH ROW
EXECUTE FUNCTION oauth_changes_note_deleted('subject');
