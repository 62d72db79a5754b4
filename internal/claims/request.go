package claims

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/oauth"
)

// MaxRequest is the longest claims parameter that is read, in bytes.
const MaxRequest = 8 << 10

// Request is a claims parameter (OpenID Connect Core §5.5).
type Request struct {
	UserInfo Members `json:"userinfo,omitempty"`
	IDToken  Members `json:"id_token,omitempty"`
}

// Members are the claims that are asked for, by name.
type Members map[string]Member

// Member says how a claim is asked for (OpenID Connect Core §5.5.1). The zero
// value is a claim that would be nice to have.
type Member struct {
	Essential bool `json:"essential,omitempty"`
	// Value, or one of Values in order of preference, is what the client hopes for;
	// any JSON value.
	Value  json.RawMessage   `json:"value,omitempty"`
	Values []json.RawMessage `json:"values,omitempty"`
}

// protocol claims may be asked for too, and are the business of whoever signs people in.
var protocol = []string{"sub", "auth_time", "acr"}

// ParseRequest reads the parameter. It is nil if the parameter is empty or asks for
// nothing that the server knows. Claims and members that are not known are left
// out; text that is no claims request is refused with invalid_request.
func ParseRequest(param string) (*Request, error) {
	if param == "" {
		return nil, nil
	}
	if len(param) > MaxRequest {
		return nil, refuse("The parameter claims is larger than 8 KiB.")
	}
	top, err := strictjson.Members([]byte(param))
	if err != nil {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Cause: err,
			Description: "The parameter claims must be a JSON object in which no name occurs twice."}
	}
	r := &Request{}
	if r.UserInfo, err = parseMembers("userinfo", top["userinfo"]); err != nil {
		return nil, err
	}
	if r.IDToken, err = parseMembers("id_token", top["id_token"]); err != nil {
		return nil, err
	}
	if len(r.UserInfo)+len(r.IDToken) == 0 {
		return nil, nil
	}
	return r, nil
}

func parseMembers(where string, raw json.RawMessage) (Members, error) {
	if raw == nil || string(raw) == "null" {
		return nil, nil
	}
	var list map[string]json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return nil, refuse("The member " + where + " of the parameter claims must be a JSON object.")
	}
	var out Members
	for name, value := range list {
		if !known(name) {
			continue
		}
		m, err := parseMember(value)
		if err != nil {
			return nil, refuse("In the parameter claims, " + where + "." + name + " must be null, or an object with essential, value or values.")
		}
		if out == nil {
			out = Members{}
		}
		out[name] = m
	}
	return out, nil
}

// parseMember takes null for a voluntary claim. Members are matched by their exact
// names, which encoding/json does not do for structs.
func parseMember(raw json.RawMessage) (m Member, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return m, err
	}
	if v, ok := members["essential"]; ok {
		if err := json.Unmarshal(v, &m.Essential); err != nil {
			return m, err
		}
	}
	if v, ok := members["value"]; ok {
		m.Value = compact(v)
	}
	if v, ok := members["values"]; ok {
		if err := json.Unmarshal(v, &m.Values); err != nil {
			return m, err
		}
		for i := range m.Values {
			m.Values[i] = compact(m.Values[i])
		}
	}
	return m, nil
}

func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil { // it was read before
		return nil
	}
	return b.Bytes()
}

func known(name string) bool {
	return slices.Contains(protocol, name) || scopeOf(name) != ""
}

func scopeOf(name string) string {
	for _, c := range standardClaims {
		if c.name == name {
			return c.scope
		}
	}
	return ""
}

// String is the request in the server's own spelling: JSON that ParseRequest reads
// as the same request, names in order. It is empty for nil.
func (r *Request) String() string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it would grow, and be too large to be read again
	if err := e.Encode(r); err != nil {
		panic("claims: " + err.Error()) // it came from JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Scopes returns the scopes whose claims are asked for one by one, in order: what
// a person should be told that they allow.
func (r *Request) Scopes() []string {
	var out []string
	if r == nil {
		return nil
	}
	for _, scope := range []string{scopeProfile, scopeEmail, scopeAddress, scopePhone} {
		for _, c := range standardClaims {
			_, info := r.UserInfo[c.name]
			_, token := r.IDToken[c.name]
			if c.scope == scope && (info || token) {
				out = append(out, scope)
				break
			}
		}
	}
	return out
}

// Only returns the request without the claims of scopes that are not allowed, so
// that a client gets by name nothing that it may not ask for by scope.
func (r *Request) Only(allowed func(scope string) bool) *Request {
	if r == nil {
		return nil
	}
	out := &Request{UserInfo: r.UserInfo.only(allowed), IDToken: r.IDToken.only(allowed)}
	if len(out.UserInfo)+len(out.IDToken) == 0 {
		return nil
	}
	return out
}

func (m Members) only(allowed func(scope string) bool) Members {
	var out Members
	for name, member := range m {
		if scope := scopeOf(name); scope == "" || allowed(scope) {
			if out == nil {
				out = Members{}
			}
			out[name] = member
		}
	}
	return out
}

// Subjects returns the subjects that the ID token may be about, if the request
// says (OpenID Connect Core §5.5.1): nobody else may be signed in by it. Nil:
// anybody.
func (r *Request) Subjects() []string { return r.hopes("sub") }

// ACR returns the authentication classes that the request names for the ID token,
// the preferred first, and whether no other will do (OpenID Connect Core §5.5.1.1).
func (r *Request) ACR() (values []string, essential bool) {
	if r == nil {
		return nil, false
	}
	return r.hopes("acr"), r.IDToken["acr"].Essential
}

// AuthTime reports whether the ID token must say when the person signed in.
func (r *Request) AuthTime() bool { return r != nil && r.IDToken["auth_time"].Essential }

// hopes are the strings that value or values of an ID token's claim name.
func (r *Request) hopes(name string) []string {
	if r == nil {
		return nil
	}
	m := r.IDToken[name]
	var out []string
	for _, raw := range append([]json.RawMessage{m.Value}, m.Values...) {
		var s string
		if raw != nil && json.Unmarshal(raw, &s) == nil && s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func refuse(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}
