package config

import (
	"net/netip"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Config holds every setting. The tags are the documentation: key is the name,
// doc the explanation, example a value to show where the default is empty, enum
// the values allowed, and path marks what is relative to the configuration file.
type Config struct {
	Issuer      string `key:"issuer" example:"https://id.example.org" doc:"Public URL of this server, exactly as clients and browsers see it: https, no query, no trailing slash. Plain http is accepted on loopback only."`
	Addr        string `key:"addr" doc:"Address and port to listen on. Keep it on loopback behind a proxy that terminates TLS; 0.0.0.0:8080 listens everywhere."`
	DB          string `key:"db" path:"true" doc:"The database: sqlite:PATH, a file on a local disk that one server at a time may use; or postgres://user@host/database, which any number of servers may share. A PostgreSQL password belongs into the environment (PGPASSWORD, PGPASSFILE) or the file; pool_max_conns in the URL is how many connections a server may open (20)."`
	Product     string `key:"product" doc:"Name of the service as people read it on pages and in mails."`
	TokenPrefix string `key:"token_prefix" doc:"First word of every token and secret, one to ten lower-case letters and digits, so that secret scanners can recognise them. Tokens with another prefix stop working when it changes."`

	Keyring oauth.Secret `key:"keyring" doc:"The secret keys of this server, one ID:KEY a line, the newest first, as written by valetkey init. They encrypt what must be read again and prove that forms are ours."`

	Templates            string       `key:"templates" path:"true" example:"templates" doc:"Directory whose files replace the built-in page templates of the same name."`
	Signup               bool         `key:"signup" doc:"Let anybody make an account."`
	ImportedPasswordSalt oauth.Secret `key:"imported_password_salt" doc:"SECURITY_PASSWORD_SALT of the Flask-Security site whose password hashes were imported; empty: none were."`
	PasswordGrant        bool         `key:"password_grant" doc:"Offer the password grant (RFC 6749 §4.3) to clients that are registered for it. It hands passwords to applications; RFC 9700 forbids it."`
	TestEndpoints        bool         `key:"test_endpoints" doc:"Serve /oauth/info and /oauth/invalid, two protected resources to try tokens on, and register the scope test:scope. /oauth/ping is always there."`

	Scopes []Scope `key:"scopes" example:"{name: records:read, group: Records, description: Read your records}" doc:"The scopes that clients may ask for: name, title, description, group, internal (hidden from forms), sensitive (cannot be undone). user:email is always there."`

	Resources []Resource `key:"resources" example:"{uri: 'https://api.example.org', name: Example API, format: jwt}" doc:"The protected resources that clients may name with the resource parameter (RFC 8707), beside this server itself: uri, name (people read it), format of their access tokens (opaque or jwt). Any other is refused."`

	RequirePushedRequests bool `key:"require_pushed_requests" doc:"Accept an authorization request only if the client pushed it before (RFC 9126)."`

	Profile        string `key:"profile" enum:"default|oidc-certification" doc:"The rules that clients are held to which are not registered for others: OAuth 2.1 with OpenID Connect, or (oidc-certification) OpenID Connect as the conformance plans of the OpenID Foundation test it, where clients may leave PKCE out."`
	AccessTokenAlg string `key:"access_token_alg" enum:"RS256|ES256" doc:"What signs access tokens in JWT form: RS256, which every API must know (RFC 9068 §2.1), or ES256, which takes a thirtieth of the time."`

	Registration    Registration    `key:"registration" doc:"Clients that register themselves (RFC 7591)."`
	ClientDocuments ClientDocuments `key:"client_documents" doc:"Clients whose id is the https URL of a document that describes them, as AI agents with MCP have it (OAuth Client ID Metadata Document)."`
	Fetch           Fetch           `key:"fetch" doc:"What the server fetches from clients: documents, key sets, request objects; and where it posts logout notices. Private addresses are refused, redirects are not followed."`

	RevocationBound Duration `key:"revocation_bound" doc:"The longest time for which a server may still take for alive what another server, or a command beside it, has revoked or disabled; on the server that did so it is dead at once. Tokens, clients and users are answered from memory within it. 0: never, every request asks the database. At most a minute."`

	Lifetimes      Lifetimes      `key:"lifetimes" doc:"How long things live."`
	PersonalTokens PersonalTokens `key:"personal_tokens" doc:"Rules for personal access tokens."`
	Sessions       Sessions       `key:"sessions" doc:"Sessions of people who are signed in."`
	JWT            JWT            `key:"jwt" doc:"The signed proof against cross-site requests that pages hold and that scripts send along with the session cookie."`
	Compat         Compat         `key:"compat" doc:"Old behaviour of Invenio-OAuth2Server, each switch weaker than the default. Turn on only what an existing client needs."`
	Mail           Mail           `key:"mail" doc:"How mails (password reset, address confirmation) are sent. Without mail.host there are none, and the pages that need them say so."`
	Server         Server         `key:"server" doc:"The HTTP server."`
	Metrics        Metrics        `key:"metrics" doc:"What whoever runs the server may see of it, on an address of its own: /metrics for Prometheus, /debug/pprof/, /debug/flightrecorder, /healthz and /readyz. docs/operations.md explains them."`
	Tracing        Tracing        `key:"tracing" doc:"Traces for OpenTelemetry. Only contrib/valetkey-otel can do this: the program is a fifth larger with it."`
	Log            Log            `key:"log" doc:"The log on standard error. It never holds a secret."`
}

// Scope is one entry of the list of scopes; see [oauth.Scope].
type Scope struct {
	Name        string `key:"name"`
	Title       string `key:"title"`
	Description string `key:"description"`
	Group       string `key:"group"`
	Internal    bool   `key:"internal"`
	Sensitive   bool   `key:"sensitive"`
}

// Resource is one entry of the list of protected resources; see [oauth.Resource].
type Resource struct {
	URI    string `key:"uri"`
	Name   string `key:"name"`
	Format string `key:"format"`
}

// Registration is dynamic client registration.
type Registration struct {
	Mode    string   `key:"mode" enum:"off|token|open" doc:"token: with an initial access token, made by valetkey client initial-token create. open: anybody may register a client."`
	Profile string   `key:"profile" enum:"inherit|default|oidc-certification" doc:"The profile of such clients, if not the server's."`
	Burst   int      `key:"burst" doc:"How many clients may be registered at once from one network where anybody may; then one every five seconds."`
	Unused  Duration `key:"unused" doc:"A registration that nobody has used for this long goes by itself."`
}

// ClientDocuments is the use of Client ID Metadata Documents.
type ClientDocuments struct {
	Enabled bool     `key:"enabled" doc:"Accept such clients. People are told at consent that nobody has reviewed them."`
	Allow   []string `key:"allow" example:"[client.example.com, '*.example.org']" doc:"Hosts whose documents are accepted; empty: all but the server's own and those denied."`
	Deny    []string `key:"deny" example:"[evil.example]" doc:"Hosts whose documents are refused."`
}

// Fetch bounds what is fetched.
type Fetch struct {
	Allow []string `key:"allow" example:"[keys.internal, 10.1.0.0/16]" doc:"Hosts and networks that may be reached although their addresses are private."`
}

// Lifetimes says how long things live.
type Lifetimes struct {
	Code             Duration `key:"code" doc:"An authorization code, from consent to redemption."`
	AccessToken      Duration `key:"access_token" doc:"An access token."`
	RefreshToken     Duration `key:"refresh_token" doc:"A refresh token that is not used; each use starts the time again."`
	Request          Duration `key:"request" doc:"An authorization request that waits on the consent page."`
	RefreshRepeat    Duration `key:"refresh_repeat" doc:"For how long a refresh that is repeated (the answer was lost) gets the same answer. Later a repeat counts as theft and revokes the grant."`
	IDToken          Duration `key:"id_token" doc:"An ID token: how long a client may believe it."`
	PushedRequest    Duration `key:"pushed_request" doc:"A pushed authorization request, until the browser brings its request_uri."`
	DeviceCode       Duration `key:"device_code" doc:"A device code, until the person has confirmed it."`
	SigningKey       Duration `key:"signing_key" doc:"A signing key, until the next takes its place. It is published a day before it signs, and as long as what it signed may live."`
	Reauthentication Duration `key:"reauthentication" doc:"How long after signing in a person may do sensitive things without proving again who they are."`
	Audit            Duration `key:"audit" doc:"A row of the audit trail."`
}

// PersonalTokens bounds personal access tokens.
type PersonalTokens struct {
	Default       Duration `key:"default" doc:"Lifetime that the form suggests."`
	Max           Duration `key:"max" doc:"Longest lifetime that may be chosen."`
	AllowNoExpiry bool     `key:"allow_no_expiry" doc:"Allow tokens that never expire."`
	AllowNoScopes bool     `key:"allow_no_scopes" doc:"Allow tokens without any scope."`
	MaxPerUser    int      `key:"max_per_user" doc:"How many live tokens one person may have."`
}

// Sessions says how long people stay signed in and what ties a session to its browser.
type Sessions struct {
	Binding  string   `key:"binding" enum:"off|standard|network|strict" doc:"What a session is tied to. standard: a second secret in the browser, and the kind of browser and system. network: also the network, asking for the password again when it changes. strict: the exact address and browser, as the predecessor's strong."`
	Idle     Duration `key:"idle" doc:"A session ends when it is not used for this long, unless the person chose to stay signed in."`
	Absolute Duration `key:"absolute" doc:"A session ends this long after signing in, used or not."`
	Remember Duration `key:"remember" doc:"The same for who ticked \"Stay signed in on this device\"."`
	ACR      string   `key:"acr" doc:"What ID tokens say as acr of people who signed in here. 1 is the lowest level of ISO/IEC 29115: a password, and nobody checked who the person is. Say more only if somebody does."`
}

// JWT shapes the proof of parity with the predecessor's REST calls.
type JWT struct {
	Header   string   `key:"header" doc:"Request header that carries the proof."`
	Type     string   `key:"type" doc:"Word before the proof in that header; empty: the proof alone."`
	Lifetime Duration `key:"lifetime" doc:"How long a proof is good for."`
}

// Compat turns single pieces of the predecessor's behaviour back on.
type Compat struct {
	Invenio                  bool `key:"invenio" doc:"Preset: turns on every switch of this section, but hybrid, that is not set by itself."`
	Implicit                 bool `key:"implicit" doc:"The response types token, id_token and id_token token for clients registered for the implicit grant. Tokens end up in the browser's history."`
	Hybrid                   bool `key:"hybrid" doc:"The response types of OpenID Connect that mix code with id_token or token, for clients registered for them."`
	QueryToken               bool `key:"query_token" doc:"Accept ?access_token= in the URL, and access_token in the form sent to /oauth/ping. Tokens end up in logs."`
	AnySecretMethod          bool `key:"any_secret_method" doc:"Take a client secret by HTTP Basic and in the form alike, whichever of the two the client is registered for."`
	UnknownClient404         bool `key:"unknown_client_404" doc:"The token endpoint answers 404 to an unknown client instead of 401 invalid_client."`
	OneTokenPerClient        bool `key:"one_token_per_client" doc:"Issuing a token kills the other tokens of the same client and user."`
	TokenUser                bool `key:"token_user" doc:"Token answers hold a user object."`
	AlwaysConsent            bool `key:"always_consent" doc:"Ask for consent every time, even for what was allowed before."`
	RotateAll                bool `key:"rotate_all" doc:"Every refresh replaces the refresh token and kills the old access token, for confidential clients too."`
	ErrorRedirect            bool `key:"error_redirect" doc:"Errors of the authorization endpoint that must not go to the client are shown by a redirect to /oauth/errors."`
	ClientCredentialsAsOwner bool `key:"client_credentials_as_owner" doc:"A client credentials token acts for the user who owns the client, and every new client with a secret may ask for one."`
	OptionalPKCE             bool `key:"optional_pkce" doc:"Clients may leave PKCE out."`
	ImmortalTokens           bool `key:"immortal_tokens" doc:"Refresh tokens and personal access tokens may live for ever."`
	BearerJWT                bool `key:"bearer_jwt" doc:"Accept the signed proof as Authorization: Bearer as well."`
}

// Mail is the SMTP relay.
type Mail struct {
	Host     string       `key:"host" example:"smtp.example.org" doc:"SMTP server."`
	Port     int          `key:"port" doc:"Its port."`
	TLS      string       `key:"tls" enum:"starttls|tls|none" doc:"starttls upgrades the connection and refuses to go on without, tls is encrypted from the start, none is for a relay on this machine."`
	Username string       `key:"username" doc:"User name at the relay; empty: none."`
	Password oauth.Secret `key:"password" doc:"Password at the relay."`
	From     string       `key:"from" example:"Example ID <id@example.org>" doc:"Sender of the mails."`
}

// Server tunes the HTTP server.
type Server struct {
	Hosts          []string       `key:"hosts" example:"[id.internal, 10.0.0.5:8080]" doc:"Further hosts, with their port unless it is the usual one, that the server answers for. It always answers for the host of the issuer and for the address it listens on; every other is refused."`
	TrustedProxies []netip.Prefix `key:"trusted_proxies" example:"[127.0.0.1, 10.0.0.0/8]" doc:"Networks of the proxies whose X-Forwarded-For is believed. Nobody else's is."`
	TLSCert        string         `key:"tls_cert" path:"true" example:"/etc/valetkey/cert.pem" doc:"File with the certificate and its chain (PEM). With it the server speaks https itself; without, a proxy before it must. A new file is taken up by itself within a minute."`
	TLSKey         string         `key:"tls_key" path:"true" example:"/etc/valetkey/key.pem" doc:"File with the private key of the certificate (PEM)."`
	Drain          Duration       `key:"drain" doc:"After a stop signal: how long /readyz says no before the server stops accepting, so that a proxy notices."`
	Grace          Duration       `key:"grace" doc:"After that: how long requests in flight may take to finish."`
}

// Metrics is the private listener.
type Metrics struct {
	Addr           string `key:"addr" doc:"Address and port for it, which must be on loopback because nobody is asked who they are; port 0 takes any, off means none. A second server on the same machine needs another."`
	Expose         bool   `key:"expose" doc:"Let metrics.addr be an address that other machines reach. Profiles tell much about a process: see to it that only your own can."`
	FlightRecorder bool   `key:"flight_recorder" doc:"Remember in detail what the process did in the last ten seconds, for /debug/flightrecorder. It takes some memory, and a few per cent of the processors."`
}

// Off as metrics.addr means that there is no such listener.
const Off = "off"

// Tracing is where spans go.
type Tracing struct {
	Endpoint string `key:"otlp_endpoint" example:"http://127.0.0.1:4318" doc:"URL of a collector that takes OTLP over HTTP; empty: nothing is traced."`
}

// Log shapes the log.
type Log struct {
	Level  string `key:"level" enum:"debug|info|warn|error" doc:"Least severe entries that are written."`
	Format string `key:"format" enum:"json|text" doc:"json for machines, text for people."`
	Access bool   `key:"access" doc:"One line for each request."`
}

// Default returns the configuration that holds when nothing is set.
func Default() Config {
	return Config{
		Addr:        "127.0.0.1:8080",
		DB:          "sqlite:valetkey.db",
		Product:     "Valetkey",
		TokenPrefix: "vk",

		RevocationBound: Duration(time.Second),
		Lifetimes: Lifetimes{
			Code: minute, AccessToken: hour, RefreshToken: 90 * day, Request: 10 * minute,
			RefreshRepeat: 10 * second, Reauthentication: 15 * minute, Audit: 400 * day,
			IDToken: hour, PushedRequest: minute, DeviceCode: 10 * minute, SigningKey: 90 * day,
		},
		Profile:        "default",
		AccessTokenAlg: "RS256",
		Registration:   Registration{Mode: "off", Profile: "inherit", Burst: 60, Unused: 30 * day},
		PersonalTokens: PersonalTokens{Default: 30 * day, Max: 366 * day, MaxPerUser: 50},
		Sessions:       Sessions{Binding: "standard", Idle: day, Absolute: 12 * hour, Remember: 30 * day, ACR: "1"},
		JWT:            JWT{Header: "X-CSRF-Token", Lifetime: hour},
		Mail:           Mail{Port: 587, TLS: "starttls"},
		Server:         Server{Drain: 2 * second, Grace: 10 * second},
		Metrics:        Metrics{Addr: "127.0.0.1:9098"},
		Log:            Log{Level: "info", Format: "json", Access: true},
	}
}
