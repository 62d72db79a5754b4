package config

import (
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/valetkey/valetkey/oauth"
)

// Field is one setting.
type Field struct {
	Key     string // dotted path: lifetimes.access_token
	Doc     string
	Example string
	Enum    []string // the values allowed; empty: any
	// Default is the default as it would stand in the file.
	Default string
	Secret  bool
	Bool    bool

	typ   reflect.Type
	index []int // in Config
	path  bool
}

// Env is the environment variable of the setting.
func (f *Field) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(f.Key, ".", "_"))
}

// Flag is the flag of the setting, without the hyphens. That of a secret names
// a file.
func (f *Field) Flag() string {
	name := strings.NewReplacer(".", "-", "_", "-").Replace(f.Key)
	if f.Secret {
		name += "-file"
	}
	return name
}

const (
	envPrefix  = "VALETKEY_"
	fileSuffix = "_file"
)

// Fields lists every setting in the order of the struct. The list is everybody's.
func Fields() []*Field { return allFields() }

var allFields = sync.OnceValue(func() []*Field { return fields(reflect.ValueOf(Default()), "", nil) })

func fields(v reflect.Value, prefix string, index []int) []*Field {
	var out []*Field
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		key, at := prefix+sf.Tag.Get("key"), append(index[:len(index):len(index)], i)
		if sf.Type.Kind() == reflect.Struct {
			out = append(out, fields(v.Field(i), key+".", at)...)
			continue
		}
		f := &Field{
			Key: key, Doc: sf.Tag.Get("doc"), Example: sf.Tag.Get("example"),
			Default: format(v.Field(i)),
			Secret:  sf.Type == secretType, Bool: sf.Type.Kind() == reflect.Bool,
			typ: sf.Type, index: at, path: sf.Tag.Get("path") == "true",
		}
		if enum := sf.Tag.Get("enum"); enum != "" {
			f.Enum = strings.Split(enum, "|")
		}
		out = append(out, f)
	}
	return out
}

// keys lists the names a file may use: every setting, the _file of secrets, and
// the sections.
func keys(list []*Field) []string {
	var out []string
	for _, f := range list {
		if section, _, ok := strings.Cut(f.Key, "."); ok && !slices.Contains(out, section) {
			out = append(out, section)
		}
		out = append(out, f.Key)
		if f.Secret {
			out = append(out, f.Key+fileSuffix)
		}
	}
	return out
}

// OAuthScopes returns the scopes as the library has them.
func (c *Config) OAuthScopes() []oauth.Scope {
	out := make([]oauth.Scope, len(c.Scopes))
	for i, s := range c.Scopes {
		out[i] = oauth.Scope{
			Name: s.Name, Title: s.Title, Description: s.Description, Group: s.Group, Internal: s.Internal, Sensitive: s.Sensitive,
		}
	}
	return out
}

// OAuthResources returns the protected resources as the library has them.
func (c *Config) OAuthResources() []oauth.Resource {
	out := make([]oauth.Resource, len(c.Resources))
	for i, r := range c.Resources {
		out[i] = oauth.Resource(r)
	}
	return out
}

// RegistrationMode returns registration.mode as the library has it, where off is
// the empty mode; RegistrationProfile does the same for inherit.
func (c *Config) RegistrationMode() string { return strings.TrimPrefix(c.Registration.Mode, "off") }

func (c *Config) RegistrationProfile() oauth.Profile {
	return oauth.Profile(strings.TrimPrefix(c.Registration.Profile, "inherit"))
}
