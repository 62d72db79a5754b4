package scale

import "math"

const secondsPerDay = 86400

// Site is a number of users, and how their APIs look at tokens.
type Site struct {
	Users float64
	JWT   bool // APIs verify JWTs by themselves; else they ask by introspection
}

// Need is what a site needs. Rates are per second, at the peak of the day where
// they say so.
type Need struct {
	SignIns, Flows, Refreshes, Machines, Calls float64 // requests at the peak
	Introspections                             float64 // at the peak

	HashCores   float64 // busy with passwords at the peak
	ServerCores float64 // busy with all else at the peak
	Nodes       float64

	Commits       float64 // at the peak
	Flushes       float64 // of the log to the disk at the peak, one for those that commit together
	WAL           float64 // bytes a second at the peak
	WALDay        float64 // bytes a day
	Reads         float64 // look-ups at the peak that memory does not answer
	DatabaseCores float64

	Live, Audit, Accounts float64 // bytes in the database
	Tokens, Events        float64 // rows
	EventsDay             float64 // rows a day
	Purges                float64 // rows a second, the day's mean

	Cache       float64 // bytes in a node that would remember every live access token
	Connections float64
	Polls       float64 // looks for changes a second, all nodes
}

// Compute is the arithmetic of docs/scale.md.
func Compute(in map[string]float64, s Site) Need {
	var n Need
	active := s.Users * in["active"]
	peak := func(perDay float64) float64 { return active * perDay / secondsPerDay * in["peak"] }
	day := func(perDay float64) float64 { return active * perDay }

	n.SignIns, n.Flows, n.Refreshes = peak(in["sign-ins"]), peak(in["flows"]), peak(in["refreshes"])
	n.Machines, n.Calls = peak(in["machines"]), peak(in["calls"])
	if !s.JWT {
		n.Introspections = n.Calls
	}

	// Every sign-in is followed by a flow, which is among the flows.
	n.HashCores = n.SignIns * in["hash-cpu"] / 1e6
	n.ServerCores = (n.Flows*in["flow-cpu"] + n.Refreshes*in["refresh-cpu"] + n.Machines*in["token-cpu"] + n.Introspections*in["introspect-cpu"]) / 1e6
	if s.JWT {
		n.ServerCores += (n.Flows + n.Refreshes + n.Machines) * in["sign-cpu"] / 1e6
	}
	n.Nodes = max(1, math.Ceil((n.HashCores+n.ServerCores)/in["busy"]/in["node-cores"]))
	if s.Users > 10000 {
		n.Nodes = max(2, n.Nodes) // so that one may be replaced
	}

	n.Commits = n.SignIns*in["sign-in-commits"] + n.Flows*in["flow-commits"] + n.Refreshes + n.Machines
	n.Flushes = min(n.Commits, 1e3/in["fsync"])
	rows := day(in["flows"])*in["flow-rows"] + day(in["sign-ins"])*in["sign-in-rows"]
	n.WALDay = day(in["refreshes"]+in["machines"])*in["token-wal"] + rows*in["row-wal"]
	n.WAL = n.WALDay / secondsPerDay * in["peak"]
	n.Reads = n.Introspections * in["misses"]
	n.DatabaseCores = (n.Commits*in["commit-cpu"] + n.Reads*in["read-cpu"]) / 1e6

	// Access tokens live until they expire, refresh tokens and grants as long as
	// the application is in use.
	issued := day(in["flows"] + in["refreshes"] + in["machines"])
	access := issued / secondsPerDay * in["access-life"] * in["peak"]
	grants := s.Users * in["applications"]
	refresh := grants * in["refresh-share"]
	sessions := active * in["sessions"]
	personal := s.Users * in["personal"]
	n.Tokens = refresh + personal + access
	n.Live = n.Tokens*in["token-bytes"] + grants*in["grant-bytes"] + sessions*in["session-bytes"]
	n.EventsDay = issued + day(in["sign-ins"]) + day(in["flows"])
	n.Events = n.EventsDay * in["audit-days"]
	n.Audit = n.Events * in["event-bytes"]
	n.Accounts = s.Users * in["account-bytes"]
	n.Purges = (issued + day(in["flows"])*2 + n.EventsDay) / secondsPerDay

	n.Cache = access * in["cache-bytes"]
	if s.JWT {
		n.Cache = 0
	}
	n.Connections = n.Nodes * in["connections"]
	n.Polls = n.Nodes * in["polls"]
	return n
}

// UsersUntil is the number of users at which what Compute says reaches the limit.
// Everything grows with the users alone.
func UsersUntil(in map[string]float64, jwt bool, limit float64, of func(Need) float64) float64 {
	const sample = 1e6
	return sample * limit / of(Compute(in, Site{Users: sample, JWT: jwt}))
}
