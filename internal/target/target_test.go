package target_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
)

const issuer = "https://id.example.org/tenant"

func targets(t *testing.T) *target.Targets {
	t.Helper()
	out, err := target.New(issuer, []oauth.Resource{
		{URI: "https://api.example.org/v1", Name: "Records"},
		{URI: "https://Jwt.example.org/", Format: oauth.FormatJWT},
		{URI: "https://opaque.example.org", Format: oauth.FormatOpaque},
		{URI: "https://id.example.org/api"},
		{URI: "urn:example:archive"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBearer5_Read(t *testing.T) {
	t.Parallel()
	all := targets(t)
	for in, want := range map[string]string{
		issuer:                          issuer,
		issuer + "/":                    issuer,
		"HTTPS://ID.example.org/tenant": issuer,
		"https://api.example.org/v1":    "https://api.example.org/v1",
		"https://API.example.ORG/v1/":   "https://api.example.org/v1",
		"https://jwt.example.org":       "https://Jwt.example.org/",
		"urn:example:archive":           "urn:example:archive",
		"URN:example:archive":           "urn:example:archive",

		"https://api.example.org/v1//":       "",
		"https://api.example.org/V1":         "",
		"https://api.example.org":            "",
		"https://api.example.org/v1?x":       "",
		"https://api.example.org/v1#":        "",
		"https://api.example.org/v1#x":       "",
		"https://user@api.example.org/v1":    "",
		"https://api.example.org:443/v1":     "",
		"https://evil.test":                  "",
		"http://api.example.org/v1":          "",
		"//api.example.org/v1":               "",
		"/v1":                                "",
		"api.example.org/v1":                 "",
		"https://api.example.org/%zz":        "",
		"https:/api.example.org/v1":          "",
		"https:///v1":                        "",
		"urn:example:archive#":               "",
		"https://api.example.org/v1\x00\x7f": "",
	} {
		got, err := all.Read([]string{in})
		switch {
		case want == "" && !errors.Is(err, oauth.InvalidTarget):
			t.Errorf("%q: got %q, %v; want invalid_target", in, got, err)
		case want != "" && (err != nil || !slices.Equal(got, []string{want})):
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	got, err := all.Read([]string{"https://api.example.org/v1/", issuer, "https://api.example.org/v1"})
	if err != nil || !slices.Equal(got, []string{"https://api.example.org/v1", issuer}) {
		t.Errorf("several: got %q, %v", got, err)
	}
	if _, err := all.Read([]string{issuer, "https://evil.test"}); !errors.Is(err, oauth.InvalidTarget) {
		t.Errorf("one of two is unknown: got %v", err)
	}
}

func TestM45_Narrow(t *testing.T) {
	t.Parallel()
	all := targets(t)
	const api, archive = "https://api.example.org/v1", "urn:example:archive"
	for name, tt := range map[string]struct{ bound, asked, want []string }{
		"nothing of nothing":       {nil, nil, nil},
		"nothing of one":           {[]string{api}, nil, []string{api}},
		"one of two":               {[]string{api, archive}, []string{"https://API.example.org/v1/"}, []string{api}},
		"all":                      {[]string{api, archive}, []string{archive, api}, []string{archive, api}},
		"ourselves of nothing":     {nil, []string{issuer}, []string{issuer}},
		"another than authorized":  {[]string{api}, []string{archive}, nil},
		"more than authorized":     {[]string{api}, []string{api, archive}, nil},
		"ourselves beside another": {[]string{api}, []string{issuer}, nil},
		"another of nothing":       {nil, []string{api}, nil},
		"unknown":                  {[]string{api}, []string{"https://evil.test"}, nil},
	} {
		got, err := all.Narrow(tt.bound, tt.asked)
		if refused := tt.want == nil && tt.asked != nil; refused != errors.Is(err, oauth.InvalidTarget) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

func TestOwn(t *testing.T) {
	t.Parallel()
	all := targets(t)
	for uri, want := range map[string]bool{
		issuer: true, "https://id.example.org/api": true, "https://ID.example.org:443": true,
		"https://api.example.org/v1": false, "http://id.example.org": false, "https://id.example.org:8443": false, "urn:example:archive": false, "": false,
	} {
		if got := all.Own([]string{uri}); got != want {
			t.Errorf("%q: got %v, want %v", uri, got, want)
		}
	}
	if !all.Own(nil) || !all.Own([]string{"urn:example:archive", issuer}) {
		t.Error("a token for nothing in particular, or for us among others, is not for us")
	}
}

func TestJWT(t *testing.T) {
	t.Parallel()
	all := targets(t)
	opaque, jwt := &oauth.Client{}, &oauth.Client{Metadata: oauth.ClientMetadata{AccessTokenFormat: oauth.FormatJWT}}
	pairwise := &oauth.Client{Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}}
	for name, tt := range map[string]struct {
		client    *oauth.Client
		resources []string
		want      bool
	}{
		"nothing said":            {opaque, nil, false},
		"the client says":         {jwt, nil, true},
		"resource without format": {jwt, []string{"https://api.example.org/v1"}, true},
		"the resource says":       {opaque, []string{"https://Jwt.example.org/"}, true},
		"one of them says":        {opaque, []string{issuer, "https://Jwt.example.org/"}, true},
		"the resource forbids":    {jwt, []string{"https://opaque.example.org"}, false},
		"pairwise":                {pairwise, []string{"https://Jwt.example.org/"}, false},
	} {
		if got := all.JWT(tt.client, tt.resources); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if got := targets(t).Names([]string{"https://api.example.org/v1", "urn:example:archive", "gone:x"}); !slices.Equal(got, []string{"Records", "urn:example:archive", "gone:x"}) {
		t.Errorf("got %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]oauth.Resource{
		"relative":   {{URI: "/api"}},
		"empty":      {{}},
		"fragment":   {{URI: "https://api.example.org/#x"}},
		"twice":      {{URI: "https://api.example.org"}, {URI: "https://API.example.org/"}},
		"the issuer": {{URI: issuer + "/"}},
		"format":     {{URI: "https://api.example.org", Format: "saml"}},
	} {
		if _, err := target.New(issuer, list); err == nil {
			t.Errorf("%s: New accepts %v", name, list)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{issuer, "https://api.example.org/v1/", "urn:x", "https://[::1]:8/%2e", "a:b", "http://\x00"} {
		f.Add(seed)
	}
	all, err := target.New(issuer, []oauth.Resource{{URI: "https://api.example.org/v1"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := all.Read([]string{in})
		if (err == nil) != (len(got) == 1) {
			t.Fatalf("%q: got %q, %v", in, got, err)
		}
		if err == nil {
			if again, err := all.Read(got); err != nil || !slices.Equal(again, got) {
				t.Fatalf("%q: read again %q becomes %q, %v", in, got, again, err)
			}
		}
	})
}
