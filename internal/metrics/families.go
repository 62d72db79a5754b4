package metrics

// Family is one metric.
type Family struct {
	Name   string
	Type   string   // counter, gauge or histogram
	Labels []string // without le
	Help   string
}

const (
	requestsTotal   = "valetkey_http_requests_total"
	requestSeconds  = "valetkey_http_request_duration_seconds"
	refusalsTotal   = "valetkey_refusals_total"
	issuedTotal     = "valetkey_tokens_issued_total"
	introspections  = "valetkey_introspections_total"
	signInsTotal    = "valetkey_sign_ins_total"
	inFlight        = "valetkey_work_in_flight"
	places          = "valetkey_work_places"
	queued          = "valetkey_work_queued"
	refusedWork     = "valetkey_work_refused_total"
	statements      = "valetkey_store_statement_duration_seconds"
	statementErrors = "valetkey_store_statement_errors_total"
	transactions    = "valetkey_store_transaction_duration_seconds"
	undoneTotal     = "valetkey_store_transactions_undone_total"
	groupSize       = "valetkey_store_commit_group_size"
	writers         = "valetkey_store_writers_waiting"
	connections     = "valetkey_db_connections"
	connectionsMax  = "valetkey_db_connections_max"
	connectionWaits = "valetkey_db_connection_waits_total"
	waitSeconds     = "valetkey_db_connection_wait_seconds_total"
	cacheHits       = "valetkey_cache_hits_total"
	cacheMisses     = "valetkey_cache_misses_total"
	cacheEntries    = "valetkey_cache_entries"
	cacheBytes      = "valetkey_cache_bytes"
	cacheBehind     = "valetkey_cache_behind_seconds"
	backlogRows     = "valetkey_backlog_tokens"
	backlogSeconds  = "valetkey_backlog_oldest_seconds"
	logouts         = "valetkey_logout_notices_due"
	keyAge          = "valetkey_signing_key_age_seconds"
	ready           = "valetkey_ready"
	unanswered      = "valetkey_source_errors_total"
	buildInfo       = "valetkey_build_info"
)

var families = []Family{
	{requestsTotal, "counter", []string{"route", "method", "status"}, "Requests that were answered, by the pattern of the route table."},
	{requestSeconds, "histogram", []string{"route"}, "How long they took, until the handler was done."},
	{refusalsTotal, "counter", []string{"route", "code"}, "Requests that were refused, by OAuth error code. server_error is a fault of ours, temporarily_unavailable one of the database or too much work."},
	{issuedTotal, "counter", []string{"grant_type", "kind"}, "Codes and tokens that were handed out."},
	{introspections, "counter", []string{"result"}, "Answers of the introspection endpoint: active or inactive."},
	{signInsTotal, "counter", []string{"result"}, "Attempts to sign in by password: right, wrong or throttled."},

	{inFlight, "gauge", []string{"class"}, "Work under way, by class: tokens, lookups, pages, api, fetches, and of the door requests, sign-ins and password hashing."},
	{places, "gauge", []string{"class"}, "How much of a class may be under way."},
	{queued, "gauge", []string{"class"}, "How much waits for a place."},
	{refusedWork, "counter", []string{"class"}, "How much was refused with 503 because there was no place in time."},

	{statements, "histogram", nil, "Statements sent to the database, until the first row or the end. The count is how many round trips there were on PostgreSQL, commits aside."},
	{statementErrors, "counter", nil, "Statements that failed."},
	{transactions, "histogram", nil, "Transactions that write, from the beginning to the end of the commit."},
	{undoneTotal, "counter", nil, "Transactions that were rolled back: conflicts that are tried again, faults, and some refusals."},
	{groupSize, "histogram", nil, "How many callers shared a commit (SQLite; on PostgreSQL it is 1)."},
	{writers, "gauge", nil, "Callers that wait to write (SQLite)."},
	{connections, "gauge", []string{"state"}, "Connections of the pool: in_use or idle."},
	{connectionsMax, "gauge", nil, "How many connections there may be."},
	{connectionWaits, "counter", nil, "How often somebody waited for a connection."},
	{waitSeconds, "counter", nil, "How long they waited, together."},

	{cacheHits, "counter", nil, "Look-ups that were answered from memory."},
	{cacheMisses, "counter", nil, "Look-ups that went to the database because memory did not know."},
	{cacheEntries, "gauge", nil, "Rows in memory."},
	{cacheBytes, "gauge", nil, "What they take, about."},
	{cacheBehind, "gauge", nil, "How long ago the changes of other servers were last read. Beyond revocation_bound nothing is answered from memory."},

	{backlogRows, "gauge", nil, "Tokens that have expired and are still kept, counted up to 100000."},
	{backlogSeconds, "gauge", nil, "When the first of them expired, as an age."},
	{logouts, "gauge", nil, "Clients that are to be told now that a session has ended, and have not been reached yet, counted up to 1000."},
	{keyAge, "gauge", []string{"algorithm", "state"}, "Age of signing keys: next since it was made, active since it signs, retiring since it does not."},

	{ready, "gauge", nil, "1 if /readyz says yes."},
	{unanswered, "counter", []string{"source"}, "How often what is asked when metrics are read did not answer; its metrics are missing then."},
	{buildInfo, "gauge", []string{"version", "go", "database"}, "Always 1."},
}

// Families lists every metric. What the Go runtime and the process say of
// themselves, go_… and process_…, comes beside it.
func Families() []Family { return families }
