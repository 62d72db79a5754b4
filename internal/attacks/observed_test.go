package attacks

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/metrics"
	"github.com/valetkey/valetkey/oauth"
)

// observed keeps all that an observer is told, and counts it as the program does.
type observed struct {
	metrics *metrics.Metrics

	mu   sync.Mutex
	text strings.Builder
}

func newObserved() *observed {
	o := &observed{metrics: metrics.New()}
	o.metrics.Ask(metrics.Sources{Now: time.Now})
	return o
}

func (o *observed) Request(ctx context.Context, seen oauth.Observation) {
	o.metrics.Request(ctx, seen)
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintf(&o.text, "%+v\n", seen)
}

// String is all of it, as whoever reads metrics and traces sees it.
func (o *observed) String() string {
	w := httptest.NewRecorder()
	o.metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String() + w.Body.String()
}
