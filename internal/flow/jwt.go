package flow

import (
	"crypto"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// MaxToken bounds a token that is parsed at all.
const MaxToken = 64 << 10

// Algorithms are what a token may be signed by unless the caller says otherwise:
// those with a public key (RFC 7518 §3.1, RFC 8037 §3.1).
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// JWT is a token that has been read, which says nothing about who made it.
type JWT struct {
	Header, Claims map[string]any // numbers are json.Number
}

// Decode reads a JSON Web Token in compact form (RFC 7519 §3) and verifies nothing.
func Decode(token string) (*JWT, error) {
	parts := strings.Split(token, ".")
	switch {
	case token == "":
		return nil, refusef("there is no token")
	case len(token) > MaxToken:
		return nil, refusef("the token is larger than 64 KiB")
	case len(parts) == 5:
		return nil, refusef("the token is encrypted (it has five parts), so only its recipient can read it")
	case len(parts) != 3:
		return nil, refusef("this is not a JSON Web Token, which has three parts with dots between them. The server that made it can be asked what it is: \"valetkey flow introspect\"")
	}
	var out JWT
	for i, into := range []*map[string]any{&out.Header, &out.Claims} {
		name := []string{"header", "payload"}[i]
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, refusef("the %s of the token is not base64url text", name)
		}
		if *into, err = readObject(text); err != nil {
			return nil, refusef("the %s of the token cannot be read: %v", name, err)
		}
	}
	return &out, nil
}

// Expected says what a token must be. Empty fields are not checked.
type Expected struct {
	Now        time.Time // required
	Algorithms []string  // required
	Issuer     string
	Audience   string
	Nonce      string
	// AccessToken that came with it, for at_hash (OpenID Connect Core §3.1.3.6).
	AccessToken string
	// IDToken wants what an ID token must have beside (OpenID Connect Core §2).
	IDToken bool
	Type    string // header typ, in any case, with or without application/
}

// skew is how far a clock may be behind that of the token's maker.
const skew = time.Minute

// Verify reads a token, verifies its signature by one of the keys, and then its
// claims. The token is returned with the error, if it could be read at all.
func Verify(token string, keys *Keys, want Expected) (*JWT, error) {
	read, err := Decode(token)
	if err != nil {
		return nil, err
	}
	if err := signed(token, read, keys, want.Algorithms); err != nil {
		return read, err
	}
	for _, check := range []func(*JWT, Expected) error{checkType, checkTimes, checkIssuer, checkAudience, checkNonce, checkHash} {
		if err := check(read, want); err != nil {
			return read, err
		}
	}
	return read, nil
}

// signed verifies the signature (RFC 7515 §5.2). The algorithm is the caller's to
// allow, not the token's to choose (RFC 8725 §3.1).
func signed(token string, read *JWT, keys *Keys, algorithms []string) error {
	alg, kid := read.text(read.Header, "alg"), read.text(read.Header, "kid")
	if strings.EqualFold(alg, "none") || alg == "" {
		return refusef("the token is not signed (alg is %q)", alg)
	}
	if !slices.Contains(algorithms, alg) {
		return refusef("the token is signed by %s, which is not among %s", alg, strings.Join(algorithms, ", "))
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return refusef("the token cannot be read as a signed one: %s", strings.TrimPrefix(err.Error(), "go-jose/go-jose: "))
	}
	tried := 0
	for _, key := range keys.Keys {
		if kid != "" && key.KeyID != kid || key.Use == "enc" || key.Algorithm != "" && key.Algorithm != alg || !key.IsPublic() {
			continue
		}
		tried++
		if _, err := jws.Verify(key); err == nil {
			return nil
		}
	}
	switch {
	case tried == 0 && kid != "":
		return refusef("none of the %d keys is the one that the token names (kid %q, alg %s)", len(keys.Keys), kid, alg)
	case tried == 0:
		return refusef("none of the %d keys fits the algorithm %s", len(keys.Keys), alg)
	}
	return refusef("the signature is wrong: the key did not sign this token")
}

func checkType(t *JWT, want Expected) error {
	plain := func(s string) string { return strings.TrimPrefix(strings.ToLower(s), "application/") }
	if typ := t.text(t.Header, "typ"); want.Type != "" && plain(typ) != plain(want.Type) {
		return refusef("the token is of another type: typ is %q, not %q", typ, want.Type)
	}
	return nil
}

func checkTimes(t *JWT, want Expected) error {
	for _, name := range []string{"exp", "nbf", "iat"} {
		at, there, err := t.Time(name)
		switch {
		case err != nil:
			return refusef("the claim %s is not a time", name)
		case !there && (name == "exp" || name == "iat" && want.IDToken):
			return refusef("the claim %s is missing", name)
		case !there:
		case name == "exp" && !want.Now.Before(at):
			return refusef("the token has expired (exp is %s)", at.Format(time.RFC3339))
		case name != "exp" && at.After(want.Now.Add(skew)):
			return refusef("the token is not valid yet (%s is %s)", name, at.Format(time.RFC3339))
		}
	}
	return nil
}

func checkIssuer(t *JWT, want Expected) error {
	if iss := t.text(t.Claims, "iss"); want.Issuer != "" && iss != want.Issuer {
		return refusef("the token was issued by somebody else: iss is %q, not %q", iss, want.Issuer)
	}
	return nil
}

func checkAudience(t *JWT, want Expected) error {
	if want.Audience == "" {
		return nil
	}
	aud, ok := t.Audience()
	azp := t.text(t.Claims, "azp")
	switch {
	case !ok || !slices.Contains(aud, want.Audience):
		return refusef("the token is not for %q: aud is %s", want.Audience, compact(t.Claims["aud"]))
	case want.IDToken && azp != "" && azp != want.Audience, want.IDToken && azp == "" && len(aud) > 1:
		return refusef("the token was issued to another client: azp is %q, not %q", azp, want.Audience)
	case want.IDToken && t.text(t.Claims, "sub") == "":
		return refusef("the claim sub is missing")
	}
	return nil
}

func checkNonce(t *JWT, want Expected) error {
	if nonce := t.text(t.Claims, "nonce"); want.Nonce != "" && nonce != want.Nonce {
		return refusef("the token does not answer this request: nonce is %q, not %q", nonce, want.Nonce)
	}
	return nil
}

// checkHash: OpenID Connect Core §3.1.3.8.
func checkHash(t *JWT, want Expected) error {
	hash := t.text(t.Claims, "at_hash")
	if want.AccessToken == "" || hash == "" {
		return nil
	}
	alg := t.text(t.Header, "alg")
	h := crypto.SHA512 // EdDSA with Ed25519
	switch {
	case strings.HasSuffix(alg, "256"):
		h = crypto.SHA256
	case strings.HasSuffix(alg, "384"):
		h = crypto.SHA384
	}
	sum := h.New()
	sum.Write([]byte(want.AccessToken))
	digest := sum.Sum(nil)
	if base64.RawURLEncoding.EncodeToString(digest[:len(digest)/2]) != hash {
		return refusef("the ID token was issued with another access token (at_hash does not match)")
	}
	return nil
}

// Audience reads aud, which is a string or a list of them (RFC 7519 §4.1.3).
func (t *JWT) Audience() ([]string, bool) {
	switch aud := t.Claims["aud"].(type) {
	case string:
		return []string{aud}, true
	case []any:
		var out []string
		for _, v := range aud {
			s, ok := v.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, len(out) > 0
	}
	return nil, false
}

// Time reads a NumericDate (RFC 7519 §2).
func (t *JWT) Time(name string) (at time.Time, there bool, err error) {
	v, there := t.Claims[name]
	if !there {
		return time.Time{}, false, nil
	}
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, true, errors.New("not a number")
	}
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, true, fmt.Errorf("%s is not a time", n)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), true, nil
}

func (t *JWT) text(from map[string]any, name string) string {
	s, _ := from[name].(string)
	return s
}

// compact is a value as JSON, for a sentence.
func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil || v == nil {
		return "missing"
	}
	return string(text)
}

// VerifySigned verifies a signed answer that is no token: UserInfo (OpenID
// Connect Core §5.3.2), whose lifetime is that of the answer.
func VerifySigned(token string, keys *Keys, issuer string) (*JWT, error) {
	read, err := Decode(token)
	if err != nil {
		return nil, err
	}
	if err := signed(token, read, keys, Algorithms()); err != nil {
		return nil, err
	}
	return read, checkIssuer(read, Expected{Issuer: issuer})
}
