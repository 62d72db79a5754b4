package oauth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/oauth"
)

// TestParity57_ScopeRegistry: item 57.
func TestParity57_ScopeRegistry(t *testing.T) {
	t.Parallel()
	s, err := oauth.NewScopes(
		oauth.Scope{Name: "records:write", Group: "Records"},
		oauth.Scope{Name: "records:burn", Group: "Records", Sensitive: true},
		oauth.Scope{Name: "audit", Internal: true},
		oauth.Scope{Name: "misc"})
	if err != nil {
		t.Fatal(err)
	}
	names := func(list []oauth.Scope) []string {
		var out []string
		for _, sc := range list {
			out = append(out, sc.Name)
		}
		return out
	}
	if got, want := names(s.All()), []string{"audit", "misc", "records:burn", "records:write", "user:email"}; !slices.Equal(got, want) {
		t.Errorf("All = %v, want %v: by name, user:email built in", got, want)
	}
	if got, want := names(s.Visible()), []string{"misc", "records:burn", "records:write", "user:email"}; !slices.Equal(got, want) {
		t.Errorf("Visible = %v, want %v", got, want)
	}
	if _, ok := s.Find("Records:write"); ok {
		t.Error("Find ignores case")
	}
	groups := s.Group([]string{"records:burn", "unknown", "misc", "records:write", "user:email"})
	var got []string
	for _, g := range groups {
		got = append(got, g.Name+"="+strings.Join(names(g.Scopes), "+"))
	}
	if want := []string{"Other=misc", "Profile=user:email", "Records=records:write+records:burn"}; !slices.Equal(got, want) {
		t.Errorf("Group = %v, want %v", got, want)
	}
}

func TestParity57_RegistryRefuses(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]oauth.Scope{
		"twice":     {{Name: "a"}, {Name: "a"}},
		"empty":     {{}},
		"space":     {{Name: "a b"}},
		"quote":     {{Name: `a"b`}},
		"backslash": {{Name: `a\b`}},
		"control":   {{Name: "a\n"}},
		"unicode":   {{Name: "ä"}},
		"long":      {{Name: strings.Repeat("a", 129)}},
	} {
		if _, err := oauth.NewScopes(list...); err == nil {
			t.Errorf("%s: NewScopes accepts %+v", name, list)
		}
	}
	s, err := oauth.NewScopes(oauth.Scope{Name: oauth.ScopeEmail, Description: "Lies deine Adresse"})
	if err != nil {
		t.Fatal(err)
	}
	if sc, _ := s.Find(oauth.ScopeEmail); sc.Description != "Lies deine Adresse" {
		t.Errorf("user:email cannot be redefined: %+v", sc)
	}
}
