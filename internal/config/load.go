package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// Sources is where a configuration comes from. Each may be missing.
type Sources struct {
	// File is the YAML file.
	File string
	// Environ holds NAME=value pairs, as os.Environ returns them. An empty value
	// counts as not set.
	Environ []string
	// Flags holds the flags that were given, by [Field.Flag].
	Flags map[string]string
}

// Loaded is a configuration that knows where each value came from.
type Loaded struct {
	Config
	origins map[string]string
	files   map[string]string
}

// Origin says where the value of a key came from: "default",
// "valetkey.yaml:12", "environment VALETKEY_ISSUER", "flag --issuer".
func (l *Loaded) Origin(key string) string { return cmp.Or(l.origins[key], "default") }

// SecretFile is the file that a secret was read from; empty if it came otherwise.
func (l *Loaded) SecretFile(key string) string { return l.files[key] }

// Error is a mistake in the configuration, with the place where it was made.
type Error struct {
	Where string // "valetkey.yaml:12", "environment VALETKEY_ISSUER", …
	Err   error
}

func (e *Error) Error() string { return e.Where + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// value is one setting as a layer has it.
type value struct {
	typed  reflect.Value
	origin string
	file   string // it is what this file holds
}

// layer holds the values of one source by key.
type layer map[string]value

// Load merges defaults, file, environment and flags. Mistakes are an [*Error].
// It does not judge whether the values make sense together; see [Loaded.Validate].
func Load(src Sources) (*Loaded, error) {
	list := Fields()
	l := &Loaded{Config: Default(), origins: map[string]string{}, files: map[string]string{}}
	for _, read := range []func(Sources, []*Field) (layer, error){fileLayer, environmentLayer, flagLayer} {
		values, err := read(src, list)
		if err != nil {
			return nil, err
		}
		l.put(values, list)
	}
	if l.Compat.Invenio {
		l.put(l.preset(list), list)
	}
	return l, nil
}

// put lays values over what is there.
func (l *Loaded) put(values layer, list []*Field) {
	for _, f := range list {
		if v, ok := values[f.Key]; ok {
			reflect.ValueOf(&l.Config).Elem().FieldByIndex(f.index).Set(v.typed)
			l.origins[f.Key], l.files[f.Key] = v.origin, v.file
		}
	}
}

// preset turns on the switches of compat that nothing has set. The predecessor
// had no OpenID, so not that of its hybrid flow.
func (l *Loaded) preset(list []*Field) layer {
	out := layer{}
	for _, f := range list {
		if strings.HasPrefix(f.Key, "compat.") && f.Key != "compat.hybrid" && l.origins[f.Key] == "" {
			out[f.Key] = value{typed: reflect.ValueOf(true), origin: "compat.invenio"}
		}
	}
	return out
}

// environmentLayer reads VALETKEY_… variables.
func environmentLayer(src Sources, list []*Field) (layer, error) {
	byName := map[string]*Field{}
	var names []string
	for _, f := range list {
		byName[f.Env()], names = f, append(names, f.Env())
		if f.Secret {
			names = append(names, f.Env()+strings.ToUpper(fileSuffix))
		}
	}
	out := layer{}
	for _, pair := range src.Environ {
		name, text, _ := strings.Cut(pair, "=")
		known := slices.Contains(names, name)
		if !strings.HasPrefix(name, envPrefix) || text == "" || !known && foreign.MatchString(name) {
			continue
		}
		where := "environment " + name
		if !known {
			return nil, &Error{where, fmt.Errorf("there is no such setting%s", didYouMean(name, names))}
		}
		f, fromFile := byName[name], false
		if f == nil {
			f, fromFile = byName[strings.TrimSuffix(name, strings.ToUpper(fileSuffix))], true
		}
		if err := out.put(f, text, where, fromFile); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// foreign matches variables that begin like ours and are not: where the
// configuration file is, what our tests read, and the addresses that Kubernetes
// and Docker put into a container next to a service called valetkey.
var foreign = regexp.MustCompile(`^VALETKEY_(CONFIG|TEST_.*|(.*_)?(SERVICE_(HOST|PORT.*)|PORT(_.*)?|NAME))$`)

// flagLayer reads the flags.
func flagLayer(src Sources, list []*Field) (layer, error) {
	out := layer{}
	for _, f := range list {
		if text, given := src.Flags[f.Flag()]; given {
			if err := out.put(f, text, "flag --"+f.Flag(), f.Secret); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// put parses text and adds it to the layer.
func (l layer) put(f *Field, text, where string, fromFile bool) error {
	if _, twice := l[f.Key]; twice {
		return &Error{where, fmt.Errorf("%s is given twice, by itself and by a file", f.Key)}
	}
	if fromFile {
		v, err := readSecret(text, where)
		l[f.Key] = v
		return err
	}
	typed, err := parseText(f.typ, text)
	if err == nil {
		err = f.allowed(text)
	}
	if err != nil {
		return &Error{where, err}
	}
	l[f.Key] = value{typed: typed, origin: where}
	return nil
}

// allowed checks the value against the list of those allowed.
func (f *Field) allowed(text string) error {
	if len(f.Enum) == 0 || slices.Contains(f.Enum, text) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", text, strings.Join(f.Enum, ", "))
}

// readSecret reads the file that holds a secret, without the line end that
// editors add.
func readSecret(name, where string) (value, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return value{}, &Error{where, err}
	}
	file, err := filepath.Abs(name)
	if err != nil {
		return value{}, &Error{where, err}
	}
	return value{reflect.ValueOf(oauth.Secret(strings.TrimRight(string(text), "\r\n"))), where, file}, nil
}
