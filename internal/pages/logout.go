package pages

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// EndSession asks whether to sign out, because an application wishes it. Its form
// goes to POST /oauth/logout/confirm.
type EndSession struct {
	// Application is the name of the one that wishes it; empty: not known.
	Application string
	// SignedIn: somebody is. If not, there is nothing to ask.
	SignedIn bool
	// Hidden are the fields of the form.
	Hidden map[string]string
	// Parameter is what is wrong with the request, and Problem how; empty: nothing.
	Parameter, Problem string
	RequestID          string
}

func (EndSession) Template() string { return "end_session.html" }

func (e EndSession) Title() string {
	if e.SignedIn {
		return "Sign out"
	}
	return "You are signed out"
}

// SignedOut says that nobody is signed in any more. Frames make it tell
// applications so (OpenID Connect Front-Channel Logout §3); the shell must allow
// their origins.
type SignedOut struct {
	// Application is the name of the one that wished it; empty: not known.
	Application string
	// Continue is where the browser goes on to; empty: nowhere. The URI is one that
	// the application has registered.
	Continue string
	Frames   []string
	// Told are the names of the applications that are told.
	Told []string
}

func (SignedOut) Template() string { return "signed_out.html" }
func (SignedOut) Title() string    { return "You are signed out" }

// Link is Continue for a link. A native application has a scheme of its own, which
// templates distrust; those that run code are left out.
func (s SignedOut) Link() template.URL {
	u, err := url.Parse(s.Continue)
	if err != nil || slices.Contains([]string{"", "javascript", "data", "vbscript"}, strings.ToLower(u.Scheme)) {
		return ""
	}
	return template.URL(s.Continue)
}

// checkSession is no page that anybody sees, so it has neither layout nor template
// file. The script reads the cookie's name from its own element.
var checkSession = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Session</title>
<script src="{{.Script}}" data-cookie="{{.Cookie}}"></script>
`))

// CheckSession answers with the frame of OpenID Connect Session Management §3.2.
// It is the only page of ours that other sites may frame: it shows nothing, has
// nothing to click, and answers with a single word.
func (p *Pages) CheckSession(w http.ResponseWriter, cookie string) {
	script, err := p.asset("check_session.js")
	if err != nil {
		panic(err) // it is built in
	}
	var page bytes.Buffer
	if err := checkSession.Execute(&page, map[string]string{"Script": script, "Cookie": cookie}); err != nil {
		panic(err) // two texts
	}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if p.cfg.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	w.Write(page.Bytes())
}
