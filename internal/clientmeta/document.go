package clientmeta

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/oauth"
)

// MaxBytes is the largest document that is read.
const MaxBytes = strictjson.MaxBody

// Document is what a client says about itself. A member that is null, empty or
// absent has its zero value: RFC 7592 §2.2 makes no difference between them.
type Document struct {
	Base
	oauth.ClientMetadata
	has map[string]bool
}

// Has reports whether the document has a member of that name, whatever it holds.
func (d *Document) Has(name string) bool { return d.has[name] }

// Base holds the members of RFC 7591 §2 and §3.2.1 that [oauth.Client] has fields of its own for.
type Base struct {
	ClientID          string           `json:"client_id"`
	ClientSecret      string           `json:"client_secret"`
	Name              string           `json:"client_name"`
	Website           string           `json:"client_uri"`
	RedirectURIs      []string         `json:"redirect_uris"`
	GrantTypes        []string         `json:"grant_types"`
	AuthMethod        oauth.AuthMethod `json:"token_endpoint_auth_method"`
	ApplicationType   string           `json:"application_type"` // OpenID Connect Dynamic Client Registration §2
	Scope             string           `json:"scope"`
	SoftwareStatement string           `json:"software_statement"`
}

// impossible holds members that would change what the client is sent, or how its
// tokens are kept safe, in a way that the server cannot do. Not to understand them
// would promise what is not kept.
type impossible struct {
	IDTokenEncryption       string `json:"id_token_encrypted_response_alg"`
	UserInfoEncryption      string `json:"userinfo_encrypted_response_alg"`
	IntrospectionEncryption string `json:"introspection_encrypted_response_alg"`
	DPoPBound               bool   `json:"dpop_bound_access_tokens"`
	CertificateBound        bool   `json:"tls_client_certificate_bound_access_tokens"`
}

// Parse reads a document. Errors are [*Error].
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, &Error{Message: "The client metadata is larger than 64 KiB."}
	}
	values, err := strictjson.Members(data)
	if err != nil {
		return nil, readError(err)
	}
	d := &Document{has: make(map[string]bool, len(values))}
	for name := range values {
		d.has[name] = true
	}
	var cannot impossible
	for _, part := range []any{&d.Base, &d.ClientMetadata, &cannot} {
		if err := strictjson.Fill(values, part); err != nil {
			return nil, readError(err)
		}
	}
	if err := cannot.check(); err != nil {
		return nil, err
	}
	if d.SoftwareStatement != "" {
		return nil, bad("software_statement", "cannot be accepted: this server trusts nobody to sign software statements. Leave it out.")
	}
	d.JWKS, err = compact(d.JWKS)
	return d, err
}

func (i *impossible) check() error {
	switch {
	case i.IDTokenEncryption != "":
		return bad("id_token_encrypted_response_alg", "asks for encryption, which this server does not offer.")
	case i.UserInfoEncryption != "":
		return bad("userinfo_encrypted_response_alg", "asks for encryption, which this server does not offer.")
	case i.IntrospectionEncryption != "":
		return bad("introspection_encrypted_response_alg", "asks for encryption, which this server does not offer.")
	case i.DPoPBound:
		return bad("dpop_bound_access_tokens", "asks for tokens that are bound to a key, which this server does not issue.")
	case i.CertificateBound:
		return bad("tls_client_certificate_bound_access_tokens", "asks for tokens that are bound to a certificate, which this server does not issue.")
	}
	return nil
}

// readError tells why a document could not be read: strictjson names the member.
func readError(err error) error {
	var e *strictjson.Error
	if errors.As(err, &e) {
		return &Error{Message: e.Public()}
	}
	return &Error{Message: "The client metadata could not be read.", Cause: err}
}

// compact takes the white space out of a value, and null for nothing.
func compact(raw json.RawMessage) (json.RawMessage, error) {
	var b bytes.Buffer
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if err := json.Compact(&b, raw); err != nil {
		return nil, bad("jwks", "is not JSON.")
	}
	return b.Bytes(), nil
}
