package attacks

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

// crowd is how many requests come at once, rounds how often.
const (
	crowd  = 64
	rounds = 3
	// tooSlow is more than any of them may take.
	tooSlow = time.Minute
)

// track is one open connection.
type track struct {
	io.ReadWriteCloser
	r *bufio.Reader
}

// warm opens connections and sends a first request over each of them.
func (s *site) warm(n int) []*track {
	s.t.Helper()
	tracks := make([]*track, n)
	for i := range tracks {
		c := s.dial()
		s.t.Cleanup(func() { c.Close() })
		must(s.t, c.SetDeadline(time.Now().Add(6*tooSlow)))
		tracks[i] = &track{c, bufio.NewReader(c)}
		if _, err := io.WriteString(c, "GET /.well-known/oauth-authorization-server HTTP/1.1\r\nHost: "+s.host+"\r\n\r\n"); err != nil {
			s.t.Fatal(err)
		}
		s.read(tracks[i].r)
	}
	return tracks
}

// race sends the requests over the tracks, all but the last byte of each, and
// then the last bytes at once.
func (s *site) race(tracks []*track, requests []*http.Request) []answer {
	s.t.Helper()
	last := make([][]byte, len(requests))
	for i, req := range requests {
		var b bytes.Buffer
		must(s.t, req.Write(&b))
		text := b.Bytes()
		if _, err := tracks[i].Write(text[:len(text)-1]); err != nil {
			s.t.Fatal(err)
		}
		last[i] = text[len(text)-1:]
	}
	answers := make([]answer, len(requests))
	start := make(chan struct{})
	var ready, done sync.WaitGroup
	began := time.Now()
	for i := range requests {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			if _, err := tracks[i].Write(last[i]); err != nil {
				s.t.Error(err)
				return
			}
			res, err := http.ReadResponse(tracks[i].r, requests[i])
			if err != nil {
				s.t.Error(err)
				return
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode >= 500 {
				s.t.Errorf("answered %d %s (%v)", res.StatusCode, body, err)
			}
			answers[i] = answer{res, string(body)}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	if took := time.Since(began); took > tooSlow {
		s.t.Errorf("the crowd took %v", took)
	}
	if s.t.Failed() {
		s.t.FailNow()
	}
	return answers
}

// machineRequest is a request of a machine endpoint, to be raced.
func (s *site) machineRequest(c *client, path string, form url.Values) *http.Request {
	v, headers := authenticated(c, form)
	return s.request("POST", path, v.Encode(), headers...)
}

// formRequest is a form of the person's browser, to be raced.
func (p *person) formRequest(path string, form url.Values) *http.Request {
	req := p.s.request("POST", path, form.Encode(), "Content-Type", formType, "Origin", p.s.url, "Sec-Fetch-Site", "same-origin")
	if cookies := p.cookies(); cookies != "" {
		req.Header.Set("Cookie", cookies)
	}
	return req
}

// repeated makes the crowd.
func repeated(n int, make func(i int) *http.Request) []*http.Request {
	var out []*http.Request
	for i := range n {
		out = append(out, make(i))
	}
	return out
}

// tally counts answers by status and error.
func tally(t *testing.T, answers []answer) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, a := range answers {
		key := http.StatusText(a.StatusCode)
		if e := a.tokens(t).Error; e != "" {
			key = e
		}
		out[key]++
	}
	return out
}

// winner is the only answer that succeeded.
func winner(t *testing.T, answers []answer) tokens {
	t.Helper()
	var won []tokens
	for _, a := range answers {
		if a.StatusCode == http.StatusOK {
			won = append(won, a.tokens(t))
		}
	}
	if len(won) != 1 {
		t.Fatalf("%d of %d succeeded, want 1: %v", len(won), len(answers), tally(t, answers))
	}
	return won[0]
}
