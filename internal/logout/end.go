package logout

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/oauth"
)

const (
	// toldWithin is how long the browser waits for the first attempts.
	toldWithin = 2 * time.Second
	// frameTime is how many seconds frames have before the page goes on by itself.
	frameTime = "3"
)

// end ends the session and sends the browser on.
func (a *Room) end(w http.ResponseWriter, r *http.Request, q *request, s *oauth.Session) {
	ctx, sid := r.Context(), session.SID(s)
	// Whom to tell is asked first: the rows go as clients are told.
	told, err := a.clients(r, sid)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	// The end is written down before it is carried out: of a session that ended
	// unrecorded nobody would be told.
	if err := a.Deliverer.End(ctx, sid); err != nil {
		a.broken(w, r, err)
		return
	}
	if err := a.Logout(w, r); err != nil {
		a.broken(w, r, err)
		return
	}
	a.States.Forget(w)
	if err := a.Deliverer.Tell(ctx, sid, toldWithin); err != nil {
		respond.Refusal(r, err) // to the log: the notices are kept, and delivered later
	}
	a.goOn(w, r, q, sid, told)
}

// clients are the clients that the session signed somebody in to and that want to
// hear of its end.
func (a *Room) clients(r *http.Request, sid string) (list []*oauth.Client, err error) {
	rows, err := a.Store.SessionClients(r.Context(), sid)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		c, err := a.Store.Client(r.Context(), row.ClientID)
		if err != nil {
			return nil, err
		}
		if !c.Disabled {
			list = append(list, c)
		}
	}
	return list, nil
}

// goOn leads the browser, in which nobody is signed in any more, to the client or
// to a page that says so. Clients that are told by frames make it a page.
func (a *Room) goOn(w http.ResponseWriter, r *http.Request, q *request, sid string, told []*oauth.Client) {
	page, shell := pages.SignedOut{Continue: q.location()}, pages.Shell{}
	if q.client != nil {
		page.Application = q.client.Name
	}
	for _, c := range told {
		page.Told = append(page.Told, c.Name)
		theirs, err := a.IDTokens.Subjects.Session(r.Context(), c, sid)
		if err != nil {
			respond.Refusal(r, err) // to the log: the session has ended all the same
			continue
		}
		frame := a.frame(c, theirs)
		if frame == "" {
			continue
		}
		page.Frames = append(page.Frames, frame)
		if origin := redirecturi.Origin(frame); !slices.Contains(shell.Frames, origin) {
			shell.Frames = append(shell.Frames, origin)
		}
	}
	if page.Continue != "" && len(page.Frames) == 0 {
		redirect(w, page.Continue)
		return
	}
	if page.Continue != "" {
		w.Header().Set("Refresh", frameTime+"; url="+page.Continue)
	}
	a.Pages.Render(w, r, http.StatusOK, shell, page)
}

// frame is the URL by which the browser tells the client (OpenID Connect
// Front-Channel Logout §3): as it was registered, with iss and sid. Both are
// always there, so that a client can tell which session it is, and other sites
// cannot sign its people out. It is empty for a client that is not told this way.
func (a *Room) frame(c *oauth.Client, sid string) string {
	uri := c.Metadata.FrontchannelLogoutURI
	if !strings.HasPrefix(uri, "https://") && !strings.HasPrefix(uri, "http://") {
		return ""
	}
	return withQuery(uri, "iss="+url.QueryEscape(a.Issuer)+"&sid="+url.QueryEscape(sid))
}

// redirect is 303, so that no browser repeats a form there.
func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}
