package pages

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

//go:embed templates assets
var builtin embed.FS

// Config says how the pages look and where they live.
type Config struct {
	// Product is the name in the header and in every title. Empty: "Valetkey".
	Product string
	// Issuer is the server's own URL; its path goes before every link.
	Issuer string
	// Secure says that people reach the server by https, so pages may demand it
	// for the next year (HSTS).
	Secure bool
	// Development is said on every page, and opens what is meant for developers.
	Development bool
	// Overlay replaces built-in files one by one; see the package comment.
	Overlay fs.FS
	// Menu is the navigation of the settings and administration pages. Paths are
	// below the issuer; a whole URL is left as it is.
	Menu []oauth.MenuItem
	// SignOut is where "Sign out" leads. Empty: /logout/.
	SignOut string
	// Proof makes the cross-site proof for a session (csrf.Guard.Token). Nil:
	// forms carry none.
	Proof func(*oauth.Session) string
	// Now is the clock behind "in 12 days". Required.
	Now func() time.Time
	// Logger hears of templates that fail while they are drawn. Nil: nobody does.
	Logger *slog.Logger
}

// Page is what one page says: a struct with a template of its own.
type Page interface {
	// Template names the file below templates/: "consent.html".
	Template() string
	// Title goes into the browser's title bar, before the product's name.
	Title() string
}

// Shell is what surrounds a page for one request.
type Shell struct {
	User    *oauth.User    // nil: nobody is signed in
	Session *oauth.Session // nil: forms carry no proof
	// Active is the ID of the menu item the page belongs to. Empty: a page of
	// its own, narrow and without the navigation.
	Active string
	// Status says what was just done; it is announced (role=status). Empty: nothing.
	Status string
	// FormAction lists origins ("https://app.example") and schemes
	// ("com.example.app:") that the page's form may lead to by a redirect.
	FormAction []string
	// FormOnly is the only origin that the page's form may be sent to, instead of
	// this server. Empty: it is sent to this server.
	FormOnly string
	// Frames lists the origins that the page's frames come from.
	Frames []string
}

// View is what a template sees.
type View struct {
	Shell
	Page        Page
	Title       string
	Product     string
	Development bool
	Settings    []Link // navigation of the settings pages
	Admin       []Link // navigation for administrators; empty for others
	SignOut     string
	Now         time.Time
}

// Link is one entry of the navigation.
type Link struct {
	Label, URL string
	Active     bool
}

// Pages draws pages. It is safe for concurrent use.
type Pages struct {
	cfg       Config
	prefix    string // the issuer's path, without a slash at the end
	templates map[string]func() (*template.Template, error)
	assets    *assets
	menu      []oauth.MenuItem
}

// New parses every template. It refuses a configuration without Issuer or Now,
// and templates that do not parse.
func New(cfg Config) (*Pages, error) {
	if cfg.Now == nil {
		return nil, errors.New("pages: Now is missing")
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("pages: issuer %q is not a URL", cfg.Issuer)
	}
	cfg.Product = cmp.Or(cfg.Product, "Valetkey")
	cfg.SignOut = cmp.Or(cfg.SignOut, "/logout/")
	p := &Pages{cfg: cfg, prefix: strings.TrimSuffix(issuer.Path, "/")}
	p.menu = slices.Clone(cfg.Menu)
	slices.SortStableFunc(p.menu, func(a, b oauth.MenuItem) int { return cmp.Compare(a.Order, b.Order) })
	if p.assets, err = loadAssets(cfg.Overlay); err != nil {
		return nil, err
	}
	if p.templates, err = p.parse(); err != nil {
		return nil, err
	}
	return p, nil
}

const layout = "layout.html"

// parse reads the layout and the partials, and each page. A page is put on top of
// a copy of them when it is drawn for the first time: the copies of all pages
// would be most of what a server keeps in memory, and few are ever drawn.
func (p *Pages) parse() (map[string]func() (*template.Template, error), error) {
	root, err := fs.Sub(builtin, "templates")
	if err != nil {
		return nil, err
	}
	base := template.New(layout).Funcs(p.funcs()).Option("missingkey=error")
	var names []string
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || path.Ext(name) != ".html":
			return err
		case name == layout:
			return p.add(base, root, name)
		case strings.HasPrefix(name, "partials/"):
			return p.add(base.New(name), root, name)
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	pages := make(map[string]func() (*template.Template, error), len(names))
	for _, name := range names {
		text, err := p.read(root, name)
		if err != nil {
			return nil, err
		}
		if _, err := template.New(name).Funcs(p.funcs()).Parse(text); err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		pages[name] = sync.OnceValues(func() (*template.Template, error) {
			t, err := base.Clone()
			if err == nil {
				_, err = t.New(name).Parse(text)
			}
			if err != nil {
				return nil, fmt.Errorf("pages: %s: %w", name, err)
			}
			return t, nil
		})
	}
	return pages, nil
}

func (p *Pages) add(t *template.Template, root fs.FS, name string) error {
	text, err := p.read(root, name)
	if err != nil {
		return err
	}
	if _, err := t.Parse(text); err != nil {
		return fmt.Errorf("pages: %w", err)
	}
	return nil
}

func (p *Pages) read(root fs.FS, name string) (string, error) {
	text, err := readOver(p.cfg.Overlay, name, root, name)
	if err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return string(text), nil
}

// readOver reads the overlay's file, or the built-in one if the overlay has none.
func readOver(overlay fs.FS, over string, base fs.FS, name string) ([]byte, error) {
	if overlay != nil {
		text, err := fs.ReadFile(overlay, over)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return text, err
		}
	}
	return fs.ReadFile(base, name)
}

// Render answers r with the page. A page that cannot be drawn becomes a bare
// 500: nothing of a half-drawn page leaves.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, s Shell, page Page) {
	text, err := p.Draw(s, page)
	if err != nil {
		if p.cfg.Logger != nil {
			p.cfg.Logger.ErrorContext(r.Context(), "page cannot be drawn", "page", page.Template(), "error", err)
		}
		http.Error(w, "The server could not draw this page.", http.StatusInternalServerError)
		return
	}
	p.headers(w.Header(), s)
	if status == http.StatusServiceUnavailable && w.Header().Get("Retry-After") == "" {
		w.Header().Set("Retry-After", "5") // RFC 9110 §15.6.4
	}
	w.WriteHeader(status)
	w.Write(text) // the browser is gone if this fails
}

// Draw returns the page's HTML.
func (p *Pages) Draw(s Shell, page Page) ([]byte, error) {
	template, ok := p.templates[page.Template()]
	if !ok {
		return nil, fmt.Errorf("pages: there is no template %q", page.Template())
	}
	t, err := template()
	if err != nil {
		return nil, err
	}
	settings, admin := p.links(s)
	var buf bytes.Buffer
	err = t.ExecuteTemplate(&buf, layout, View{
		Shell: s, Page: page, Title: page.Title(), Product: p.cfg.Product, Development: p.cfg.Development,
		Settings: settings, Admin: admin, SignOut: p.Path(p.cfg.SignOut), Now: p.cfg.Now(),
	})
	return buf.Bytes(), err
}

// links builds the navigation of one request.
func (p *Pages) links(s Shell) (settings, admin []Link) {
	if s.Active == "" || s.User == nil {
		return nil, nil
	}
	for _, m := range p.menu {
		l := Link{Label: m.Label, URL: p.Path(m.Path), Active: m.ID == s.Active}
		switch {
		case !m.Admin:
			settings = append(settings, l)
		case s.User.Admin:
			admin = append(admin, l)
		}
	}
	return settings, admin
}

// Path puts the issuer's path before a path of this server. A whole URL is left alone.
func (p *Pages) Path(local string) string {
	if !strings.HasPrefix(local, "/") {
		return local
	}
	return p.prefix + local
}

// headers are those of security.md: what a page may load, embed and send.
func (p *Pages) headers(h http.Header, s Shell) {
	action := directive("form-action 'self'", s.FormAction)
	if s.FormOnly != "" {
		action = directive("form-action", []string{s.FormOnly})
	}
	policy := []string{
		"default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:", "connect-src 'self'",
		"font-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", action}
	if len(s.Frames) > 0 {
		policy = append(policy, directive("frame-src", s.Frames))
	}
	h.Set("Content-Security-Policy", strings.Join(policy, "; "))
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	// Plain same-origin would cut the tie to applications that sign in by a popup.
	h.Set("Cross-Origin-Opener-Policy", "same-origin-allow-popups")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), publickey-credentials-get=(self), publickey-credentials-create=(self)")
	if p.cfg.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// directive adds sources to a directive of the policy.
func directive(text string, sources []string) string {
	for _, source := range sources {
		if validSource(source) {
			text += " " + source
		}
	}
	return text
}

// validSource keeps a source from ending its directive: an origin or a scheme
// holds none of these characters.
func validSource(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`;,'"*`, r) })
}
