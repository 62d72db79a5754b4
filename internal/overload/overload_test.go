package overload_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/overload"
	"github.com/valetkey/valetkey/oauth"
)

func small() *overload.Class {
	return overload.New("small", overload.Limits{InFlight: 2, Queue: 3, Wait: time.Second})
}

func TestEnter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := small()
		for range 2 {
			if err := c.Enter(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		answers := make(chan error, 3)
		for range 3 {
			go func() { answers <- c.Enter(t.Context()) }()
		}
		synctest.Wait()
		begin := time.Now()
		if err := c.Enter(t.Context()); !errors.Is(err, oauth.TemporarilyUnavailable) || time.Since(begin) != 0 {
			t.Errorf("one too many: got %v after %v, want to be refused at once", err, time.Since(begin))
		}
		if got, want := c.Load(), (oauth.Load{Class: "small", InFlight: 2, Places: 2, Queued: 3, Refused: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		c.Leave()
		if err := <-answers; err != nil {
			t.Errorf("a place became free: got %v", err)
		}
		for range 2 {
			if err := <-answers; !errors.Is(err, oauth.TemporarilyUnavailable) {
				t.Errorf("none became free: got %v", err)
			}
		}
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("they waited %v, want a second", waited)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := c.Enter(gone); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("whose time is up got %v", err)
		}
		c.Leave()
		c.Leave()
		if got, want := c.Load(), (oauth.Load{Class: "small", Places: 2, Refused: 3}); got != want {
			t.Errorf("in the end: got %+v, want %+v", got, want)
		}
	})
}

func TestLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := overload.New("", overload.Limits{InFlight: 1, Wait: time.Second})
		release := make(chan struct{})
		h := c.Limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if until, ok := r.Context().Deadline(); !ok || time.Until(until) != overload.Time {
				t.Errorf("deadline in %v, want %v", time.Until(until), overload.Time)
			}
			body, _ := io.ReadAll(r.Body)
			<-release
			w.Write(body)
		}), func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		})
		send := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("a=b")))
			return w
		}
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- send() }()
		synctest.Wait()
		if w := send(); w.Code != http.StatusServiceUnavailable {
			t.Errorf("the second while one may: got %d", w.Code)
		}
		close(release)
		if w := <-first; w.Code != http.StatusOK || w.Body.String() != "a=b" {
			t.Errorf("the first: got %d %q", w.Code, w.Body)
		}
		if w := send(); w.Body.String() != "a=b" {
			t.Errorf("the third: got %d %q", w.Code, w.Body)
		}
	})
}

// slow is a body whose sender takes its time.
type slow struct{ release chan struct{} }

func (s slow) Read([]byte) (int, error) { <-s.release; return 0, io.ErrUnexpectedEOF }

// Those who send slowly can take half of the places and no more.
func TestSlowBodiesLeavePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := overload.New("", overload.Limits{InFlight: 8, Wait: time.Second})
		served := 0
		h := c.Limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err == nil {
				served++
			}
		}), func(http.ResponseWriter, *http.Request, error) { t.Error("somebody was refused") })
		release := make(chan struct{})
		for range 100 {
			go h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", slow{release}))
		}
		synctest.Wait()
		if n := c.Load().InFlight; n != 5 {
			t.Errorf("%d places are taken by bodies that do not come, want 5 of 8", n)
		}
		// A long body comes whole although only its beginning is read early.
		long := strings.Repeat("x", 100<<10)
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader(long)))
		if served != 1 {
			t.Error("an honest client was not served")
		}
		close(release)
		synctest.Wait()
		if served != 1 {
			t.Errorf("%d requests were served, want 1: a body that was cut off is no body", served)
		}
	})
}

func TestNothingIsAllocated(t *testing.T) {
	c := overload.New("", overload.Requests())
	if n := testing.AllocsPerRun(100, func() {
		if c.Enter(t.Context()) == nil {
			c.Leave()
		}
	}); n != 0 {
		t.Errorf("entering allocates %v times", n)
	}
}

func BenchmarkEnter(b *testing.B) {
	c := overload.New("", overload.Requests())
	ctx := context.Background()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if c.Enter(ctx) == nil {
				c.Leave()
			}
		}
	})
}

func BenchmarkLimit(b *testing.B) {
	h := overload.New("", overload.Requests()).Limit(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(nil, r)
	}
}
