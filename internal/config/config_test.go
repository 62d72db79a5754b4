package config_test

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/keyring"
)

var update = flag.Bool("update", false, "rewrite docs/configuration.md")

// write puts text into a file of the test's own and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLayersAndOrigins(t *testing.T) {
	t.Parallel()
	file := write(t, "valetkey.yaml", `issuer: https://file.example
product: From the file
lifetimes:
  code: 30s
  access_token: 2h
server:
  trusted_proxies: [10.0.0.0/8, 192.0.2.7]
scopes:
  - name: records:read
    description: Read your records
    group: Records
mail:
`)
	l, err := config.Load(config.Sources{
		File:    file,
		Environ: []string{"VALETKEY_PRODUCT=From the environment", "VALETKEY_LIFETIMES_ACCESS_TOKEN=30d", "VALETKEY_SIGNUP=", "VALETKEY_SERVICE_HOST=10.1.1.1", "VALETKEY_PORT_8080_TCP_ADDR=10.1.1.1", "VALETKEY_MAIL_PORT=25", "HOME=/"},
		Flags:   map[string]string{"lifetimes-access-token": "90m", "password-grant": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ key, origin string }{
		{"issuer", file + ":1"},
		{"product", "environment VALETKEY_PRODUCT"},
		{"lifetimes.code", file + ":4"},
		{"lifetimes.access_token", "flag --lifetimes-access-token"},
		{"lifetimes.refresh_token", "default"},
		{"password_grant", "flag --password-grant"},
		{"signup", "default"},
		{"mail.port", "environment VALETKEY_MAIL_PORT"},
		{"scopes", file + ":9"},
	} {
		if got := l.Origin(tt.key); got != tt.origin {
			t.Errorf("origin of %s: got %q, want %q", tt.key, got, tt.origin)
		}
	}
	if got, want := l.Product, "From the environment"; got != want {
		t.Errorf("product: got %q, want %q", got, want)
	}
	if got, want := l.Lifetimes.AccessToken.Std(), 90*time.Minute; got != want {
		t.Errorf("access token: got %v, want %v", got, want)
	}
	if got, want := l.Lifetimes.RefreshToken.Std(), 90*24*time.Hour; got != want {
		t.Errorf("refresh token: got %v, want %v", got, want)
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32")}
	if got := l.Server.TrustedProxies; !slices.Equal(got, proxies) {
		t.Errorf("trusted proxies: got %v, want %v", got, proxies)
	}
	if got := l.Scopes; len(got) != 1 || got[0].Name != "records:read" || got[0].Group != "Records" {
		t.Errorf("scopes: got %+v", got)
	}
	if !l.PasswordGrant || l.Mail.Port != 25 {
		t.Errorf("password grant %v, mail port %d", l.PasswordGrant, l.Mail.Port)
	}
}

func TestEverySettingHasThreeSpellings(t *testing.T) {
	t.Parallel()
	samples := map[string]string{"scopes": "[{name: a, description: A}]", "resources": "[{uri: 'https://api.example.org'}]", "server.trusted_proxies": "10.0.0.0/8,::1"}
	seen := map[string]bool{}
	for _, f := range config.Fields() {
		text := samples[f.Key]
		switch {
		case text != "":
		case len(f.Enum) > 0:
			text = f.Enum[0]
		case f.Bool:
			text = "true"
		default:
			text = "7s"
			if f.Default != "" && strings.Trim(f.Default, "0123456789") == "" {
				text = "7"
			}
		}
		if f.Doc == "" {
			t.Errorf("%s has no documentation", f.Key)
		}
		if seen[f.Env()] || seen[f.Flag()] {
			t.Errorf("%s: its variable or flag is taken", f.Key)
		}
		seen[f.Env()], seen[f.Flag()] = true, true
		l, err := config.Load(config.Sources{Environ: []string{f.Env() + "=" + text}})
		if err != nil {
			t.Errorf("%s: %v", f.Env(), err)
		} else if got, want := l.Origin(f.Key), "environment "+f.Env(); got != want {
			t.Errorf("origin of %s: got %q, want %q", f.Key, got, want)
		}
		if f.Secret {
			text = write(t, "secret", text)
		}
		if l, err = config.Load(config.Sources{Flags: map[string]string{f.Flag(): text}}); err != nil {
			t.Errorf("--%s: %v", f.Flag(), err)
		} else if got, want := l.Origin(f.Key), "flag --"+f.Flag(); got != want {
			t.Errorf("origin of %s: got %q, want %q", f.Key, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, env, want string // want: after the name of the file
	}{
		{name: "unknown key", file: "issuer: x\n\nlifetime:\n  code: 1m\n", want: `:3: unknown key "lifetime"; did you mean "lifetimes"?`},
		{name: "misspelled key", file: "lifetimes:\n  acces_token: 1h\n", want: `:2: unknown key "lifetimes.acces_token"; did you mean "lifetimes.access_token"?`},
		{name: "wrong section", file: "server:\n  idle: 1h\n", want: `:2: unknown key "server.idle"; did you mean "sessions.idle"?`},
		{name: "nothing near", file: "zebra: 1h\n", want: `:1: unknown key "zebra"`},
		{name: "unknown key of a scope", file: "scopes:\n  - name: a\n    descripton: b\n", want: `:3: scopes: unknown key "descripton"; did you mean "description"?`},
		{name: "not a duration", file: "lifetimes:\n  code: soon\n", want: `:2: lifetimes.code: "soon" is not a duration; write for example 90s, 10m, 8h or 30d`},
		{name: "negative", file: "lifetimes:\n  code: -1m\n", want: `:2: lifetimes.code: "-1m" is not a duration; write for example 90s, 10m, 8h or 30d`},
		{name: "not a list of mappings", file: "resources: everything\n", want: `:1: resources: is not a YAML list`},
		{name: "not a switch", file: "signup: yes please\n", want: `:1: signup: "yes please" is neither true nor false`},
		{name: "not in the list", file: "sessions: {binding: tight}\n", want: `:1: sessions.binding: "tight" is none of off, standard, network, strict`},
		{name: "not a network", file: "server:\n  trusted_proxies:\n    - 10.0.0.0/8\n    - proxy.local\n", want: `:4: server.trusted_proxies: "proxy.local" is neither an address nor a network such as 10.0.0.0/8`},
		{name: "section is a value", file: "mail: none\n", want: `:1: mail: it is not a mapping of keys to values`},
		{name: "list where a value belongs", file: "issuer: [a, b]\n", want: `:1: issuer: is not a single value`},
		{name: "twice", file: "issuer: a\nissuer: b\n", want: `:2: issuer is there twice`},
		{name: "secret and its file", file: "mail:\n  password: a\n  password_file: /dev/null\n", want: `:3: mail.password is given twice, by itself and by a file`},
		{name: "not YAML", file: "issuer: [\n", want: `: line 1: did not find expected node content`},
		{name: "two documents", file: "issuer: a\n---\nissuer: b\n", want: `: holds more than one document (---)`},
		{name: "unknown variable", env: "VALETKEY_LIFETIME_CODE=1m", want: `environment VALETKEY_LIFETIME_CODE: there is no such setting; did you mean "VALETKEY_LIFETIMES_CODE"?`},
		{name: "variable of the wrong type", env: "VALETKEY_SIGNUP=maybe", want: `environment VALETKEY_SIGNUP: "maybe" is neither true nor false`},
		{name: "secret file that is not there", env: "VALETKEY_KEYRING_FILE=/nowhere/at/all", want: `environment VALETKEY_KEYRING_FILE: open /nowhere/at/all: no such file or directory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := config.Sources{}
			if tt.file != "" {
				src.File = write(t, "c.yaml", tt.file)
			}
			if tt.env != "" {
				src.Environ = []string{tt.env}
			}
			_, err := config.Load(src)
			var mistake *config.Error
			if !errors.As(err, &mistake) {
				t.Fatalf("got %v, want a *config.Error", err)
			}
			if got, want := err.Error(), src.File+tt.want; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestPathsInTheFileAreRelativeToIt(t *testing.T) {
	t.Parallel()
	file := write(t, "valetkey.yaml", "db: sqlite:data/vk.db\ntemplates: pages\nkeyring_file: keys\n")
	dir := filepath.Dir(file)
	if err := os.WriteFile(filepath.Join(dir, "keys"), []byte(keyring.Line("k1")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Sources{File: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"db", l.DB, "sqlite:" + filepath.Join(dir, "data/vk.db")},
		{"templates", l.Templates, filepath.Join(dir, "pages")},
		{"keyring file", l.SecretFile("keyring"), filepath.Join(dir, "keys")},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if l.Keyring == "" || strings.HasSuffix(string(l.Keyring), "\n") {
		t.Errorf("the keyring was not read, or with its line end")
	}
	if l, err = config.Load(config.Sources{Flags: map[string]string{"db": "sqlite:here.db"}}); err != nil || l.DB != "sqlite:here.db" {
		t.Errorf("a path in a flag: got %q, %v", l.DB, err)
	}
}

func TestParity58_PresetTurnsOnWhatIsNotSet(t *testing.T) {
	t.Parallel()
	l, err := config.Load(config.Sources{File: write(t, "c.yaml", "compat:\n  invenio: true\n  query_token: false\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Compat{Invenio: true, Implicit: true, UnknownClient404: true, AnySecretMethod: true, OneTokenPerClient: true, TokenUser: true, AlwaysConsent: true,
		RotateAll: true, ErrorRedirect: true, ClientCredentialsAsOwner: true, OptionalPKCE: true, ImmortalTokens: true, BearerJWT: true}
	if l.Compat != want {
		t.Errorf("got  %+v\nwant %+v", l.Compat, want)
	}
	if got, want := l.Origin("compat.implicit"), "compat.invenio"; got != want {
		t.Errorf("origin: got %q, want %q", got, want)
	}
}

func TestParity58_Defaults(t *testing.T) {
	t.Parallel()
	c := config.Default()
	if got, want := c.Lifetimes.AccessToken.Std(), time.Hour; got != want {
		t.Errorf("access token: got %v, want %v", got, want)
	}
	if c.PasswordGrant || c.Signup || c.TestEndpoints || c.Compat != (config.Compat{}) {
		t.Errorf("something unsafe is on by default: %+v", c)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	sample := "k1:" + strings.Repeat("A", 43) + "="
	for _, tt := range []struct{ name, change, want string }{
		{"it stands", "", ""},
		{"no issuer", "issuer=", "issuer (default): it is missing."},
		{"plain http", "issuer=http://id.example.org", "plain http, which is for loopback addresses only"},
		{"plain http on loopback", "issuer=http://127.0.0.1:8080", ""},
		{"plain http on localhost", "issuer=http://localhost:8080", ""},
		{"plain http on something that looks like loopback", "issuer=http://127.0.0.1.example.org", "plain http"},
		{"query", "issuer=https://id.example.org?a=b", "must not hold"},
		{"slash", "issuer=https://id.example.org/", "must not end in a slash"},
		{"path", "issuer=https://example.org/auth", ""},
		{"no URL", "issuer=id.example.org", "is not a URL"},
		{"address", "addr=8080", "is not an address and a port"},
		{"metrics for everybody", "metrics.addr=0.0.0.0:9098", "can be reached from other machines"},
		{"metrics for everybody, by name", "metrics.addr=:9098", "can be reached from other machines"},
		{"metrics for everybody, on purpose", "metrics.addr=0.0.0.0:9098;metrics.expose=true", ""},
		{"metrics on any port", "metrics.addr=[::1]:0", ""},
		{"metrics nowhere", "metrics.addr=9098", "is not an address and a port such as"},
		{"no metrics", "metrics.addr=off", ""},
		{"traces to nowhere", "tracing.otlp_endpoint=127.0.0.1:4318", "is not a URL"},
		{"traces to a collector", "tracing.otlp_endpoint=http://127.0.0.1:4318", ""},
		{"database", "db=mysql://x", "is neither sqlite:PATH"},
		{"database on a server", "db=postgres://valetkey@db.internal/valetkey?sslmode=verify-full&pool_max_conns=40", ""},
		{"database without a name", "db=postgres://db.internal", "names no database"},
		{"password that breaks the URL", "db=postgres://valetkey:sec%ret@db.internal/valetkey", "must be percent-encoded"},
		{"no keys", "keyring=", "there are no secret keys"},
		{"sample key", "keyring=" + sample, "is a sample, not a secret"},
		{"short key", "keyring=k1:c2hvcnQ=", "is not 32 bytes in base64"},
		{"templates", "templates=/nowhere/at/all", "is not a directory"},
		{"signup without mail", "signup=true", "it needs mail.host"},
		{"long code", "lifetimes.code=1h", "is not between 1s and 10m"},
		{"default beyond max", "personal_tokens.default=400d", "personal_tokens.max, which is 366d"},
		{"mail without sender", "mail.host=localhost", "Mail needs a sender"},
		{"mail from nobody", "mail.host=localhost;mail.from=id@", "Mail needs a sender"},
		{"scope without description", "scopes=[{name: a}]", "has no description"},
		{"scope that is none", "scopes=[{name: a b, description: x}]", "is not a scope-token"},
		{"prefix", "token_prefix=Not OK", "is not one to ten"},
		{"header", "jwt.header=a b", "is not the name of a header"},
		{"zero", "sessions.idle=0s", "0s is too short"},
		{"expires_in of zero", "lifetimes.access_token=900ms", "900ms is too short"},
		{"code of no second", "lifetimes.code=1ms", "is not between 1s and 10m"},
		{"default of nothing", "personal_tokens.default=0s", "is not between 1s and"},
		{"path that no router takes", "issuer=https://example.org/a//b", "its path"},
		{"header list", "jwt.header=a,b", "is not the name of a header"},
		{"two words", "jwt.type=Bearer JWT", "is not one word"},
		{"sender", "mail.from=Example ID <id@example.org>", ""},
		{"host", "server.hosts=id.internal, 10.0.0.5:8080, [::1]:80", ""},
		{"host that is a URL", "server.hosts=https://id.internal", "is not a host"},
		{"host with a path", "server.hosts=id.internal/auth", "is not a host"},
		{"pushed request", "lifetimes.pushed_request=1s", "is not between 5s and 10m"},
		{"device code", "lifetimes.device_code=2h", "is not between 1m and 30m"},
		{"signing key", "lifetimes.signing_key=1d", "two days are the least"},
		{"registration", "registration.unused=1m", "an hour is the least"},
		{"resource", "resources=[{uri: 'https://api.example.org', format: jwt}]", ""},
		{"resource with a fragment", "resources=[{uri: 'https://api.example.org#x'}]", "is not an absolute URI"},
		{"resource of nothing", "resources=[{uri: api}]", "is not an absolute URI"},
		{"resource of a strange format", "resources=[{uri: 'https://api.example.org', format: saml}]", "is neither opaque nor jwt"},
		{"fetch", "fetch.allow=keys.internal, 10.1.0.0/16, ::1", ""},
		{"fetch from a URL", "fetch.allow=https://keys.internal", "is neither a host"},
		{"half a certificate", "server.tls_cert=cert.pem", "go together"},
		{"host of nothing", "server.hosts=:80", "is not a host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vars := map[string]string{"issuer": "https://id.example.org", "keyring": string(keyring.Line("k1"))}
			for change := range strings.SplitSeq(tt.change, ";") {
				if key, value, ok := strings.Cut(change, "="); ok {
					vars[key] = value
				}
			}
			var environ []string
			for _, f := range config.Fields() {
				if v, ok := vars[f.Key]; ok {
					environ = append(environ, f.Env()+"="+v)
				}
			}
			l, err := config.Load(config.Sources{Environ: environ})
			if err != nil {
				t.Fatal(err)
			}
			err = l.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	line := keyring.Line("k1")
	l, err := config.Load(config.Sources{Environ: []string{"VALETKEY_KEYRING=" + string(line), "VALETKEY_MAIL_PASSWORD=swordfish"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Settings() {
		if strings.Contains(s.Value, string(line)) || strings.Contains(s.Value, "swordfish") {
			t.Errorf("%s shows its secret", s.Key)
		}
		if s.Key == "mail.password" && s.Value == "" {
			t.Error("mail.password does not show that it is set")
		}
	}
}

// The file that init writes changes nothing but what was asked for, also when
// every line of it is switched on.
func TestSampleIsAConfiguration(t *testing.T) {
	t.Parallel()
	var sample bytes.Buffer
	if err := config.WriteSample(&sample, map[string]string{"issuer": "https://id.example.org"}); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(config.Sources{File: write(t, "c.yaml", sample.String())})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Issuer = "https://id.example.org"
	if got := l.Config; len(got.Scopes) != 0 || got.Lifetimes != want.Lifetimes || got.Issuer != want.Issuer || got.Mail != want.Mail || got.Compat != want.Compat {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	// A commented default is "# key: …", maybe indented; prose never looks so.
	keys := map[string]bool{}
	for _, f := range config.Fields() {
		key := f.Key[strings.LastIndexByte(f.Key, '.')+1:]
		if f.Secret {
			continue // its file is not there
		}
		keys[key] = true
	}
	var all strings.Builder
	for line := range strings.Lines(sample.String()) {
		bare := strings.Replace(line, "# ", "", 1)
		key, _, ok := strings.Cut(strings.TrimLeft(bare, " "), ":")
		if ok && bare != line && (keys[key] || strings.HasPrefix(key, "- {name")) {
			line = bare
		}
		all.WriteString(line)
	}
	if l, err = config.Load(config.Sources{File: write(t, "all.yaml", all.String())}); err != nil {
		t.Fatalf("%v\n%s", err, all.String())
	}
	if l.Lifetimes != want.Lifetimes || len(l.Scopes) != 1 || l.Origin("mail.port") == "default" {
		t.Errorf("with every line switched on: %+v", l.Config)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	const name = "../../docs/configuration.md"
	var docs bytes.Buffer
	if err := config.WriteDocs(&docs); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, docs.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, docs.Bytes()) {
		t.Error("docs/configuration.md is not what the struct says: go test ./internal/config -update")
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, out string }{
		{"90s", "1m30s"}, {"1m", "1m"}, {"60m", "1h"}, {"24h", "1d"}, {"90d", "90d"}, {"36h", "36h"}, {"1h30m", "1h30m"}, {"0s", "0s"}, {"250ms", "250ms"},
	} {
		d, err := config.ParseDuration(tt.in)
		if err != nil || d.String() != tt.out {
			t.Errorf("%s: got %v, %v, want %s", tt.in, d, err, tt.out)
		}
	}
	for _, bad := range []string{"", "d", "-1d", "1", "99999999d", "1w"} {
		if d, err := config.ParseDuration(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, d)
		}
	}
}

func TestPasswordOfTheDatabaseIsNotShown(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"postgres://vk:hunter2@db.internal/vk", "postgres://vk@db.internal/vk?password=hunter2", "postgresql://vk:hunter2@db.internal/vk"} {
		l, err := config.Load(config.Sources{Environ: []string{"VALETKEY_DB=" + db}})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Settings() {
			if strings.Contains(s.Value, "hunter2") {
				t.Errorf("%s: %s = %s", db, s.Key, s.Value)
			}
		}
	}
	_, n, err := config.PoolSize("postgres://vk@db.internal/vk?pool_max_conns=7&sslmode=disable", 20)
	if err != nil || n != 7 {
		t.Errorf("pool_max_conns=7: %d, %v", n, err)
	}
	for db, want := range map[string]string{
		"postgres://vk@a.internal:5432,b.internal:5433/vk?target_session_attrs=read-write": "postgres://vk@a.internal:5432,b.internal:5433/vk?connect_timeout=3&target_session_attrs=read-write",
		"postgres://vk@db.internal/vk?connect_timeout=9":                                   "postgres://vk@db.internal/vk?connect_timeout=9",
	} {
		if got, err := config.ConnectWithin(db, 3); err != nil || got != want {
			t.Errorf("ConnectWithin: %s, %v; want %s", got, err, want)
		}
	}
	for _, size := range []string{"0", "many", "100000"} {
		if _, _, err := config.PoolSize("postgres://vk@db.internal/vk?pool_max_conns="+size, 20); err == nil {
			t.Errorf("pool_max_conns=%s was taken", size)
		}
	}
}
