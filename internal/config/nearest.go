package config

import "strings"

// didYouMean returns `; did you mean "…"?` for the candidate nearest to name,
// or "" if none is near enough to be meant.
func didYouMean(name string, candidates []string) string {
	best, bestAt := "", 1+max(2, len(name)/3)
	for _, c := range candidates {
		if d := distance(name, c); d < bestAt {
			best, bestAt = c, d
		}
	}
	if best == "" {
		// The right word in the wrong section is the other common mistake.
		last := name[strings.LastIndexByte(name, '.')+1:]
		for _, c := range candidates {
			if strings.HasSuffix(c, "."+last) {
				best = c
				break
			}
		}
	}
	if best == "" {
		return ""
	}
	return `; did you mean "` + best + `"?`
}

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
