package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	shortestKept = time.Minute
	longestKept  = 24 * time.Hour
	// unsaid is how long a document is kept whose server does not say.
	unsaid = 15 * time.Minute
)

// expires is until when an answer may be kept (RFC 9111 §4.2.1). What must not be
// kept at all is kept for the shortest time all the same: whoever refers to it a
// hundred times a second shall not make us fetch it as often.
func expires(h http.Header, now time.Time) time.Time {
	return now.Add(min(max(lifetime(h), shortestKept), longestKept))
}

// lifetime is how long the answer is fresh, as its server says.
func lifetime(h http.Header) time.Duration {
	maxAge := time.Duration(-1)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch strings.TrimSpace(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if d, ok := seconds(strings.Trim(value, ` "`)); ok && maxAge < 0 {
				maxAge = d
			}
		}
	}
	if maxAge >= 0 {
		age, _ := seconds(h.Get("Age"))
		return maxAge - age
	}
	if h.Get("Expires") == "" {
		return unsaid
	}
	until, err1 := http.ParseTime(h.Get("Expires"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err1 != nil || err2 != nil {
		return 0 // an Expires that is no date means "in the past" (RFC 9111 §5.3)
	}
	return until.Sub(date)
}

// seconds reads delta-seconds (RFC 9111 §1.2.2); longer than the longest is the longest.
func seconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		if s != "" && strings.Trim(s, "0123456789") == "" {
			return longestKept, true
		}
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
