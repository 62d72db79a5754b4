package claims

import (
	"regexp"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// The scopes of OpenID Connect Core §5.4.
const (
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeAddress = "address"
	scopePhone   = "phone"
)

// Scopes returns the scopes that exist where OpenID Connect is on. They mean
// something only to a client: a personal access token has nobody to tell.
func Scopes() []oauth.Scope {
	const group = "Profile"
	list := []oauth.Scope{
		{Name: oauth.ScopeOpenID, Title: "Sign in", Description: "Know that it is you, and when you signed in"},
		{Name: scopeProfile, Title: "Profile", Description: "Read your profile: name, picture, birthday, language and the like"},
		{Name: scopeEmail, Title: "E-mail", Description: "Read your e-mail address and whether it is confirmed"},
		{Name: scopeAddress, Title: "Address", Description: "Read your postal address"},
		{Name: scopePhone, Title: "Phone number", Description: "Read your phone number and whether it is confirmed"},
		{Name: oauth.ScopeOfflineAccess, Title: "Stay connected", Description: "Keep access while you are not there"},
	}
	for i := range list {
		list[i].Group, list[i].ClientOnly = group, true
	}
	return list
}

// standard is one claim about a person.
type standard struct {
	name, scope string
	// value returns what is told of u, or nil for nothing.
	value func(u *oauth.User) any
}

// claims of OpenID Connect Core §5.1, and the scope of each (§5.4).
var standardClaims = []standard{
	{"name", scopeProfile, func(u *oauth.User) any { return text(u.Name, username(u)) }},
	{"given_name", scopeProfile, func(u *oauth.User) any { return text(u.Claims.GivenName) }},
	{"family_name", scopeProfile, func(u *oauth.User) any { return text(u.Claims.FamilyName) }},
	{"middle_name", scopeProfile, func(u *oauth.User) any { return text(u.Claims.MiddleName) }},
	{"nickname", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Nickname) }},
	{"preferred_username", scopeProfile, func(u *oauth.User) any { return text(u.Claims.PreferredUsername, username(u)) }},
	{"profile", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Profile) }},
	{"picture", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Picture) }},
	{"website", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Website) }},
	{"gender", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Gender) }},
	{"birthdate", scopeProfile, func(u *oauth.User) any { return birthdate(u.Claims.Birthdate) }},
	{"zoneinfo", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Zoneinfo) }},
	{"locale", scopeProfile, func(u *oauth.User) any { return text(u.Claims.Locale) }},
	{"updated_at", scopeProfile, func(u *oauth.User) any { return seconds(u.Claims.UpdatedAt) }},
	{"email", scopeEmail, func(u *oauth.User) any { return text(u.Email) }},
	{"email_verified", scopeEmail, func(u *oauth.User) any { return verified(u.Email, u.EmailVerified) }},
	{"address", scopeAddress, func(u *oauth.User) any { return address(u.Claims.Address) }},
	{"phone_number", scopePhone, func(u *oauth.User) any { return text(u.Claims.PhoneNumber) }},
	{"phone_number_verified", scopePhone, func(u *oauth.User) any { return verified(u.Claims.PhoneNumber, u.Claims.PhoneNumberVerified) }},
}

// Names returns every claim about a person that the server can tell, for
// claims_supported.
func Names() []string {
	out := make([]string, len(standardClaims))
	for i, c := range standardClaims {
		out[i] = c.name
	}
	return out
}

// text is the first value that is more than white space. Only the profile's own
// names stand in for a name: an e-mail address has a scope of its own, and
// the subject is not told to a client that knows the person under another.
func text(values ...string) any {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return nil
}

// username is what the person signs in with, unless that is their e-mail address:
// a client that was let read the profile was not let read that.
func username(u *oauth.User) string {
	if strings.EqualFold(u.Username, u.Email) {
		return ""
	}
	return u.Username
}

var birthdateSyntax = regexp.MustCompile(`^[0-9]{4}(-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$`)

// birthdate: YYYY-MM-DD, 0000-MM-DD without the year, or YYYY. What a host has in
// another form is not told, for a client would misread it.
func birthdate(v string) any {
	if !birthdateSyntax.MatchString(v) || v == "0000" {
		return nil
	}
	return v
}

func seconds(v int64) any {
	if v <= 0 {
		return nil
	}
	return v
}

// verified tells about a value that is there.
func verified(value string, is bool) any {
	if text(value) == nil {
		return nil
	}
	return is
}

// address is an object of strings (OpenID Connect Core §5.1.1).
func address(a *oauth.Address) any {
	if a == nil {
		return nil
	}
	out := map[string]string{}
	for name, v := range map[string]string{
		"formatted": a.Formatted, "street_address": a.StreetAddress, "locality": a.Locality,
		"region": a.Region, "postal_code": a.PostalCode, "country": a.Country,
	} {
		if strings.TrimSpace(v) != "" {
			out[name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// UserInfo returns what the UserInfo endpoint tells of u: sub, under which the
// client knows them, the claims of the scopes, and those that the claims parameter
// asked for there.
func UserInfo(u *oauth.User, sub string, scopes []string, req *Request) map[string]any {
	var asked Members
	if req != nil {
		asked = req.UserInfo
	}
	out := about(u, scopes, asked)
	out["sub"] = sub
	return out
}

// ForIDToken returns what an ID token tells about u beside its protocol claims:
// what the claims parameter asked for there, and the claims of the scopes, which
// stand in an ID token only where no access token goes along (OpenID Connect Core
// §5.4).
func ForIDToken(u *oauth.User, scopes []string, req *Request) map[string]any {
	var asked Members
	if req != nil {
		asked = req.IDToken
	}
	return about(u, scopes, asked)
}

func about(u *oauth.User, scopes []string, asked Members) map[string]any {
	out := map[string]any{}
	for _, c := range standardClaims {
		if _, named := asked[c.name]; !named && !slices.Contains(scopes, c.scope) {
			continue
		}
		if v := c.value(u); v != nil {
			out[c.name] = v
		}
	}
	return out
}
