package oauth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Scopes of OpenID Connect Core §5.4 and §11, and of no other meaning.
const (
	ScopeOpenID        = "openid"
	ScopeOfflineAccess = "offline_access"
)

// ScopeEmail lets a client read the user's e-mail address. It is always registered.
const ScopeEmail = "user:email"

// Scope is a named piece of access that a client can ask for and a person can
// allow (RFC 6749 §3.3).
type Scope struct {
	Name        string // the scope-token on the wire
	Title       string // short; empty: Description stands alone
	Description string // what it lets a client do, as a person reads it: "Read your records"
	Group       string // heading under which it is shown; empty: "Other"
	// Internal hides the scope from every form and from discovery. Only a client
	// or an operator's token that names it outright may have it.
	Internal bool
	// ClientOnly keeps the scope from personal access tokens: it means something
	// only where there is a client.
	ClientOnly bool
	// Sensitive marks what cannot be undone; it is said in words.
	Sensitive bool
}

// Scopes is the registry of the scopes a server knows. It does not change after New.
type Scopes struct {
	byName map[string]Scope
	sorted []Scope
}

// NewScopes registers the given scopes and user:email, unless the list
// redefines it. It refuses a name that is not a scope-token or is given twice.
func NewScopes(list ...Scope) (*Scopes, error) {
	s := &Scopes{byName: make(map[string]Scope, len(list)+1)}
	for _, sc := range list {
		if !validScopeToken(sc.Name) {
			return nil, fmt.Errorf("oauth: scope name %q is not a scope-token (RFC 6749 §3.3)", sc.Name)
		}
		if _, twice := s.byName[sc.Name]; twice {
			return nil, fmt.Errorf("oauth: scope %q is registered twice", sc.Name)
		}
		s.byName[sc.Name] = sc
	}
	if _, ok := s.byName[ScopeEmail]; !ok {
		s.byName[ScopeEmail] = Scope{Name: ScopeEmail, Title: "E-mail address", Description: "Read your e-mail address", Group: "Profile"}
	}
	for _, sc := range s.byName {
		s.sorted = append(s.sorted, sc)
	}
	slices.SortFunc(s.sorted, func(a, b Scope) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}

// Find returns the scope of that name.
func (s *Scopes) Find(name string) (Scope, bool) {
	sc, ok := s.byName[name]
	return sc, ok
}

// All returns every scope, internal ones too, by name.
func (s *Scopes) All() []Scope { return slices.Clone(s.sorted) }

// Visible returns the scopes that are not internal, by name.
func (s *Scopes) Visible() []Scope {
	return slices.DeleteFunc(s.All(), func(sc Scope) bool { return sc.Internal })
}

// Personal returns the scopes that people can give personal access tokens: those
// that are neither internal nor for clients only, by name.
func (s *Scopes) Personal() []Scope {
	return slices.DeleteFunc(s.Visible(), func(sc Scope) bool { return sc.ClientOnly })
}

// ScopeGroup is a heading with the scopes below it.
type ScopeGroup struct {
	Name   string
	Scopes []Scope
}

// Group arranges the named scopes under their groups, groups and scopes by
// name, sensitive scopes last in their group. Unknown names are left out.
func (s *Scopes) Group(names []string) []ScopeGroup {
	groups := map[string][]Scope{}
	for _, n := range names {
		if sc, ok := s.byName[n]; ok {
			g := cmp.Or(sc.Group, "Other")
			groups[g] = append(groups[g], sc)
		}
	}
	out := make([]ScopeGroup, 0, len(groups))
	for name, list := range groups {
		slices.SortFunc(list, func(a, b Scope) int {
			if a.Sensitive != b.Sensitive {
				if a.Sensitive {
					return 1
				}
				return -1
			}
			return cmp.Compare(a.Name, b.Name)
		})
		out = append(out, ScopeGroup{Name: name, Scopes: list})
	}
	slices.SortFunc(out, func(a, b ScopeGroup) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// ForClient reads the scope parameter of a client's request: the scopes it
// names, or the client's default scopes if it names none (RFC 6749 §3.3). A
// scope that is not registered, or that the client may not have, is refused
// with invalid_scope.
func (s *Scopes) ForClient(c *Client, value string) ([]string, error) {
	names, err := ParseScope(value)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(c.DefaultScopes), func(n string) bool { return !s.allowed(c, n) }), nil
	}
	for _, n := range names {
		if !s.allowed(c, n) {
			return nil, &Error{Code: InvalidScope, Description: "The parameter scope names a scope that does not exist or that this client may not have: " + n}
		}
	}
	return names, nil
}

// allowed: an internal scope needs to be named by the client's registration.
func (s *Scopes) allowed(c *Client, name string) bool {
	sc, known := s.byName[name]
	if !known || sc.Internal || len(c.Scopes) > 0 {
		return known && slices.Contains(c.Scopes, name)
	}
	return true
}

// ParseScope reads a scope parameter: scope-tokens separated by single spaces
// (RFC 6749 §3.3). Names are kept in order and said once. An empty value is no scope.
func ParseScope(value string) ([]string, error) {
	if value == "" {
		return nil, nil
	}
	var names []string
	for name := range strings.SplitSeq(value, " ") {
		if !validScopeToken(name) {
			return nil, &Error{Code: InvalidScope, Description: "The scope parameter is not a list of scope names separated by single spaces."}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// ScopeString writes names as a scope parameter.
func ScopeString(names []string) string { return strings.Join(names, " ") }

// ContainsScopes reports whether have covers every scope of want.
func ContainsScopes(have, want []string) bool {
	for _, w := range want {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}

// validScopeToken: 1*( %x21 / %x23-5B / %x5D-7E ), at most 128 characters.
func validScopeToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c == '"' || c == '\\' || c > 0x7e {
			return false
		}
	}
	return true
}
