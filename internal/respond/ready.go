package respond

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Ready is a public document that is written once and sent often: the metadata
// and the key set. It may be kept, and answers whoever kept it (RFC 9110 §13.1.2).
type Ready struct {
	body []byte
	etag string
	// The headers, each ready too.
	contentType, cacheControl, tag, length []string
}

// NewReady returns the document that body is, which others may keep for maxAge.
func NewReady(contentType string, body []byte, maxAge time.Duration) *Ready {
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return &Ready{
		body: body, etag: etag, contentType: []string{contentType}, tag: []string{etag},
		cacheControl: []string{"public, max-age=" + strconv.Itoa(int(maxAge/time.Second))},
		length:       []string{strconv.Itoa(len(body))},
	}
}

// ServeHTTP answers GET and HEAD.
func (d *Ready) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	h := w.Header()
	h["Etag"], h["Cache-Control"] = d.tag, d.cacheControl
	if matches(r.Header.Get("If-None-Match"), d.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"], h["Content-Length"], h["X-Content-Type-Options"] = d.contentType, d.length, noSniff
	w.Write(d.body) // net/http sends no body after HEAD
}

// matches compares by the weak comparison of RFC 9110 §8.8.3.2.
func matches(header, etag string) bool {
	if header == "" {
		return false
	}
	for candidate := range strings.SplitSeq(header, ",") {
		if c := strings.TrimPrefix(strings.TrimSpace(candidate), "W/"); c == etag || c == "*" {
			return true
		}
	}
	return false
}
