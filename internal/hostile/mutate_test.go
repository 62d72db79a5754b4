package hostile

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// marker begins a tag that must never come back as one.
const marker = "<vkmark"

// evil is a host that nobody registered.
const evil = "evil.example"

// field is one parameter, still encoded as it will be sent.
type field struct{ name, value string }

// attempt is one request, in parts that can be mutated.
type attempt struct {
	method, path string
	query, form  []field
	body         string // sent instead of the form, unless empty
	contentType  string
	headers      []field
}

// from takes over a valid request.
func from(s seed) attempt {
	a := attempt{method: s.method, path: s.path, query: encoded(s.query), form: encoded(s.form), body: s.json}
	switch {
	case s.json != "":
		a.contentType = "application/json"
	case s.form != nil:
		a.contentType = "application/x-www-form-urlencoded"
	}
	a.headers = append(a.headers, s.headers...)
	return a
}

func encoded(values url.Values) []field {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			fields = append(fields, field{url.QueryEscape(name), url.QueryEscape(v)})
		}
	}
	return fields
}

// bytes is the request as it goes over the wire.
func (a attempt) bytes(host string) []byte {
	body := a.body
	if body == "" {
		body = joined(a.form)
	}
	target := a.path
	if len(a.query) > 0 {
		target += "?" + joined(a.query)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", a.method, target, host)
	if a.contentType != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\n", a.contentType)
	}
	for _, h := range a.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.Bytes()
}

func joined(fields []field) string {
	parts := make([]string, len(fields))
	for i, f := range fields {
		parts[i] = f.name + "=" + f.value
	}
	return strings.Join(parts, "&")
}

// mutation changes a request in one way.
type mutation func(r *rand.Rand, a *attempt)

var mutations = []mutation{
	drop, double, move, replace, replace, replace, replace, rename, otherMethod, otherContentType, otherPath, forge, forge, storm, otherBody,
}

// mutate applies one to three mutations.
func mutate(r *rand.Rand, s seed) attempt {
	a := from(s)
	for range 1 + r.IntN(3) {
		mutations[r.IntN(len(mutations))](r, &a)
	}
	return a
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// where picks the query or the form, whichever has parameters.
func (a *attempt) where(r *rand.Rand) *[]field {
	if len(a.form) > 0 && (len(a.query) == 0 || r.IntN(2) == 0) {
		return &a.form
	}
	return &a.query
}

func drop(r *rand.Rand, a *attempt) {
	if list := a.where(r); len(*list) > 0 {
		i := r.IntN(len(*list))
		*list = slices.Delete(*list, i, i+1)
	}
}

func double(r *rand.Rand, a *attempt) {
	if list := a.where(r); len(*list) > 0 {
		f := pick(r, *list)
		if r.IntN(2) == 0 {
			f.value = pick(r, values)
		}
		*list = append(*list, f)
	}
}

// move sends a parameter in the query that belongs into the body, or the other way round.
func move(r *rand.Rand, a *attempt) {
	if len(a.form) > 0 && r.IntN(2) == 0 {
		i := r.IntN(len(a.form))
		a.query = append(a.query, a.form[i])
		a.form = slices.Delete(a.form, i, i+1)
	} else if len(a.query) > 0 {
		i := r.IntN(len(a.query))
		a.form = append(a.form, a.query[i])
		a.query = slices.Delete(a.query, i, i+1)
	}
}

func replace(r *rand.Rand, a *attempt) {
	if list := a.where(r); len(*list) > 0 {
		(*list)[r.IntN(len(*list))].value = pick(r, values)
	}
}

func rename(r *rand.Rand, a *attempt) {
	if list := a.where(r); len(*list) > 0 {
		f := &(*list)[r.IntN(len(*list))]
		f.name = pick(r, []string{strings.ToUpper(f.name), f.name + "[]", f.name + "%00", "", "%zz", "%3Cvkmark%3E", f.name + "%20"})
	}
}

func otherMethod(r *rand.Rand, a *attempt) { a.method = pick(r, methods) }

func otherContentType(r *rand.Rand, a *attempt) { a.contentType = pick(r, contentTypes) }

func otherPath(r *rand.Rand, a *attempt) {
	a.path = pick(r, []string{
		strings.TrimSuffix(a.path, "/"), a.path + "/", "/" + a.path, a.path + "%2f..%2f", strings.ToUpper(a.path), a.path + ";x=1",
		a.path + "%00", a.path + "%3Cvkmark%3E", "/..%2f" + a.path, a.path + "%ff", a.path + "/../" + "x", "/." + a.path,
		a.path + strings.Repeat("a/", 500), a.path + ".json", a.path + "%0d%0aX-Injected:%20yes",
	})
}

// forge sends a header that lies.
func forge(r *rand.Rand, a *attempt) {
	a.headers = append(a.headers, pick(r, forgeries))
}

// storm heaps up headers, within what net/http takes.
func storm(r *rand.Rand, a *attempt) {
	for n := range 50 + r.IntN(150) {
		a.headers = append(a.headers, field{fmt.Sprintf("X-Storm-%d", n), marker + ">"})
	}
}

func otherBody(r *rand.Rand, a *attempt) { a.body = pick(r, bodies) }
