package oauth

// Resource is a protected resource that clients can ask access tokens for (RFC
// 8707), other than the server itself.
type Resource struct {
	// URI is what clients send as resource and tokens name as their audience: an
	// absolute URI without a fragment.
	URI  string
	Name string // what people call it; URI if empty
	// Format of its access tokens, FormatOpaque or FormatJWT; empty: that of the client.
	Format string
}
