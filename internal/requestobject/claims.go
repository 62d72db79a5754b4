package requestobject

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/strictjson"
)

// claims are what a request object holds: those of JWT itself, and the parameters.
// A nil field was not sent.
type claims struct {
	issuer, subject            *string
	audience                   []string
	expires, notBefore, issued *time.Time
	params                     map[string]string
	resources                  []string
}

// parse reads the claims. What a form could not hold is refused, so that a
// request inside an object can be no other than one outside.
func parse(payload []byte) (*claims, error) {
	members, err := strictjson.Members(payload)
	if err != nil {
		return nil, invalid("The request object is not a JSON object, or has a member twice.", err)
	}
	out := &claims{params: map[string]string{}}
	for name, raw := range members {
		if err := out.member(name, raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c *claims) member(name string, raw json.RawMessage) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil // as if it were absent, like a parameter without a value
	}
	var err error
	switch name {
	case "iss":
		c.issuer, err = text(name, raw)
	case "sub":
		c.subject, err = text(name, raw)
	case "aud":
		c.audience, err = list(name, raw)
	case "exp":
		c.expires, err = date(name, raw)
	case "nbf":
		c.notBefore, err = date(name, raw)
	case "iat":
		c.issued, err = date(name, raw)
	case "jti":
		_, err = text(name, raw)
	case "request", "request_uri":
		err = invalid("The request object holds "+name+", which must not be inside.", nil) // RFC 9101 §4, OpenID Connect Core §6.1
	case "resource":
		c.resources, err = list(name, raw)
		c.resources = slices.DeleteFunc(c.resources, func(s string) bool { return s == "" })
	default:
		err = c.parameter(name, raw)
	}
	return err
}

// structured are the parameters whose values are JSON; in a form they are text
// that holds it.
var structured = []string{"claims", "authorization_details"}

// parameter takes a member over into the form: a string as it is, a number as it
// is written (RFC 9101 §4), and JSON where a parameter holds JSON.
func (c *claims) parameter(name string, raw json.RawMessage) error {
	switch first := raw[0]; {
	case first == '"':
		value, err := text(name, raw)
		if err != nil {
			return err
		}
		if *value != "" {
			c.params[name] = *value
		}
	case first == '-' || first >= '0' && first <= '9':
		c.params[name] = string(raw)
	case (first == '{' || first == '[') && slices.Contains(structured, name):
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil || !storable(compact.String()) {
			return malformed(name)
		}
		c.params[name] = compact.String()
	case slices.Contains(known, name):
		return malformed(name)
	}
	return nil // a member that nobody knows is passed over (RFC 6749 §3.1)
}

// known are the parameters of authorization requests that must be strings or numbers.
var known = []string{
	"client_id", "response_type", "redirect_uri", "scope", "state", "response_mode", "code_challenge", "code_challenge_method",
	"nonce", "display", "prompt", "max_age", "ui_locales", "claims_locales", "id_token_hint", "login_hint", "acr_values", "claims",
}

// registered are the claims of JWT itself (RFC 7519 §4.1), and the one parameter
// that may be repeated.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "resource"}

func text(name string, raw json.RawMessage) (*string, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil || !storable(s) {
		return nil, malformed(name)
	}
	return &s, nil
}

// list reads a string or an array of strings.
func list(name string, raw json.RawMessage) ([]string, error) {
	if one, err := text(name, raw); err == nil {
		return []string{*one}, nil
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil || slices.ContainsFunc(many, func(s string) bool { return !storable(s) }) {
		return nil, malformed(name)
	}
	if many == nil {
		many = []string{}
	}
	return many, nil
}

// date reads seconds since 1970, whole or not (RFC 7519 §2).
func date(name string, raw json.RawMessage) (*time.Time, error) {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || math.Abs(seconds) > 1<<40 {
		return nil, malformed(name)
	}
	whole, fraction := math.Modf(seconds)
	t := time.Unix(int64(whole), int64(fraction*1e9))
	return &t, nil
}

// storable: a form holds text without NUL, and a store keeps nothing else.
func storable(s string) bool { return !strings.ContainsRune(s, 0) }

// malformed names the member if it is one that we know.
func malformed(name string) error {
	if !slices.Contains(known, name) && !slices.Contains(structured, name) && !slices.Contains(registered, name) {
		return invalid("A member of the request object is malformed.", nil)
	}
	return invalid("The member "+name+" of the request object is malformed.", nil)
}
