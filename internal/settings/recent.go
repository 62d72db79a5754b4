package settings

import (
	"context"
	"net/http"
	"sync"
	"time"
)

const (
	maxRecent  = 1000
	keepRecent = 5 * time.Minute
)

// answer is what a form that created something was answered with.
type answer struct {
	location string // path below the issuer
	cookie   *http.Cookie
}

// recent remembers how forms were answered, so that a form that is sent twice
// creates one thing. See the package comment for what it is not.
type recent struct {
	now func() time.Time

	mu    sync.Mutex
	forms map[string]*entry
}

type entry struct {
	at     time.Time
	done   chan struct{} // closed when answer and err are there
	answer answer
	err    error
}

func newRecent(now func() time.Time) *recent {
	return &recent{now: now, forms: map[string]*entry{}}
}

// once runs create, or returns what it returned to whoever sent the form first.
// A form that was refused is forgotten: it may be put right and sent again.
// create goes on when the browser does not: at a double click browsers give up
// the first request and wait for the answer to the second.
func (m *recent) once(ctx context.Context, form string, create func(context.Context) (answer, error)) (answer, error) {
	ctx = context.WithoutCancel(ctx)
	if form == "" {
		return create(ctx)
	}
	m.mu.Lock()
	if e, ok := m.forms[form]; ok && m.now().Sub(e.at) < keepRecent {
		m.mu.Unlock()
		<-e.done
		return e.answer, e.err
	}
	m.forget()
	e := &entry{at: m.now(), done: make(chan struct{})}
	m.forms[form] = e
	m.mu.Unlock()

	defer func() {
		if e.err != nil || e.answer.location == "" { // or create panicked
			m.mu.Lock()
			delete(m.forms, form)
			m.mu.Unlock()
		}
		close(e.done)
	}()
	e.answer, e.err = create(ctx)
	return e.answer, e.err
}

// forget drops what is old, and everything when there is still too much.
func (m *recent) forget() {
	if len(m.forms) < maxRecent {
		return
	}
	for form, e := range m.forms {
		if m.now().Sub(e.at) >= keepRecent {
			delete(m.forms, form)
		}
	}
	if len(m.forms) >= maxRecent {
		clear(m.forms)
	}
}
