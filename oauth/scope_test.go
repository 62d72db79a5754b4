package oauth_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/oauth"
)

func TestParseScope(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                      nil,
		"a":                     {"a"},
		"a b":                   {"a", "b"},
		"b a b":                 {"b", "a"},
		"user:email a/b#c?d=~!": {"user:email", "a/b#c?d=~!"},
	} {
		if got, err := oauth.ParseScope(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{" ", "a ", " a", "a  b", "a\tb", `a"b`, `a\b`, "é", "a\x00", "a\x7f", strings.Repeat("a", 129)} {
		if got, err := oauth.ParseScope(in); !errors.Is(err, oauth.InvalidScope) {
			t.Errorf("%q: got %q, %v; want invalid_scope", in, got, err)
		}
	}
}

func TestScopesForClient(t *testing.T) {
	t.Parallel()
	scopes, err := oauth.NewScopes(oauth.Scope{Name: "a"}, oauth.Scope{Name: "b"}, oauth.Scope{Name: "hidden", Internal: true})
	if err != nil {
		t.Fatal(err)
	}
	free := &oauth.Client{}
	bound := &oauth.Client{Scopes: []string{"a", "hidden", "gone"}, DefaultScopes: []string{"a", "b", "gone"}}
	for name, tt := range map[string]struct {
		client *oauth.Client
		value  string
		want   []string
		refuse bool
	}{
		"everything that is not internal": {free, "a b user:email", []string{"a", "b", "user:email"}, false},
		"internal, not registered for":    {free, "hidden", nil, true},
		"unknown":                         {free, "a c", nil, true},
		"nothing, no default":             {free, "", nil, false},
		"nothing, default":                {bound, "", []string{"a"}, false},
		"internal, registered for":        {bound, "hidden a", []string{"hidden", "a"}, false},
		"not registered for":              {bound, "a b", nil, true},
		"registered for, but gone":        {bound, "gone", nil, true},
	} {
		got, err := scopes.ForClient(tt.client, tt.value)
		if tt.refuse != errors.Is(err, oauth.InvalidScope) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func FuzzScope(f *testing.F) {
	for _, seed := range []string{"", " ", "a", "a b", "a  b", "user:email records:read", `a"b`, `a\b`, "é", "a\x00b", "a a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		names, err := oauth.ParseScope(in)
		if err != nil {
			if !errors.Is(err, oauth.InvalidScope) || names != nil {
				t.Fatalf("%q: %q, %v", in, names, err)
			}
			return
		}
		for i, n := range names {
			if n == "" || len(n) > 128 || strings.ContainsAny(n, " \"\\") || slices.Contains(names[:i], n) {
				t.Fatalf("%q: name %q", in, n)
			}
		}
		again, err := oauth.ParseScope(oauth.ScopeString(names))
		if err != nil || !slices.Equal(again, names) {
			t.Fatalf("%q: printed and parsed again: %q, %v", in, again, err)
		}
	})
}
