package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/valetkey/valetkey/oauth"
)

// Duration is a time.Duration that is written with days too: 90s, 10m, 8h, 30d.
type Duration time.Duration

const (
	second = Duration(time.Second)
	minute = Duration(time.Minute)
	hour   = Duration(time.Hour)
	day    = 24 * hour
)

// Std returns d as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func (d Duration) String() string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.Std().String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ParseDuration reads what [Duration.String] writes and everything that
// time.ParseDuration does.
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 32); err == nil && n >= 0 && n <= 36500 {
			return Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration; write for example 90s, 10m, 8h or 30d", s)
	}
	return Duration(d), nil
}

var (
	secretType = reflect.TypeFor[oauth.Secret]()
	prefixType = reflect.TypeFor[netip.Prefix]()
)

// parseText reads a value of type t from an environment variable or a flag. A
// list is written with commas, a list of mappings as YAML.
func parseText(t reflect.Type, s string) (reflect.Value, error) {
	if t.Kind() != reflect.Slice {
		return parseScalar(t, s)
	}
	var doc yaml.Node
	if t.Elem().Kind() == reflect.Struct && t.Elem() != prefixType || strings.HasPrefix(s, "[") {
		if err := yaml.Unmarshal([]byte(s), &doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode {
			return reflect.Value{}, errors.New("is not a YAML list")
		}
		return parseNode(t, doc.Content[0])
	}
	list := reflect.MakeSlice(t, 0, 0)
	for item := range strings.SplitSeq(s, ",") {
		v, err := parseScalar(t.Elem(), strings.TrimSpace(item))
		if err != nil {
			return reflect.Value{}, err
		}
		list = reflect.Append(list, v)
	}
	return list, nil
}

// lineError is a complaint about one line of a YAML text.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return e.err.Error() }
func (e *lineError) Unwrap() error { return e.err }

func at(n *yaml.Node, format string, args ...any) error {
	return &lineError{n.Line, fmt.Errorf(format, args...)}
}

// parseNode reads a value of type t from a YAML node.
func parseNode(t reflect.Type, n *yaml.Node) (reflect.Value, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		list := reflect.MakeSlice(t, 0, len(n.Content))
		for _, item := range n.Content {
			v, err := parseNode(t.Elem(), item)
			if err != nil {
				return reflect.Value{}, err
			}
			list = reflect.Append(list, v)
		}
		return list, nil
	case t.Kind() == reflect.Slice && n.Kind == yaml.ScalarNode:
		v, err := parseText(t, n.Value)
		if err != nil {
			return reflect.Value{}, at(n, "%w", err)
		}
		return v, nil
	case t.Kind() == reflect.Slice:
		return reflect.Value{}, at(n, "is not a list")
	case t.Kind() == reflect.Struct && t != prefixType:
		return parseMapping(t, n)
	case n.Kind != yaml.ScalarNode:
		return reflect.Value{}, at(n, "is not a single value")
	}
	v, err := parseScalar(t, n.Value)
	if err != nil {
		return reflect.Value{}, at(n, "%w", err)
	}
	return v, nil
}

// parseMapping reads one element of a list of mappings.
func parseMapping(t reflect.Type, n *yaml.Node) (reflect.Value, error) {
	if n.Kind != yaml.MappingNode {
		return reflect.Value{}, at(n, "is not a mapping")
	}
	index := map[string]int{}
	var names []string
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("key")
		index[name], names = i, append(names, name)
	}
	out := reflect.New(t).Elem()
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, ok := index[key.Value]
		if !ok {
			return reflect.Value{}, at(key, "unknown key %q%s", key.Value, didYouMean(key.Value, names))
		}
		v, err := parseNode(t.Field(field).Type, value)
		if err != nil {
			return reflect.Value{}, at(value, "%s: %w", key.Value, err)
		}
		out.Field(field).Set(v)
	}
	return out, nil
}

func parseScalar(t reflect.Type, s string) (reflect.Value, error) {
	var v any
	var err error
	switch {
	case t == reflect.TypeFor[Duration]():
		v, err = ParseDuration(s)
	case t == prefixType:
		v, err = parsePrefix(s)
	case t == secretType:
		v = oauth.Secret(s)
	case t.Kind() == reflect.Bool:
		switch s {
		case "true", "false":
			v = s == "true"
		default:
			err = fmt.Errorf("%q is neither true nor false", s)
		}
	case t.Kind() == reflect.Int:
		if v, err = strconv.Atoi(s); err != nil {
			err = fmt.Errorf("%q is not a whole number", s)
		}
	case t.Kind() == reflect.String:
		v = s
	default:
		err = fmt.Errorf("a setting of type %s cannot be read", t)
	}
	return reflect.ValueOf(v), err
}

// parsePrefix reads a network (10.0.0.0/8) or one address.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", s)
	}
	return p.Masked(), nil
}

// format writes v as it would stand in the YAML file on one line.
func format(v reflect.Value) string {
	switch {
	case v.Type() == secretType:
		if v.String() == "" {
			return ""
		}
		return masked
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = format(v.Index(i))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case v.Kind() == reflect.Struct && v.Type() != prefixType:
		var pairs []string
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				pairs = append(pairs, v.Type().Field(i).Tag.Get("key")+": "+format(v.Field(i)))
			}
		}
		return "{" + strings.Join(pairs, ", ") + "}"
	case v.Kind() == reflect.String:
		return quote(v.String())
	default:
		return fmt.Sprint(v.Interface())
	}
}

// masked stands for a secret that is set.
const masked = "********"

// quote writes a string so that YAML reads the same string back.
func quote(s string) string {
	if s == "" {
		return `""`
	}
	text, err := yaml.Marshal(s)
	if err != nil || strings.Count(string(text), "\n") > 1 || strings.ContainsAny(s, ",[]{}") {
		return strconv.Quote(s)
	}
	return strings.TrimSpace(string(text))
}
