package respond

import (
	"net/http"
	"strings"
)

// CORS lets pages of any origin read the answers of an endpoint that takes no
// cookie: applications that run in a browser need the token endpoint, the
// revocation endpoint and the metadata. Never put it around the authorization
// endpoint (RFC 9700 §2.6).
func CORS(next http.Handler, methods ...string) http.Handler {
	allow := strings.Join(methods, ", ")
	everybody, exposed := []string{"*"}, []string{"Retry-After, WWW-Authenticate, X-Request-Id"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Access-Control-Allow-Origin"] = everybody
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", allow)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h["Access-Control-Expose-Headers"] = exposed
		next.ServeHTTP(w, r)
	})
}
