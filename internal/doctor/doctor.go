package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/sqldb"
)

// Severity says how bad a finding is.
type Severity string

// From good to bad.
const (
	OK      Severity = "ok"
	Note    Severity = "note"
	Warning Severity = "warning"
	Problem Severity = "problem"
)

var order = []Severity{OK, Note, Warning, Problem}

// Finding is what one check has found.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`
	Says     string   `json:"says"`
}

// AtLeast reports whether the finding is as bad as least, or worse.
func (f Finding) AtLeast(least Severity) bool {
	return slices.Index(order, f.Severity) >= slices.Index(order, least)
}

// Site is what is examined. Config and Now are required; what is nil is not there.
type Site struct {
	Config  *config.Loaded
	Invalid error // what the configuration's own check says
	Now     func() time.Time

	// DB is the database, and Unopened why there is none.
	DB       *sqldb.DB
	Unopened error
	Lines    []sqldb.Line
	// Connections is how many a server opens at most.
	Connections int
	// Ping writes to the database.
	Ping func(context.Context) error
	// Keys lists the signing keys.
	Keys func(context.Context) ([]keys.Key, error)

	// HTTP follows no redirects. Nil: whatever needs the network is left out.
	HTTP *http.Client
	// Mail says hello to the relay. Nil: there is none.
	Mail func(context.Context) error
}

// need is what a check cannot do without.
type need int

const (
	nothing need = iota
	database
	network
)

type check struct {
	name string
	need need
	slow bool // too slow for the start of a server
	run  func(*visit)
}

// checks in the order in which they are told.
var checks = []check{
	{"configuration", nothing, false, checkConfiguration},
	{"issuer", nothing, false, checkIssuer},
	{"address", nothing, false, checkAddress},
	{"proxies", nothing, false, checkProxies},
	{"certificate", nothing, false, checkCertificate},
	{"secret files", nothing, false, checkFiles},
	{"registration", nothing, false, checkRegistration},
	{"compat", nothing, false, checkCompat},
	{"profile", nothing, false, checkProfile},
	{"grants", nothing, false, checkGrants},
	{"lifetimes", nothing, false, checkLifetimes},
	{"sessions", nothing, false, checkSessions},
	{"fetch", nothing, false, checkFetch},
	{"metrics", nothing, false, checkMetrics},
	{"log", nothing, false, checkLog},
	{"mail", nothing, false, checkMail},

	{"database", nothing, false, checkDatabase},
	{"durability", database, false, checkDurability},
	{"sqlite", database, false, checkSQLite},
	{"integrity", database, true, checkIntegrity},
	{"postgresql", database, false, checkPostgreSQL},
	{"wal archive", database, true, checkArchive},
	{"clock of the database", database, false, checkDatabaseClock},
	{"migrations", database, false, checkMigrations},
	{"writing", database, true, checkWriting},
	{"signing keys", database, false, checkKeys},

	{"public url", network, true, checkPublic},
	{"mail relay", network, true, checkRelay},
}

// visit is one run of one check.
type visit struct {
	*Site
	ctx   context.Context
	check string
	found []Finding
}

func (v *visit) say(s Severity, format string, args ...any) {
	v.found = append(v.found, Finding{s, v.check, v.mask(fmt.Sprintf(format, args...))})
}

func (v *visit) ok(format string, args ...any)      { v.say(OK, format, args...) }
func (v *visit) note(format string, args ...any)    { v.say(Note, format, args...) }
func (v *visit) warn(format string, args ...any)    { v.say(Warning, format, args...) }
func (v *visit) problem(format string, args ...any) { v.say(Problem, format, args...) }

// mask takes the database's password out of what a driver says.
func (v *visit) mask(s string) string {
	s = strings.Join(strings.Fields(s), " ") // one finding, one line
	u, err := url.Parse(v.Config.DB)
	if err != nil {
		return s
	}
	s = strings.ReplaceAll(s, v.Config.DB, config.WithoutPassword(v.Config.DB))
	typed, _ := u.User.Password()
	for _, secret := range []string{typed, u.Query().Get("password")} {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "xxxxx")
		}
	}
	return s
}

// Examine runs every check that there is a need for.
func (s *Site) Examine(ctx context.Context) []Finding { return s.visitAll(ctx, false) }

// AtStart runs the checks that need no network and are quick, and returns what is
// worse than a note.
func (s *Site) AtStart(ctx context.Context) []Finding {
	return slices.DeleteFunc(s.visitAll(ctx, true), func(f Finding) bool { return !f.AtLeast(Warning) })
}

func (s *Site) visitAll(ctx context.Context, start bool) []Finding {
	var found []Finding
	for _, c := range checks {
		if start && c.slow || c.need == database && s.DB == nil || c.need == network && (start || s.HTTP == nil) {
			continue
		}
		v := &visit{Site: s, ctx: ctx, check: c.name}
		c.run(v)
		found = append(found, v.found...)
	}
	return found
}

// Worst is the severity of the worst finding.
func Worst(found []Finding) Severity {
	worst := OK
	for _, f := range found {
		if f.AtLeast(worst) {
			worst = f.Severity
		}
	}
	return worst
}

// days is a length of time for people.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return cmp.Or(strings.TrimSuffix(strings.TrimSuffix(d.Round(time.Minute).String(), "0s"), "0m"), "0s")
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
