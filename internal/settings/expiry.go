package settings

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
)

const (
	day  = 24 * time.Hour
	date = time.DateOnly
)

// presets are the lives of a token that are offered, in days.
var presets = []int{7, 30, 60, 90, 365}

// expiryChoice is what the operator's policy lets people choose from.
func (s *Settings) expiryChoice() pages.Expiry {
	policy, now := s.cfg.Desk.Policy(), s.cfg.Now().UTC()
	e := pages.Expiry{AllowNo: policy.AllowNoExpiry, Now: now, Min: now.Format(date)}
	most := now.Add(policy.PersonalTokenMax)
	// The last day that ends before the longest life does.
	e.Max = most.AddDate(0, 0, -1).Format(date)
	for _, n := range append(slices.Clone(presets), days(policy.PersonalTokenDefault)) {
		if n > 0 && !now.AddDate(0, 0, n).After(most) && !slices.Contains(e.Days, n) {
			e.Days = append(e.Days, n)
		}
	}
	slices.Sort(e.Days)
	return e
}

func days(d time.Duration) int { return int(d / day) }

// chooseExpiry fills in the fields expires_in and expires_at for a life of so
// many days: the preset, or the date if there is none.
func (s *Settings) chooseExpiry(values url.Values, n int) {
	if slices.Contains(s.expiryChoice().Days, n) {
		values.Set("expires_in", strconv.Itoa(n))
		return
	}
	values.Set("expires_in", "custom")
	values.Set("expires_at", s.cfg.Now().UTC().AddDate(0, 0, n).Format(date))
}

// expiresAt reads the choice: the first instant at which the token is dead,
// zero for never, or a sentence about what is wrong.
func (s *Settings) expiresAt(values url.Values) (time.Time, string) {
	now := s.cfg.Now().UTC()
	switch in := values.Get("expires_in"); in {
	case "none":
		return time.Time{}, ""
	case "custom":
		last, err := time.ParseInLocation(date, values.Get("expires_at"), time.UTC)
		if err != nil {
			return time.Time{}, "Choose the last day on which the token works, as in 2026-12-31."
		}
		return last.AddDate(0, 0, 1), ""
	default:
		n, err := strconv.Atoi(in)
		if err != nil || !slices.Contains(s.expiryChoice().Days, n) {
			return time.Time{}, "Choose when the token expires."
		}
		return now.AddDate(0, 0, n), ""
	}
}
