package diagnosis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/silenceper/wechat/v2/util"

	"wechat-broadcast/lang"
)

// Site is where the platform and phones reach the program.
type Site struct {
	URL   string // PUBLIC_URL; may be empty
	Path  string // of the callback: /wechat
	Token string // signs the callbacks
	// Alive asks the program on this machine for a sign of life.
	Alive func(ctx context.Context) error
}

// PublicURL asks the callback at the public URL what the platform asks when the URL is
// saved (WeChat: server config docs): only a program with the same token returns the
// echo. All that is wrong is told.
func (d *Doctor) PublicURL(ctx context.Context, s Site) Point {
	if s.URL == "" {
		return d.Good(PublicURL, "check.url.none")
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all []Point
	u, err := url.Parse(s.URL)
	if err != nil { // the settings were checked
		return d.Bad(PublicURL, "check.url.strange", "check.fix.url_other", lang.Vars{"Status": err.Error()})
	}
	if u.Scheme != "https" {
		all = append(all, d.Bad(PublicURL, "check.url.http", "check.fix.url_http"))
	}
	if isInside(u.Hostname()) {
		all = append(all, d.Bad(PublicURL, "check.url.inside", "check.fix.url_inside", lang.Vars{"Host": u.Hostname()}))
	}
	if answer := d.echo(ctx, s); !answer.OK {
		all = append(all, answer)
	}
	if len(all) == 0 {
		return d.Good(PublicURL, "check.url.fine", lang.Vars{"URL": s.URL + s.Path})
	}
	whole := Point{Name: PublicURL}
	for _, p := range all {
		whole.Detail += "\n" + p.Detail
		whole.Fix += "\n" + p.Fix
	}
	whole.Detail, whole.Fix = strings.TrimSpace(whole.Detail), strings.TrimSpace(whole.Fix)
	return whole
}

// isInside tells whether a host can't be reached from the internet, as far as its name
// or address shows.
func isInside(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local")
	}
	return address.IsLoopback() || address.IsPrivate() || address.IsLinkLocalUnicast() || address.IsUnspecified()
}

// echoLimit is how much of an answer is read, in bytes.
const echoLimit = 4 << 10

// echo asks for the echo and tells what came.
func (d *Doctor) echo(ctx context.Context, s Site) Point {
	echo, nonce, stamp := rand.Text(), rand.Text(), strconv.FormatInt(d.Now().Unix(), 10)
	query := url.Values{
		"signature": {util.Signature(s.Token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "echostr": {echo},
	}
	at := lang.Vars{"URL": s.URL + s.Path}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+s.Path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return d.Bad(PublicURL, "check.url.strange", "check.fix.url_other", at, lang.Vars{"Status": err.Error()})
	}
	req.Header.Set("User-Agent", "wechat-broadcast check")
	res, err := d.Transport.RoundTrip(req) // no redirect is followed: the platform follows none
	if err != nil {
		return d.noAnswer(ctx, s, at, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, echoLimit))
	at["Status"] = fmt.Sprintf("HTTP %d", res.StatusCode)
	at["Location"] = res.Header.Get("Location")
	switch {
	case err != nil:
		return d.noAnswer(ctx, s, at, err)
	case res.StatusCode == http.StatusOK && string(body) == echo:
		return d.Good(PublicURL, "check.url.fine", at)
	case res.StatusCode == http.StatusForbidden:
		return d.Bad(PublicURL, "check.url.other_token", "check.fix.url_token", at)
	case res.StatusCode == http.StatusBadGateway, res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusGatewayTimeout:
		return d.behindProxy(ctx, s, at)
	case at["Location"] != "":
		return d.Bad(PublicURL, "check.url.redirect", "check.fix.url_redirect", at)
	}
	return d.Bad(PublicURL, "check.url.strange", "check.fix.url_other", at)
}

// noAnswer says why there is no answer at all.
func (d *Doctor) noAnswer(ctx context.Context, s Site, at lang.Vars, err error) Point {
	at["Reason"] = d.reason(err)
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return d.Bad(PublicURL, "check.url.silent", "check.fix.url_name", at)
	case strings.Contains(err.Error(), "x509") || strings.Contains(err.Error(), "tls:"):
		return d.Bad(PublicURL, "check.url.silent", "check.fix.url_certificate", at)
	case s.Alive(ctx) != nil:
		return d.Bad(PublicURL, "check.url.not_running", "check.fix.url_start", at)
	}
	return d.Bad(PublicURL, "check.url.silent", "check.fix.url_proxy", at)
}

// behindProxy says why what stands before the program has no answer of it.
func (d *Doctor) behindProxy(ctx context.Context, s Site, at lang.Vars) Point {
	if s.Alive(ctx) != nil {
		return d.Bad(PublicURL, "check.url.not_running", "check.fix.url_start", at)
	}
	return d.Bad(PublicURL, "check.url.proxy_fails", "check.fix.url_proxy", at)
}
