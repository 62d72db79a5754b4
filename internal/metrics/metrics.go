package metrics

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	vm "github.com/VictoriaMetrics/metrics"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
)

// Buckets, in seconds and callers.
var (
	requestBuckets   = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	databaseBuckets  = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
	groupSizeBuckets = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}
)

// Metrics is all that is counted. It is safe for concurrent use.
type Metrics struct {
	set     *vm.Set
	sources Sources

	requests   series[requestKey, *vm.Counter]
	durations  series[string, *vm.PrometheusHistogram]
	refusals   series[[2]string, *vm.Counter]
	issued     series[[2]string, *vm.Counter]
	introspect series[string, *vm.Counter]
	signIns    series[string, *vm.Counter]

	pulling sync.Mutex
	pulled  map[string]bool // the gauges that the last reading set
}

type requestKey struct {
	route, method string
	status        int
}

// New returns metrics that count from zero.
func New() *Metrics {
	vm.ExposeMetadata(true)
	m := &Metrics{set: vm.NewSet()}
	m.requests = seriesOf(func(k requestKey) *vm.Counter {
		return m.set.GetOrCreateCounter(named(requestsTotal, k.route, k.method, strconv.Itoa(k.status)))
	}, requestKey{"other", "other", 0})
	m.durations = seriesOf(func(route string) *vm.PrometheusHistogram {
		return m.set.GetOrCreatePrometheusHistogramExt(named(requestSeconds, route), requestBuckets)
	}, "other")
	pair := func(name string) series[[2]string, *vm.Counter] {
		return seriesOf(func(k [2]string) *vm.Counter { return m.set.GetOrCreateCounter(named(name, k[0], k[1])) }, [2]string{"other", "other"})
	}
	one := func(name string) series[string, *vm.Counter] {
		return seriesOf(func(k string) *vm.Counter { return m.set.GetOrCreateCounter(named(name, k)) }, "other")
	}
	m.refusals, m.issued = pair(refusalsTotal), pair(issuedTotal)
	m.introspect, m.signIns = one(introspections), one(signInsTotal)
	return m
}

// Ask has the sources asked when the metrics are read. It is called before they are.
func (m *Metrics) Ask(s Sources) { m.sources = s }

// Request implements [oauth.Observer].
func (m *Metrics) Request(_ context.Context, o oauth.Observation) {
	m.requests.of(requestKey{o.Route, o.Method, o.Status}).Inc()
	m.durations.of(o.Route).Update(o.Duration.Seconds())
	if o.Code != "" {
		m.refusals.of([2]string{o.Route, string(o.Code)}).Inc()
	}
	for _, kind := range o.Issued {
		m.issued.of([2]string{o.GrantType, kind}).Inc()
	}
	if o.Introspected != "" {
		m.introspect.of(o.Introspected).Inc()
	}
	if o.SignIn != "" {
		m.signIns.of(o.SignIn).Inc()
	}
}

// Watcher counts what is asked of the database.
func (m *Metrics) Watcher(now func() time.Time) *sqldb.Watcher {
	statement := m.set.NewPrometheusHistogramExt(statements, databaseBuckets)
	failed := m.set.NewCounter(statementErrors)
	transaction := m.set.NewPrometheusHistogramExt(transactions, databaseBuckets)
	undone := m.set.NewCounter(undoneTotal)
	group := m.set.NewPrometheusHistogramExt(groupSize, groupSizeBuckets)
	return &sqldb.Watcher{
		Now: now,
		Statement: func(took time.Duration, err error) {
			statement.Update(took.Seconds())
			if err != nil {
				failed.Inc()
			}
		},
		Transaction: func(took time.Duration, callers int, err error) {
			transaction.Update(took.Seconds())
			group.Update(float64(callers))
			if err != nil {
				undone.Inc()
			}
		},
	}
}

// ServeHTTP answers with all metrics.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.pull(r.Context())
	var all bytes.Buffer
	m.set.WritePrometheus(&all)
	vm.WriteProcessMetrics(&all)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Write(explained(all.Bytes()))
}

// explained completes the lines "# HELP name", which the registry leaves empty.
func explained(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if name, ok := bytes.CutPrefix(line, []byte("# HELP ")); ok {
			if help := helps[string(bytes.TrimSpace(name))]; help != "" {
				out.WriteString("# HELP " + string(bytes.TrimSpace(name)) + " " + help + "\n")
			}
			continue // it may be left out
		}
		out.Write(line)
	}
	return out.Bytes()
}

var helps = func() map[string]string {
	all := map[string]string{}
	for _, f := range families {
		all[f.Name] = f.Help
	}
	return all
}()

// named is a metric with the values of its labels, as families lists them.
func named(name string, values ...string) string {
	for _, f := range families {
		if f.Name != name {
			continue
		}
		if len(f.Labels) != len(values) {
			break
		}
		if len(values) == 0 {
			return name
		}
		var pairs []string
		for i, label := range f.Labels {
			pairs = append(pairs, label+`="`+escape.Replace(values[i])+`"`)
		}
		return name + "{" + strings.Join(pairs, ",") + "}"
	}
	panic(fmt.Sprintf("metrics: %s with %d labels is not in families", name, len(values)))
}

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
