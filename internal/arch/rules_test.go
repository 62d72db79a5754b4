package arch_test

// rules say which packages of this module each package may import, and which
// modules from elsewhere. A package without a rule fails the test. Words that
// start with $ stand for the groups below. Tests may import what they like.
var rules = map[string]rule{
	// The words, the contract, the seams.
	"oauth":    {},
	"store":    {imports: "oauth"},
	"grant":    {imports: "oauth store"},
	"resource": {imports: "oauth internal/identity", external: "github.com/go-jose/go-jose", entry: true}, // runs in other people's processes

	// Stores.
	"store/memstore":  {imports: "oauth store"},
	"store/storetest": {imports: "oauth store", entry: true}, // its functions are tests
	"store/sqlstore":  {imports: "oauth store internal/sqldb"},
	"internal/sqldb":  {imports: "oauth", external: "golang.org/x/sys"},

	// Helpers: each knows one thing.
	"internal/mint":          {imports: "oauth"},
	"internal/keyring":       {imports: "oauth", external: "golang.org/x/crypto"},
	"internal/shown":         {imports: "oauth internal/keyring"},
	"internal/peer":          {imports: "oauth"},
	"internal/issuer":        {},
	"internal/form":          {imports: "oauth"},
	"internal/strictjson":    {},
	"internal/fetch":         {imports: "oauth internal/overload"}, // whoever fetches does it here
	"internal/redirecturi":   {imports: "oauth"},
	"internal/proof":         {imports: "oauth"},
	"internal/target":        {imports: "oauth"},
	"internal/session":       {imports: "oauth store"},
	"internal/respond":       {imports: "oauth internal/peer"},
	"internal/csrf":          {imports: "oauth", external: "github.com/go-jose/go-jose"},
	"internal/pages":         {imports: "oauth", external: "golang.org/x/net golang.org/x/text"},
	"internal/identity":      {imports: "oauth"},
	"internal/cache":         {imports: "oauth store internal/overload"},
	"internal/liveness":      {imports: "oauth store internal/accesstoken internal/cache internal/mint"},
	"internal/lastuse":       {imports: "store"},
	"internal/upkeep":        {imports: "store"},
	"internal/clientkeys":    {imports: "oauth internal/fetch internal/strictjson", external: "github.com/go-jose/go-jose"},
	"internal/clientmeta":    {imports: "oauth internal/clientkeys internal/fetch internal/redirecturi internal/strictjson"},
	"internal/throttle":      {},
	"internal/overload":      {imports: "oauth"},
	"internal/clientauth":    {imports: "oauth store internal/cache internal/clientkeys internal/keyring internal/strictjson internal/form internal/lastuse internal/mint internal/peer internal/liveness internal/respond"},
	"internal/keys":          {imports: "oauth store internal/keyring internal/mint internal/peer internal/respond", external: "github.com/go-jose/go-jose"},
	"internal/claims":        {imports: "oauth internal/strictjson"},
	"internal/idtoken":       {imports: "oauth internal/claims internal/keys internal/strictjson"},
	"internal/accesstoken":   {imports: "oauth internal/keys"},
	"internal/requestobject": {imports: "oauth internal/clientkeys internal/fetch internal/form internal/peer internal/strictjson internal/throttle"},
	"internal/guard":         {imports: "oauth store resource internal/accesstoken internal/csrf internal/identity internal/lastuse internal/liveness internal/peer internal/respond internal/target"},

	// One endpoint, one room; none knows another.
	"internal/authorize":  {imports: "oauth store $helpers $openid internal/pages"},
	"internal/device":     {imports: "oauth store $helpers internal/pages internal/throttle"},
	"internal/token":      {imports: "oauth store grant $helpers $openid"},
	"internal/introspect": {imports: "oauth store internal/claims $helpers"},
	"internal/par":        {imports: "oauth store $helpers internal/requestobject internal/throttle"},
	"internal/revoke":     {imports: "oauth store $helpers"},
	"internal/register":   {imports: "oauth store $helpers internal/clientmeta internal/strictjson internal/throttle"},
	"internal/clientdoc":  {imports: "oauth store internal/clientmeta internal/fetch internal/mint internal/peer internal/respond internal/throttle"},
	"internal/discovery":  {imports: "oauth $helpers internal/issuer"},
	"internal/userinfo":   {imports: "oauth store internal/cache internal/claims internal/guard $helpers"},
	"internal/ping":       {imports: "oauth resource $helpers"},
	"internal/logout":     {imports: "oauth store $helpers internal/pages internal/fetch internal/idtoken"},

	// Rooms over the desk never see the store's rows.
	"manage":            {imports: "oauth store internal/claims internal/clientmeta internal/mint internal/redirecturi internal/peer"},
	"internal/settings": {imports: "$desk internal/pages internal/form internal/keyring internal/shown"},
	"internal/admin":    {imports: "$desk internal/pages internal/csrf internal/form internal/keyring internal/shown"},
	"internal/api":      {imports: "$desk internal/strictjson resource"},

	// The bundled door never sees the engine.
	"accounts":             {imports: "oauth internal/pages internal/csrf internal/keyring internal/mint internal/peer internal/form internal/issuer internal/overload", external: "golang.org/x/crypto golang.org/x/text", entry: true},
	"accounts/sqlaccounts": {imports: "oauth accounts store/sqlstore internal/sqldb"},

	// Where it comes together.
	"":                 {imports: "oauth store grant resource manage $helpers $rooms internal/pages internal/csrf internal/fetch internal/clientkeys internal/clientmeta internal/keyring internal/keys internal/claims internal/idtoken internal/accesstoken internal/cache internal/guard internal/issuer internal/overload internal/upkeep", entry: true, global: true},
	"internal/doctor":  {imports: "oauth store internal/config internal/issuer internal/keys internal/sqldb"},
	"internal/metrics": {imports: "oauth internal/sqldb", external: "github.com/VictoriaMetrics/metrics"},
	"internal/config":  {imports: "oauth internal/issuer internal/keyring", external: "go.yaml.in/yaml"},
	"internal/flow":    {imports: "internal/issuer", external: "golang.org/x/oauth2 github.com/go-jose/go-jose"}, // a client, of any server
	"internal/cli": {imports: " oauth internal/flow internal/clientmeta store store/sqlstore store/memstore resource manage accounts accounts/sqlaccounts root $helpers internal/config internal/issuer internal/keyring internal/keys internal/pages internal/sqldb internal/csrf internal/ping internal/doctor internal/metrics internal/upkeep",
		external: "github.com/jackc/pgx golang.org/x/oauth2 github.com/spf13 github.com/wneessen/go-mail golang.org/x/term golang.org/x/sys go.yaml.in/yaml", entry: true, global: true},
	"cmd/valetkey": {imports: "internal/cli", external: "modernc.org/sqlite github.com/jackc/pgx", entry: true, global: true},

	"examples/app":      {imports: "root oauth store/memstore", entry: true, global: true},
	"examples/consumer": {external: "golang.org/x/oauth2", entry: true, global: true},
	"examples/resource": {imports: "oauth resource", entry: true, global: true},

	// Kits for tests; nothing above may import them.
	"internal/arch":        {},
	"internal/attacks":     {testKit: true},
	"internal/browser":     {testKit: true},
	"internal/conformance": {testKit: true},
	"internal/crashtest":   {testKit: true},
	"internal/faults":      {testKit: true},
	"internal/hostile":     {testKit: true},
	"internal/livetest":    {testKit: true},
	"internal/nodes":       {testKit: true},
	"internal/oauthtest":   {testKit: true},
	"internal/parity":      {testKit: true},
	"internal/scale":       {testKit: true},
}

// groups name lists of packages that several rules share.
var groups = map[string]string{
	"$helpers": "internal/form internal/respond internal/mint internal/peer internal/liveness internal/clientauth internal/proof internal/redirecturi internal/target internal/session",
	"$openid":  "internal/claims internal/idtoken internal/accesstoken",
	"$rooms": "internal/authorize internal/device internal/token internal/introspect internal/revoke internal/discovery internal/ping internal/logout internal/userinfo internal/par internal/requestobject internal/register internal/clientdoc " +
		"internal/settings internal/admin internal/api",
	"$desk": "oauth manage internal/respond internal/peer",
}

// rule is what a package may do.
type rule struct {
	imports  string // packages of this module; "root" is the root package
	external string // modules from elsewhere, by prefix
	entry    bool   // programs start here: what they leave out may default to the system's clock and log
	global   bool   // may touch what belongs to the process: environment, log, default client
	testKit  bool   // helps tests and may do what they may
}
