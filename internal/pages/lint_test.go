package pages_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// Every page, drawn and read as a browser reads it, keeps the rules of the
// package comment and of accessible HTML.
func TestPagesKeepTheRules(t *testing.T) {
	t.Parallel()
	p := newPages(t, config())
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			text, err := p.Draw(s.shell, s.page)
			if err != nil {
				t.Fatal(err)
			}
			root, err := html.Parse(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			l := &lint{t: t, root: root, ids: map[string]int{}}
			l.run()
		})
	}
}

type lint struct {
	t    *testing.T
	root *html.Node
	ids  map[string]int
}

func (l *lint) run() {
	for n := range l.root.Descendants() {
		if id := attr(n, "id"); id != "" {
			l.ids[id]++
		}
	}
	for id, n := range l.ids {
		if n > 1 {
			l.t.Errorf("id %q is there %d times", id, n)
		}
	}
	headings := 0
	for n := range l.root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "h1" {
			headings++
		}
		l.element(n)
		l.references(n)
	}
	if headings != 1 {
		l.t.Errorf("got %d elements h1, want 1", headings)
	}
}

// element checks one element by itself.
func (l *lint) element(n *html.Node) {
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			l.t.Errorf("<%s> has the inline attribute %s", n.Data, a.Key)
		}
		if a.Key == "tabindex" && a.Val != "0" && a.Val != "-1" {
			l.t.Errorf("<%s> has tabindex %s", n.Data, a.Val)
		}
	}
	switch n.Data {
	case "style":
		l.t.Error("there is an inline style")
	case "script":
		if attr(n, "src") == "" {
			l.t.Error("there is an inline script")
		}
	case "button":
		if attr(n, "type") == "" {
			l.t.Error("a button does not say its type")
		}
	case "img":
		if !has(n, "alt") {
			l.t.Error("an image has no alt")
		}
		if src := attr(n, "src"); !strings.HasPrefix(src, "/assets/") {
			l.t.Errorf("an image comes from %s", src)
		}
	case "th":
		if attr(n, "scope") == "" {
			l.t.Error("a th has no scope")
		}
	case "table":
		if !contains(n, "caption") {
			l.t.Error("a table has no caption")
		}
	case "fieldset":
		if !contains(n, "legend") {
			l.t.Error("a fieldset has no legend")
		}
	case "form":
		if within(n, "header") || within(n, "nav") {
			l.t.Error("there is a form in the header or the navigation")
		}
		if attr(n, "method") == "post" && !strings.Contains(attrs(n), "authorized_token") && l.signedIn() {
			l.t.Error("a form carries no proof")
		}
	}
}

// references checks that what an element points to is there.
func (l *lint) references(n *html.Node) {
	for _, key := range []string{"for", "aria-describedby", "aria-labelledby", "data-copy"} {
		for id := range strings.FieldsSeq(attr(n, key)) {
			if l.ids[id] == 0 {
				l.t.Errorf("%s=%q of <%s> points to nothing", key, id, n.Data)
			}
		}
	}
	if id, ok := strings.CutPrefix(attr(n, "href"), "#"); ok && n.Data == "a" && l.ids[id] == 0 && id != "ZgotmplZ" {
		l.t.Errorf("a link to #%s points to nothing", id)
	}
	if slices.Contains([]string{"input", "select", "textarea"}, n.Data) && attr(n, "type") != "hidden" && !l.labelled(n) {
		l.t.Errorf("<%s name=%q> has no label", n.Data, attr(n, "name"))
	}
}

func (l *lint) labelled(n *html.Node) bool {
	if attr(n, "aria-label") != "" || attr(n, "aria-labelledby") != "" {
		return true
	}
	for m := range l.root.Descendants() {
		if m.Type == html.ElementNode && m.Data == "label" && attr(m, "for") != "" && attr(m, "for") == attr(n, "id") {
			return true
		}
	}
	return false
}

// signedIn tells by the page whether somebody is.
func (l *lint) signedIn() bool {
	for n := range l.root.Descendants() {
		if attr(n, "href") == "/logout/" && within(n, "header") {
			return true
		}
	}
	return false
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}

func contains(n *html.Node, element string) bool {
	for m := range n.Descendants() {
		if m.Type == html.ElementNode && m.Data == element {
			return true
		}
	}
	return false
}

func within(n *html.Node, element string) bool {
	for m := range n.Ancestors() {
		if m.Type == html.ElementNode && m.Data == element {
			return true
		}
	}
	return false
}

// attrs lists the names of the fields of a form.
func attrs(form *html.Node) string {
	var names []string
	for n := range form.Descendants() {
		names = append(names, attr(n, "name"))
	}
	return strings.Join(names, " ")
}

// The style sheet works in both directions of writing, and stays small.
func TestStyleSheetIsLogical(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("assets/app.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if physical.MatchString(line) {
			t.Errorf("not logical: %s", strings.TrimSpace(line))
		}
	}
	if len(text) > 18<<10 {
		t.Errorf("the style sheet has %d bytes", len(text))
	}
}

var physical = regexp.MustCompile(`(^|[\s;{])(left|right|(margin|padding|border)-(top|bottom)|(min-|max-)?(width|height))\s*:`)
