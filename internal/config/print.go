package config

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Setting is one value as "valetkey config print" shows it.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"` // as in the file; a secret is masked
	Origin string `json:"origin"`
}

// Settings lists every setting.
func (l *Loaded) Settings() []Setting {
	var out []Setting
	for _, f := range Fields() {
		v := reflect.ValueOf(l.Config).FieldByIndex(f.index)
		origin := l.Origin(f.Key)
		if file := l.files[f.Key]; file != "" {
			origin += " (" + file + ")"
		}
		text := format(v)
		if f.Key == "db" && strings.HasPrefix(l.DB, "postgres") {
			text = quote(WithoutPassword(l.DB))
		}
		out = append(out, Setting{f.Key, text, origin})
	}
	return out
}

// wrap breaks text into lines of at most width bytes.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// WriteSample writes a commented configuration. Every setting is there with its
// explanation and, commented out, its default; those in set are switched on.
func WriteSample(w io.Writer, set map[string]string) error {
	p := &printer{w: w}
	p.print("# The configuration of Valetkey.\n#\n")
	p.print("# A line that begins with # and a key shows the default: take the # away to\n# change it. Each key is also an environment variable (lifetimes.code is\n# VALETKEY_LIFETIMES_CODE) and a flag (--lifetimes-code), which win over this\n# file in that order. \"valetkey config print --origin\" shows what holds.\n")
	for section, list := range bySection() {
		indent := ""
		if section.key != "" {
			p.print("\n%s%s:\n", comment("", section.doc), section.key)
			indent = "  "
		}
		for _, f := range list {
			if indent == "" {
				p.print("\n")
			}
			p.print("%s", comment(indent, f.doc()))
			p.sample(f, indent, set)
		}
	}
	return p.err
}

// sample writes the line of one setting.
func (p *printer) sample(f *Field, indent string, set map[string]string) {
	name := f.Key[strings.LastIndexByte(f.Key, '.')+1:]
	if f.Secret {
		name += fileSuffix
	}
	switch v, ok := set[f.Key]; {
	case ok:
		p.print("%s%s: %s\n", indent, name, quote(v))
	case strings.HasPrefix(f.Example, "{"): // an element of a list of mappings
		p.print("%s# %s:\n%s#   - %s\n", indent, name, indent, f.Example)
	case f.Example != "":
		p.print("%s# %s: %s\n", indent, name, f.Example)
	case f.Secret:
		p.print("%s# %s: FILE\n", indent, name)
	default:
		p.print("%s# %s: %s\n", indent, name, f.Default)
	}
}

// doc is the explanation with the values allowed.
func (f *Field) doc() string {
	if len(f.Enum) == 0 {
		return f.Doc
	}
	return f.Doc + " (" + strings.Join(f.Enum, ", ") + ")"
}

func comment(indent, text string) string {
	lines := wrap(text, 76-len(indent))
	return indent + "# " + strings.Join(lines, "\n"+indent+"# ") + "\n"
}

// WriteDocs writes docs/configuration.md.
func WriteDocs(w io.Writer) error {
	p := &printer{w: w}
	p.print("%s", docsHead)
	for section, list := range bySection() {
		title, doc := "General", "Keys at the top of the file."
		if section.key != "" {
			title, doc = "`"+section.key+"`", section.doc
		}
		p.print("\n## %s\n\n%s\n\n| key | default | meaning |\n|---|---|---|\n", title, doc)
		for _, f := range list {
			p.print("| `%s`<br>`%s`<br>`--%s` | %s | %s |\n", f.fileKey(), f.envName(), f.Flag(), f.docsDefault(), strings.ReplaceAll(f.docsText(), "|", `\|`))
		}
	}
	return p.err
}

const docsHead = `# Configuration

Generated from internal/config; do not edit.

Every setting is a key of the YAML file (` + "`valetkey serve --config FILE`" + `), an environment
variable and a flag. Flags win over the environment, the environment over the file, the
file over the defaults. ` + "`valetkey config print --origin`" + ` shows each value and where it
came from; ` + "`valetkey config validate`" + ` checks a configuration without starting it.

- Durations: ` + "`90s`, `10m`, `8h`, `30d`" + `.
- Lists: a YAML list in the file; values with commas between them in variables and flags.
- Paths in the file are relative to the file.
- Secrets: the key that ends in ` + "`_file`" + ` names a file that holds the secret. The secret itself may
  stand in the file or the environment under the key without ` + "`_file`" + `, and never in a flag.
- A key, ` + "`VALETKEY_…`" + ` variable or flag that does not exist is an error. An empty variable counts as not set.
- The file is named by ` + "`--config`" + ` or ` + "`VALETKEY_CONFIG`" + `; else it is ` + "`valetkey.yaml`" + ` in the current directory, if that exists.
`

func (f *Field) fileKey() string {
	if f.Secret {
		return f.Key + fileSuffix
	}
	return f.Key
}

func (f *Field) envName() string {
	if f.Secret {
		return f.Env() + strings.ToUpper(fileSuffix)
	}
	return f.Env()
}

func (f *Field) docsDefault() string {
	if f.Default == "" || f.Default == `""` || f.Default == "[]" {
		return ""
	}
	return "`" + f.Default + "`"
}

func (f *Field) docsText() string {
	s := f.Doc
	if len(f.Enum) > 0 {
		s += " One of `" + strings.Join(f.Enum, "`, `") + "`."
	}
	if f.Example != "" {
		s += " Example: `" + f.Example + "`"
	}
	return s
}

// section is a group of settings: one struct inside Config.
type section struct{ key, doc string }

// bySection yields the settings at the top, then those of each section.
func bySection() func(yield func(section, []*Field) bool) {
	return func(yield func(section, []*Field) bool) {
		t := reflect.TypeFor[Config]()
		order := []section{{}}
		for i := range t.NumField() {
			if sf := t.Field(i); sf.Type.Kind() == reflect.Struct {
				order = append(order, section{sf.Tag.Get("key"), sf.Tag.Get("doc")})
			}
		}
		all := Fields()
		for _, s := range order {
			list := slices.DeleteFunc(slices.Clone(all), func(f *Field) bool {
				in, _, ok := strings.Cut(f.Key, ".")
				return ok && in != s.key || !ok && s.key != ""
			})
			if !yield(s, list) {
				return
			}
		}
	}
}

// printer keeps the first error of many writes.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
