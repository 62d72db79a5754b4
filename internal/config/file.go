package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the file before it is parsed.
const maxFile = 1 << 20

// fileLayer reads the YAML file.
func fileLayer(src Sources, list []*Field) (layer, error) {
	if src.File == "" {
		return layer{}, nil
	}
	info, err := os.Stat(src.File)
	if err != nil {
		return nil, &Error{src.File, errors.Unwrap(err)}
	}
	if info.Size() > maxFile {
		return nil, &Error{src.File, errors.New("is larger than a configuration can be")}
	}
	text, err := os.ReadFile(src.File)
	if err != nil {
		return nil, &Error{src.File, err}
	}
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return layer{}, nil // nothing but comments
	case err != nil:
		return nil, &Error{src.File, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if d.Decode(&second) != io.EOF {
		return nil, &Error{src.File, errors.New("holds more than one document (---)")}
	}
	r := &fileReader{name: src.File, out: layer{}, byKey: map[string]*Field{}, sections: map[string]bool{}, keys: keys(list)}
	for _, f := range list {
		r.byKey[f.Key] = f
		if section, _, ok := strings.Cut(f.Key, "."); ok {
			r.sections[section] = true
		}
	}
	return r.out, r.mapping(doc.Content[0], "")
}

// fileReader walks the tree of one file.
type fileReader struct {
	name     string
	out      layer
	byKey    map[string]*Field
	sections map[string]bool
	keys     []string
}

func (r *fileReader) where(line int) string { return fmt.Sprintf("%s:%d", r.name, line) }

func (r *fileReader) mapping(n *yaml.Node, prefix string) error {
	if n.Kind != yaml.MappingNode {
		return &Error{r.where(n.Line), fmt.Errorf("%sit is not a mapping of keys to values", colon(prefix))}
	}
	seen := map[string]bool{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			return &Error{r.where(key.Line), fmt.Errorf("%s%s is there twice", prefix, key.Value)}
		}
		seen[key.Value] = true
		if err := r.entry(key, value, prefix+key.Value); err != nil {
			return err
		}
	}
	return nil
}

func (r *fileReader) entry(key, n *yaml.Node, name string) error {
	f := r.byKey[name]
	secret := r.byKey[strings.TrimSuffix(name, fileSuffix)]
	switch {
	case n.Tag == "!!null" && (f != nil || r.sections[name]):
		return nil // everything below it is commented out
	case r.sections[name]:
		return r.mapping(n, name+".")
	case f != nil:
		return r.set(f, n)
	case secret != nil && secret.Secret && n.Kind == yaml.ScalarNode:
		return r.out.put(secret, r.beside(n.Value), r.where(n.Line), true)
	}
	return &Error{r.where(key.Line), fmt.Errorf("unknown key %q%s", name, didYouMean(name, r.keys))}
}

func (r *fileReader) set(f *Field, n *yaml.Node) error {
	v, err := parseNode(f.typ, n)
	if err == nil && n.Kind == yaml.ScalarNode {
		if err = f.allowed(n.Value); err != nil {
			err = at(n, "%w", err)
		}
	}
	if err != nil {
		line := n.Line
		if le := (*lineError)(nil); errors.As(err, &le) {
			line = le.line
		}
		return &Error{r.where(line), fmt.Errorf("%s: %w", f.Key, err)}
	}
	if f.path {
		scheme, path, ok := strings.Cut(v.String(), ":")
		if !ok || len(scheme) == 1 { // no scheme, or the drive of a Windows path
			scheme, path = "", v.String()
		} else {
			scheme += ":"
		}
		v = reflect.ValueOf(scheme + r.beside(path))
	}
	if _, twice := r.out[f.Key]; twice {
		return &Error{r.where(n.Line), fmt.Errorf("%s is given twice, by itself and by a file", f.Key)}
	}
	r.out[f.Key] = value{typed: v, origin: r.where(n.Line)}
	return nil
}

// beside makes a relative path relative to the file it stands in, so that the
// file means the same wherever the program is started.
func (r *fileReader) beside(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.name), path)
}

// colon makes the prefix of a section the beginning of a sentence.
func colon(prefix string) string {
	if prefix == "" {
		return ""
	}
	return strings.TrimSuffix(prefix, ".") + ": "
}
