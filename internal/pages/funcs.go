package pages

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/valetkey/valetkey/oauth"
)

// funcs are the words that templates may use.
func (p *Pages) funcs() template.FuncMap {
	return template.FuncMap{
		"path":     p.Path,
		"segment":  url.PathEscape, // an id may be a URL
		"asset":    p.asset,
		"hasAsset": func(name string) bool { return p.assets.byName[name] != "" },
		"jwt":      p.jwt,
		"jwtToken": p.jwtToken,
		"field":    func(f Form, name string, pairs ...any) (Field, error) { return f.Field(name, pairs...) },
		"dict":     dict,
		"bdi":      bdi,
		"plain":    Plain,
		"initial":  initial,
		"date":     func(t time.Time) template.HTML { return timeElement(t, t.UTC().Format("2 January 2006")) },
		"moment":   func(t time.Time) template.HTML { return timeElement(t, t.UTC().Format("2 January 2006, 15:04 UTC")) },
		"ago":      func(t time.Time) template.HTML { return timeElement(t, ago(p.cfg.Now(), t)) },
		"until":    func(t time.Time) template.HTML { return timeElement(t, until(p.cfg.Now(), t)) },
		"join":     strings.Join,
		"has":      func(list []string, s string) bool { return slices.Contains(list, s) },
		"plural":   plural,
		"minus":    func(a, b int) int { return a - b },

		"typeName":     typeName,
		"registration": registration,
		"eventName":    eventName,
		"lately":       func(t time.Time) string { return lately(p.cfg.Now(), t) },
		"tokenState":   func(t *oauth.Token) string { return tokenState(p.cfg.Now(), t) },
	}
}

func (p *Pages) asset(name string) (string, error) {
	hashed, ok := p.assets.byName[name]
	if !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return p.Path("/assets/" + hashed), nil
}

// proofField must equal csrf.Field.
const proofField = "authorized_token"

// jwtToken is the cross-site proof of the page's session.
func (p *Pages) jwtToken(v View) string {
	if p.cfg.Proof == nil || v.Session == nil {
		return ""
	}
	return p.cfg.Proof(v.Session)
}

// jwt is the proof as a hidden input, written as the predecessor wrote it.
func (p *Pages) jwt(v View) template.HTML {
	token := p.jwtToken(v)
	if token == "" {
		return ""
	}
	return template.HTML("<input type='hidden' name='" + proofField + "' value='" + template.HTMLEscapeString(token) + "'>")
}

// dict hands several values to a partial.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a key has no value")
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a key", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// maxText is how much of what somebody typed is shown as a name.
const maxText = 200

// Plain makes text harmless to its surroundings: one line, without control
// characters and without those that change the direction of writing, and not
// longer than 200 characters.
func Plain(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar, r == '\u200b', r == '\ufeff':
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText-1]) + "…"
	}
	return s
}

// bdi isolates text that somebody else wrote from the writing around it.
func bdi(s string) template.HTML {
	return template.HTML("<bdi>" + template.HTMLEscapeString(Plain(s)) + "</bdi>")
}

// initial is the letter of a letter avatar.
func initial(s string) string {
	for _, r := range Plain(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}

func timeElement(t time.Time, words string) template.HTML {
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		t.UTC().Format(time.RFC3339), t.UTC().Format("2 January 2006, 15:04 UTC"), template.HTMLEscapeString(words)))
}

const day = 24 * time.Hour

// ago says how long before now t was: "just now", "2 hours ago", "30 days ago";
// more than a year ago it is a date.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case d < time.Minute:
		return "just now"
	case d < 365*day:
		return span(d) + " ago"
	}
	return "on " + t.UTC().Format("2 January 2006")
}

// until says when t will be, or that it has passed: "in 12 days", "3 days ago".
func until(now, t time.Time) string {
	if d := t.Sub(now); d >= time.Minute {
		return "in " + span(d)
	} else if d > 0 {
		return "in less than a minute"
	}
	return ago(now, t)
}

func span(d time.Duration) string {
	switch {
	case d < time.Hour:
		return plural(int(d/time.Minute), "minute")
	case d < 2*day:
		return plural(int(math.Round(d.Hours())), "hour")
	}
	return plural(int(math.Round(d.Hours()/24)), "day")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
