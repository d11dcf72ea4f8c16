package setup

import (
	"embed"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed nginx.tmpl caddy.tmpl unit.tmpl
var files embed.FS

var snippets = template.Must(template.ParseFS(files, "*.tmpl"))

// Proxy is what stands before the program and speaks TLS.
type Proxy struct {
	Host     string
	Port     string
	Path     string // before those of the program; empty, or with a slash at its begin only
	Upstream string // host:port of the program
	Pages    []string
}

// NewProxy returns the Proxy of a public URL, as the settings have it, and of the address
// on which the program listens.
func NewProxy(publicURL, listen string) (*Proxy, error) {
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	p := &Proxy{
		Host: u.Hostname(), Port: "443", Path: strings.TrimRight(u.Path, "/"), Upstream: net.JoinHostPort(host, port),
		Pages: []string{"/b/", "/console/", "/api/"},
	}
	if u.Scheme == "https" && u.Port() != "" {
		p.Port = u.Port()
	}
	return p, nil
}

// Nginx returns the servers of an nginx.
func (p *Proxy) Nginx() (string, error) { return snippet("nginx.tmpl", p) }

// Caddy returns a Caddyfile.
func (p *Proxy) Caddy() (string, error) { return snippet("caddy.tmpl", p) }

// Unit is a service of systemd. Paths are absolute.
type Unit struct {
	User    string
	Folder  string // in which the program runs and keeps its data
	Data    string // the folder of the SQLite file, without symlinks; empty without one
	Program string
	Config  string
}

// Text returns the unit's file.
func (u Unit) Text() (string, error) {
	writable := unitWord(u.Folder)
	if inside, err := filepath.Rel(u.Folder, u.Data); u.Data != "" && (err != nil || !filepath.IsLocal(inside)) {
		writable += " " + unitWord(u.Data) // SQLite keeps its journal beside the file
	}
	return snippet("unit.tmpl", map[string]string{
		"User": u.User, "Folder": strings.ReplaceAll(u.Folder, "%", "%%"), "Writable": writable,
		"Program": commandWord(u.Program), "Config": commandWord(u.Config),
	})
}

// unitWord writes a path as one word of a unit's line (systemd.syntax).
func unitWord(path string) string {
	path = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(path)
	if strings.ContainsAny(path, " \t'\"\\;") {
		return `"` + path + `"`
	}
	return path
}

// commandWord writes a path as one word of a command, in which $ begins a variable.
func commandWord(path string) string { return strings.ReplaceAll(unitWord(path), "$", "$$") }

func snippet(name string, of any) (string, error) {
	var text strings.Builder
	err := snippets.ExecuteTemplate(&text, name, of)
	return text.String(), err
}
