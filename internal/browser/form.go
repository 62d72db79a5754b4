package browser

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// Form is one form of a page with the values it would send: what the page
// filled in, and the first submit button pressed.
type Form struct {
	Method string // GET or POST
	Action *url.URL
	Values url.Values
	// Buttons are the named submit buttons in order, as name and value.
	Buttons [][2]string

	page string // address of the page it stands on
}

// Form returns the first form of the page, or nil.
func (p *Page) Form() *Form {
	if forms := p.Forms(); len(forms) > 0 {
		return forms[0]
	}
	return nil
}

// FormTo returns the first form whose action path ends with the suffix, or nil.
func (p *Page) FormTo(suffix string) *Form {
	for _, f := range p.Forms() {
		if strings.HasSuffix(f.Action.Path, suffix) {
			return f
		}
	}
	return nil
}

// Forms returns every form of the page in document order.
func (p *Page) Forms() []*Form {
	root, err := html.Parse(bytes.NewReader(p.Body))
	if err != nil {
		return nil // html.Parse fails only when its reader does
	}
	var forms []*Form
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == "form" {
			forms = append(forms, p.form(n))
		}
	}
	return forms
}

func (p *Page) form(n *html.Node) *Form {
	f := &Form{Method: http.MethodGet, Action: p.URL, Values: url.Values{}, page: p.URL.String()}
	if strings.EqualFold(attribute(n, "method"), "post") {
		f.Method = http.MethodPost
	}
	if action, err := p.URL.Parse(attribute(n, "action")); err == nil && attribute(n, "action") != "" {
		f.Action = action
	}
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && !has(c, "disabled") {
			f.control(c)
		}
	}
	if len(f.Buttons) > 0 {
		f.Press(f.Buttons[0][0], f.Buttons[0][1])
	}
	return f
}

// control takes over what one form control would send.
func (f *Form) control(n *html.Node) {
	name, value := attribute(n, "name"), attribute(n, "value")
	if name == "" {
		return
	}
	switch n.Data {
	case "input":
		switch attribute(n, "type") {
		case "submit":
			f.Buttons = append(f.Buttons, [2]string{name, value})
		case "checkbox", "radio":
			if has(n, "checked") {
				f.Values.Add(name, value)
			}
		case "button", "reset", "file", "image":
		default:
			f.Values.Add(name, value)
		}
	case "button":
		if t := attribute(n, "type"); t == "" || t == "submit" {
			f.Buttons = append(f.Buttons, [2]string{name, value})
		}
	case "textarea":
		f.Values.Add(name, text(n))
	case "select":
		f.Values.Add(name, selected(n))
	}
}

// Set fills in one field.
func (f *Form) Set(name string, values ...string) *Form {
	if f != nil {
		f.Values[name] = values
	}
	return f
}

// Press presses one named button instead of any other.
func (f *Form) Press(name, value string) *Form {
	if f == nil {
		return nil
	}
	for _, b := range f.Buttons {
		f.Values.Del(b[0])
	}
	return f.Set(name, value)
}

func selected(n *html.Node) string {
	first, found := "", false
	for c := range n.Descendants() {
		if c.Type != html.ElementNode || c.Data != "option" {
			continue
		}
		if has(c, "selected") {
			return attribute(c, "value")
		}
		if !found {
			first, found = attribute(c, "value"), true
		}
	}
	return first
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}
