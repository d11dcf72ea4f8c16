// Package web holds the pages as they are served: HTML templates, style sheets and
// scripts, embedded and without a build step. It knows nothing of what the pages
// are about.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed assets templates
var files embed.FS

// Policy is the Content-Security-Policy of every page: its own scripts, styles,
// images and event streams, nothing inline and nothing from another host.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ConsolePolicy is Policy for pages with forms, which go to their own server.
var ConsolePolicy = strings.Replace(Policy, "form-action 'none'", "form-action 'self'", 1)

// Guard sets the headers that keep a page to itself.
func Guard(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the address is the key
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Cache-Control", "no-store")
}

// Asset is a file that pages load.
type Asset struct {
	// Name is what it is served as: with a hash of its content, so that it can be
	// kept for good.
	Name string
	// Type is its content type.
	Type    string
	Content []byte
}

var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// Assets returns the assets by the names under which pages ask for them with the
// template function "asset", such as page.css.
func Assets() (map[string]Asset, error) {
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	all := make(map[string]Asset, len(entries))
	for _, e := range entries {
		content, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(e.Name())
		all[e.Name()] = Asset{
			Name: strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext,
			Type: types[ext], Content: content,
		}
	}
	return all, nil
}

// Pages returns the templates of the pages, and the assets by the names that they
// are served as, in the folder assets. They are the same for all callers, who must not change
// them.
func Pages() (*template.Template, map[string]Asset, error) {
	p := readPages()
	return p.templates, p.served, p.err
}

// pages are what Pages returns.
type pages struct {
	templates *template.Template
	served    map[string]Asset
	err       error
}

var readPages = sync.OnceValue(func() (p pages) {
	p.templates, p.served, p.err = parsePages()
	return p
})

func parsePages() (*template.Template, map[string]Asset, error) {
	assets, err := Assets()
	if err != nil {
		return nil, nil, err
	}
	served := make(map[string]Asset, len(assets))
	for _, a := range assets {
		served[a.Name] = a
	}
	address := func(name string) string { return "assets/" + assets[name].Name }
	t, err := template.New("").Funcs(template.FuncMap{"asset": address, "vars": vars}).ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, nil, fmt.Errorf("read page templates: %w", err)
	}
	return t, served, nil
}

// vars puts names and values into what fills a sentence, for a template that says one.
func vars(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("a name without a value")
	}
	all := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		all[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return all, nil
}
