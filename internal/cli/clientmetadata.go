package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// metadataFlags say what OpenID Connect and later RFCs know of a client: a file
// with all of it, and a flag for each of what people set most.
type metadataFlags struct {
	file, jwksFile, profile string
	m                       oauth.ClientMetadata // what the flags say

	doc  *clientmeta.Document // of the file; nil: none was named
	jwks json.RawMessage
}

func (f *metadataFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.file, "metadata", "", "`FILE` with the client metadata of RFC 7591 and OpenID Connect in JSON, - for standard input; other flags win")
	fs.StringVar(&f.profile, "profile", "", "the rules it is held to, `PROFILE`: default or oidc-certification; empty: those of the server")
	fs.StringArrayVar(&f.m.ResponseTypes, "response-type", nil, "a response `TYPE` it may use; may be given several times (default: that of its grant types)")
	fs.StringVar(&f.m.IDTokenAlg, "id-token-alg", "", "`ALG` that signs its ID tokens: RS256 or ES256")
	fs.StringArrayVar(&f.m.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "`URI` to come back to after signing out; may be given several times")
	fs.StringVar(&f.m.BackchannelLogoutURI, "backchannel-logout-uri", "", "`URL` where the server tells it that a session ended")
	fs.StringVar(&f.m.FrontchannelLogoutURI, "frontchannel-logout-uri", "", "`URL` that the browser loads when a session ends")
	fs.StringVar(&f.jwksFile, "jwks", "", "`FILE` with its public keys, a JSON Web Key Set")
	fs.StringVar(&f.m.JWKSURI, "jwks-uri", "", "`URL` of its public keys")
	fs.StringVar(&f.m.SubjectType, "subject-type", "", "`TYPE`: public, or pairwise for a sub of its own")
	fs.StringVar(&f.m.AccessTokenFormat, "access-token-format", "", "`FORMAT` of its access tokens: opaque or jwt")
}

// read reads the files that the flags name.
func (f *metadataFlags) read(env *Env) (err error) {
	if f.jwksFile != "" {
		if f.jwks, err = os.ReadFile(f.jwksFile); err != nil {
			return usagef("--jwks: %w", err)
		}
	}
	if f.file == "" {
		return nil
	}
	text, err := readDocument(env, f.file)
	if err != nil {
		return usagef("--metadata: %w", err)
	}
	f.doc, err = clientmeta.Parse(text)
	if about := (*clientmeta.Error)(nil); errors.As(err, &about) {
		return invalidf("%s: %s", f.file, about.Message)
	}
	return err
}

// readDocument reads one byte more than clientmeta accepts, so that it says so.
func readDocument(env *Env, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(env.Stdin, clientmeta.MaxBytes+1))
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, clientmeta.MaxBytes+1))
}

// described is in with what the document says in its place; what it does not say
// of names and redirect URIs stays.
func described(d *clientmeta.Document, in manage.ApplicationInput) manage.ApplicationInput {
	in.Name, in.Website = cmp.Or(d.Name, in.Name), cmp.Or(d.Website, in.Website)
	if len(d.RedirectURIs) > 0 {
		in.RedirectURIs = d.RedirectURIs
	}
	if len(d.GrantTypes) > 0 {
		in.GrantTypes = d.GrantTypes
	}
	if d.Scope != "" {
		in.Scopes = strings.Fields(d.Scope)
	}
	if d.AuthMethod != "" {
		in.AuthMethod, in.Public = d.AuthMethod, d.AuthMethod == oauth.AuthNone
	}
	if d.Has("application_type") || d.Has("grant_types") {
		in.Type = d.TypeOf(in.GrantTypes, in.AuthMethod)
	}
	m := d.ClientMetadata
	in.Metadata = &m
	return in
}

// over is the metadata with everything that the flags say in its place; nil if
// nobody said anything.
func (f *metadataFlags) over(cmd *cobra.Command, before *oauth.ClientMetadata) *oauth.ClientMetadata {
	given := cmd.Flags().Changed
	var m oauth.ClientMetadata
	if before != nil {
		m = *before
	}
	changed := before != nil
	for name, set := range map[string]func(){
		"response-type":            func() { m.ResponseTypes = notBlank(f.m.ResponseTypes) },
		"id-token-alg":             func() { m.IDTokenAlg = f.m.IDTokenAlg },
		"post-logout-redirect-uri": func() { m.PostLogoutRedirectURIs = notBlank(f.m.PostLogoutRedirectURIs) },
		"backchannel-logout-uri":   func() { m.BackchannelLogoutURI = f.m.BackchannelLogoutURI },
		"frontchannel-logout-uri":  func() { m.FrontchannelLogoutURI = f.m.FrontchannelLogoutURI },
		"jwks":                     func() { m.JWKS = f.jwks },
		"jwks-uri":                 func() { m.JWKSURI = f.m.JWKSURI },
		"subject-type":             func() { m.SubjectType = f.m.SubjectType },
		"access-token-format":      func() { m.AccessTokenFormat = f.m.AccessTokenFormat },
	} {
		if given(name) {
			set()
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return &m
}

// metadataRows shows the metadata as rows of a table.
func metadataRows(c *oauth.Client) [][]string {
	var rows [][]string
	for name, value := range map[string]string{"registration": string(c.Registration), "profile": string(c.Profile)} {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	body, err := json.Marshal(c.Metadata)
	var members map[string]json.RawMessage
	if err != nil || json.Unmarshal(body, &members) != nil {
		return rows
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var many []string
		var one string
		text := string(members[name])
		switch {
		case json.Unmarshal(members[name], &many) == nil:
			text = strings.Join(many, " ")
		case json.Unmarshal(members[name], &one) == nil:
			text = one
		}
		rows = append(rows, []string{name, text})
	}
	return rows
}
