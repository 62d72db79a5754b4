package oauth

// Load tells how busy a server is with work of one class.
type Load struct {
	Class    string // such as "tokens", "lookups", "hashing"
	InFlight int    // under way
	Places   int    // how many may be
	Queued   int    // waiting for a place
	Refused  uint64 // since the start
}
