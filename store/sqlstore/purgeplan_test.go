package sqlstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/store/sqlstore"
)

// The index that leads each statement of Purge to its rows. What is not here has
// a reason to do without, in the list below.
var purgeIndexes = map[string]string{
	"sqlPurgeExpiredTokens":  "oauth_tokens_expires",
	"sqlBacklog":             "oauth_tokens_expires",
	"sqlPurgeRevokedTokens":  "oauth_tokens_revoked",
	"sqlPurgeRotatedTokens":  "oauth_tokens_rotated",
	"sqlPurgeTokensOfGrants": "oauth_grants_revoked",
	"sqlPurgeCodes":          "oauth_codes_expires",
	"sqlPurgeRequests":       "oauth_requests_expires",
	"sqlPurgePushedRequests": "oauth_pushed_requests_expires",
	"sqlPurgeDeviceCodes":    "oauth_device_codes_expires",
	"sqlPurgeReplays":        "oauth_replays_expires",
	"sqlPurgeSessionClients": "oauth_session_clients_expires",
	"sqlPurgeSessions":       "oauth_sessions_expires",
	"sqlPurgeSecrets":        "oauth_client_secrets_expires",
	"sqlPurgeRevokedGrants":  "oauth_grants_revoked",

	"sqlPurgeEvents":           "", // the first rows by id, a batch of them
	"sqlPurgeKeys":             "", // a handful of rows
	"sqlPurgeSupersededGrants": "", // one row, by id
	"sqlPurgeUnusedClients":    "",
	"sqlPurgeChanges":          "", // by position, which begins the primary key
	"sqlSupersededGrants":      "", // a batch of rows, by id
	"sqlUnusedClients":         "",
	"sqlChangesDue":            "", // the first rows by position
}

func TestPurgePlansSQLite(t *testing.T) {
	t.Parallel()
	st := openSQLite(t)
	purgePlans(t, st, "EXPLAIN QUERY PLAN ", "SCAN oauth_", "SCAN g", "SCAN c")
}

func TestPurgePlansPostgreSQL(t *testing.T) {
	t.Parallel()
	st := openPostgres(t)
	// The tables are empty: nothing but this keeps it from reading them, or their
	// indexes, whole.
	st.DB().Pool().SetMaxOpenConns(1)
	for _, way := range []string{"seqscan", "mergejoin", "hashjoin"} {
		if _, err := st.DB().Pool().ExecContext(t.Context(), "SET enable_"+way+" = off"); err != nil {
			t.Fatal(err)
		}
	}
	purgePlans(t, st, "EXPLAIN ", "Seq Scan")
}

// purgePlans sees that every statement of Purge goes along its index, and that
// those that have one look through no table.
func purgePlans(t *testing.T, st *sqlstore.Store, explain string, scans ...string) {
	seen := 0
	for name, text := range sqlConstants(t) {
		index, listed := purgeIndexes[name]
		if !listed {
			if strings.HasPrefix(name, "sqlPurge") {
				t.Errorf("%s is not listed: which index leads it to its rows?", name)
			}
			continue
		}
		seen++
		var args []any
		for i := 1; strings.Contains(text, fmt.Sprintf("$%d", i)); i++ {
			arg := any(1)
			if i == 2 && (strings.Contains(text, "id > $2") || strings.Contains(text, "id = $2")) {
				arg = "x"
			}
			args = append(args, arg)
		}
		if name != "sqlBacklog" && strings.HasPrefix(text, "DELETE") && index != "" {
			text = st.Apart(text)
		}
		rows, err := st.DB().Pool().QueryContext(t.Context(), explain+text, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var plan strings.Builder
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			line := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range line {
				into[i] = &line[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&plan, line[len(line)-1])
		}
		rows.Close()
		if !strings.Contains(plan.String(), index) {
			t.Errorf("%s does not go along %s:\n%s\n%s", name, index, plan.String(), text)
		}
		for _, scan := range scans {
			if index != "" && strings.Contains(plan.String(), scan) {
				t.Errorf("%s looks through a table:\n%s\n%s", name, plan.String(), text)
			}
		}
		if testing.Verbose() && index == "" {
			t.Logf("%s:\n%s", name, plan.String())
		}
	}
	if seen != len(purgeIndexes) {
		t.Errorf("%d of the %d statements listed exist", seen, len(purgeIndexes))
	}
}
