package valetkey_test

import (
	"context"
	"expvar"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// counters are the host's own metrics. With prometheus/client_golang requests would
// be a CounterVec with the labels route, method and status, and Request would call
// requests.WithLabelValues(o.Route, o.Method, strconv.Itoa(o.Status)).Inc() and
// durations.WithLabelValues(o.Route).Observe(o.Duration.Seconds()).
type counters struct{ requests, refusals, issued *expvar.Map }

func (c counters) Request(_ context.Context, o oauth.Observation) {
	c.requests.Add(o.Method+" "+o.Route+" "+strconv.Itoa(o.Status), 1)
	if o.Code != "" {
		c.refusals.Add(string(o.Code), 1)
	}
	for _, kind := range o.Issued {
		c.issued.Add(o.GrantType+" "+kind, 1)
	}
}

// A host counts what the server does in metrics of its own.
func ExampleConfig_observer() {
	c := counters{new(expvar.Map).Init(), new(expvar.Map).Init(), new(expvar.Map).Init()}
	as, err := valetkey.New(valetkey.Config{
		Issuer: "https://example.org", Store: memstore.New(), Login: myLogin, Users: myUsers,
		Observer: c,
	})
	if err != nil {
		panic(err)
	}
	as.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/oauth/token", nil))

	fmt.Println(c.requests)
	fmt.Println(c.refusals)
	// What is better asked now and then: how busy the server is, what it remembers.
	fmt.Println(as.Load()[0].Class, as.Memory().Entries)
	// Output:
	// {"POST /oauth/token 400": 1}
	// {"invalid_request": 1}
	// tokens 0
}
