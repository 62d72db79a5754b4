package sqlstore

import (
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// How Go values become columns (the functions) and come back (the scanners).

var errText = errors.New("sqlstore: a text is not UTF-8, or has a NUL in it")

func checkTexts(args []any) error {
	for _, a := range args {
		if t, ok := a.(string); ok && !sqldb.Storable(t) {
			return errText
		}
	}
	return nil
}

// printable replaces what a text column cannot hold.
func printable(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// opt is a text column that is NULL when empty.
func opt(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// micros is a column of unix microseconds that is never NULL.
func micros(t time.Time) int64 { return t.UnixMicro() }

// words is a column of names with single spaces between them.
type words []string

// Value implements [driver.Valuer].
func (w words) Value() (driver.Value, error) {
	if len(w) == 0 {
		return nil, nil
	}
	for _, name := range w {
		if name == "" || strings.Contains(name, " ") || !sqldb.Storable(name) {
			return nil, fmt.Errorf("%q cannot be one of several words in a column", name)
		}
	}
	return strings.Join(w, " "), nil
}

// texts is a column of a JSON array of strings.
type texts []string

// Value implements [driver.Valuer].
func (t texts) Value() (driver.Value, error) {
	if len(t) == 0 {
		return nil, nil
	}
	for _, s := range t {
		if !utf8.ValidString(s) {
			return nil, errText
		}
	}
	b, err := json.Marshal([]string(t))
	return string(b), err
}

// document is a column of a JSON object, NULL when it would be empty.
type document struct{ v any }

// Value implements [driver.Valuer].
func (d document) Value() (driver.Value, error) {
	if form, ok := d.v.(map[string]string); ok {
		for name, value := range form {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return nil, errText
			}
		}
	}
	b, err := json.Marshal(d.v)
	if err != nil || string(b) == "{}" || string(b) == "null" {
		return nil, err
	}
	return string(b), nil
}

func toDocument[V any](p *V) sqldb.Scanner {
	return func(v any) error {
		t, err := asText(v)
		if err != nil || t == "" {
			return err
		}
		return json.Unmarshal([]byte(t), p)
	}
}

// authenticationColumn is how an [oauth.Authentication] looks in its column.
type authenticationColumn struct {
	SID  string   `json:"sid,omitempty"`
	Time *int64   `json:"auth_time,omitempty"` // unix microseconds
	AMR  []string `json:"amr,omitempty"`
	ACR  string   `json:"acr,omitempty"`
}

func authentication(a oauth.Authentication) document {
	c := authenticationColumn{SID: a.SID, AMR: a.AMR, ACR: a.ACR}
	if !a.AuthTime.IsZero() {
		t := micros(a.AuthTime)
		c.Time = &t
	}
	return document{c}
}

func toAuthentication(p *oauth.Authentication) sqldb.Scanner {
	return func(v any) error {
		var c authenticationColumn
		if err := toDocument(&c)(v); err != nil {
			return err
		}
		*p = oauth.Authentication{SID: c.SID, AMR: c.AMR, ACR: c.ACR}
		if c.Time != nil {
			p.AuthTime = time.UnixMicro(*c.Time).UTC()
		}
		return nil
	}
}

// toInterval reads a column of microseconds.
func toInterval(p *time.Duration) sqldb.Scanner {
	return func(v any) error {
		n, ok := v.(int64)
		if !ok {
			return fmt.Errorf("sqlstore: an interval column holds a %T", v)
		}
		*p = time.Duration(n) * time.Microsecond
		return nil
	}
}

// toBytes reads bytes, none as nil.
func toBytes(p *[]byte) sqldb.Scanner {
	return func(v any) error {
		b, ok := v.([]byte)
		if !ok && v != nil {
			return fmt.Errorf("sqlstore: a column of bytes holds a %T", v)
		}
		*p = append([]byte(nil), b...)
		return nil
	}
}

func asText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("sqlstore: a text column holds a %T", v)
}

func toOpt[T ~string](p *T) sqldb.Scanner {
	return func(v any) error {
		t, err := asText(v)
		*p = T(t)
		return err
	}
}

func toWords(p *[]string) sqldb.Scanner {
	return func(v any) error {
		t, err := asText(v)
		if err != nil || t == "" {
			*p = nil
			return err
		}
		*p = strings.Split(t, " ")
		return nil
	}
}

func toTexts(p *[]string) sqldb.Scanner {
	return func(v any) error {
		t, err := asText(v)
		*p = nil
		if err != nil || t == "" {
			return err
		}
		return json.Unmarshal([]byte(t), p)
	}
}

// query builds the statement of a list from those filters that narrow.
type query struct {
	conds []string
	args  []any
}

// where adds a condition; each ? in it is the value.
func (q *query) where(cond string, value any) {
	q.conds = append(q.conds, strings.ReplaceAll(cond, "?", q.arg(value)))
}

// arg adds a value and returns its placeholder.
func (q *query) arg(value any) string {
	q.args = append(q.args, value)
	return fmt.Sprintf("$%d", len(q.args))
}

// contains narrows to rows where one of the columns has text as a part; ASCII
// letters match in either case.
func (q *query) contains(text string, columns ...string) {
	if text == "" {
		return
	}
	pattern, ok := sqldb.Containing(text)
	if !ok {
		q.conds = append(q.conds, "1 = 0")
		return
	}
	either := make([]string, len(columns))
	for i, c := range columns {
		either[i] = "lower(" + c + `) LIKE ? ESCAPE '\'`
	}
	q.where("("+strings.Join(either, " OR ")+")", pattern)
}

// after keeps what follows the last row of the page before: rows whose columns
// are beyond last, in the direction of the list. last is an expression with one
// placeholder for the id.
func (q *query) after(p store.Page, columns, last string, d direction) {
	if p.After != "" {
		q.where(columns+d.beyond()+last, p.After)
	}
}

// direction is the way a list runs.
type direction bool

const (
	up   direction = true
	down direction = false
)

// turned is the direction when the page wants it the other way round.
func (d direction) turned(p store.Page) direction { return d != direction(p.Reverse) }

func (d direction) beyond() string {
	if d == up {
		return " > "
	}
	return " < "
}

// order is an ORDER BY of the columns, all in this direction.
func (d direction) order(columns ...string) string {
	if d == up {
		return strings.Join(columns, ", ")
	}
	return strings.Join(columns, " DESC, ") + " DESC"
}

// page ends the statement with order and limit.
func (q *query) page(head, order string, p store.Page) string {
	if len(q.conds) > 0 {
		head += " WHERE " + strings.Join(q.conds, " AND ")
	}
	return head + " ORDER BY " + order + " LIMIT " + q.arg(max(p.Limit, 1))
}
