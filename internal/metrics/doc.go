// Package metrics counts what a server does, in the text format of Prometheus.
//
// [Metrics] is an [oauth.Observer], for what requests were, and has a watcher for
// the database ([Metrics.Watcher]); whatever else can be asked when it is wanted is
// asked when somebody reads the metrics ([Sources]). [Families] lists every metric
// with its labels and its meaning; docs/operations.md is made from it.
//
// Labels take few values, whatever is sent: routes are patterns, methods and codes
// are known ones, and clients, subjects, addresses and tokens are no labels at all.
// Should a host's own code make up more, what is beyond maxSeries counts as "other".
//
// The registry is github.com/VictoriaMetrics/metrics, which costs a tenth of a
// megabyte; prometheus/client_golang costs two, and the program would outgrow its
// limit.
package metrics
