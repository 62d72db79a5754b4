package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// assets are the files that pages load. Each has its content's hash in its
// name, so a browser may keep it for ever.
type assets struct {
	byName map[string]string // "app.css" -> "app-1a2b3c4d5e6f.css"
	files  map[string][]byte // by hashed name
}

// loadAssets reads the built-in assets and those the overlay adds or replaces.
func loadAssets(overlay fs.FS) (*assets, error) {
	a := &assets{byName: map[string]string{}, files: map[string][]byte{}}
	for _, source := range []fs.FS{builtin, overlay} {
		if source == nil {
			continue
		}
		entries, err := fs.ReadDir(source, "assets")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("pages: %w", err)
		}
		for _, e := range entries {
			if e.IsDir() {
				continue
			}
			text, err := fs.ReadFile(source, "assets/"+e.Name())
			if err != nil {
				return nil, fmt.Errorf("pages: %w", err)
			}
			a.add(e.Name(), text)
		}
	}
	return a, nil
}

func (a *assets) add(name string, text []byte) {
	sum := sha256.Sum256(text)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	delete(a.files, a.byName[name])
	a.byName[name], a.files[hashed] = hashed, text
}

// Assets serves GET /assets/… below the issuer's path.
func (p *Pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, p.prefix+"/assets/")
		text, ok := p.assets.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentType(name))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// An SVG that is opened by itself is a document; it may do nothing.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
	})
}

// contentType does not ask the machine's own table for what we ship.
func contentType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		if t := mime.TypeByExtension(ext); t != "" {
			return t
		}
		return "application/octet-stream"
	}
}
