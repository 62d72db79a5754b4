package sqldb

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// How Go values become columns and come back, where all rooms do it alike.

// Storable reports whether a text column can hold s: PostgreSQL takes neither
// what is not UTF-8 nor a NUL.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// maxPattern is the longest LIKE pattern that SQLite takes (SQLITE_MAX_LIKE_PATTERN_LENGTH).
const maxPattern = 50_000

// Containing returns the pattern for `lower(column) LIKE pattern ESCAPE '\'` that
// matches texts with part in them; ASCII letters match in either case. It is
// false for a part so long that there is no pattern, and no match either.
func Containing(part string) (pattern string, ok bool) {
	pattern = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(asciiLower(part)) + "%"
	return pattern, len(pattern) <= maxPattern
}

// asciiLower does what lower() does in SQLite, and in PostgreSQL's collation "C".
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// Micros is a time for a column of unix microseconds; a zero time is NULL.
func Micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Scanner reads a column that may be NULL.
type Scanner func(v any) error

// Scan implements [database/sql.Scanner].
func (f Scanner) Scan(v any) error { return f(v) }

// ScanTime reads what Micros wrote.
func ScanTime(to *time.Time) Scanner {
	return func(v any) error {
		switch v := v.(type) {
		case nil:
			*to = time.Time{}
		case int64:
			*to = time.UnixMicro(v).UTC()
		default:
			return fmt.Errorf("sqldb: a time column holds a %T", v)
		}
		return nil
	}
}

// ScanBytes reads as many bytes as to has room for, such as those of a hash.
func ScanBytes(to []byte) Scanner {
	return func(v any) error {
		b, ok := v.([]byte)
		if !ok || len(b) != len(to) {
			return fmt.Errorf("sqldb: a column does not hold %d bytes", len(to))
		}
		copy(to, b)
		return nil
	}
}
