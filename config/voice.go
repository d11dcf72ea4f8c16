package config

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWelcome is the longest text that the platform takes as a reply, in bytes
// (services/wechat.MaxText, which this leaf can't import).
const maxWelcome = 2047

// welcome takes what a new follower is answered. The two characters \n stand for a new
// line, since not every way to set a variable can hold one.
func welcome(dst *string, v string) error {
	v = strings.NewReplacer("\r\n", "\n", "\r", "\n", `\n`, "\n").Replace(v)
	switch {
	case !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return wrong("unsendable")
	case len(v) > maxWelcome:
		return wrong("text_length", "N", len(v))
	}
	*dst = v
	return nil
}

// unknownTexts are the words of UNKNOWN_TEXT; a URL is the other thing that it may be.
var unknownTexts = []string{"hint", "silent", "customer_service"}

// unknownText takes a mode, or the URL of a server. What people write must not travel
// in the clear, so that http:// is for this machine alone.
func unknownText(dst *string, v string) error {
	if !strings.Contains(v, ":") {
		if oneOf(dst, v, unknownTexts...) != nil {
			return wrong("no_text_mode", "Allowed", unknownTexts)
		}
		return nil
	}
	return serverURL(dst, v)
}

// serverURL takes the URL of a server of the operator's: https://, or http:// on this
// machine.
func serverURL(dst *string, v string) error {
	u, err := parseURL(v, "url", "https", "http")
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return wrong("has_user")
	case strings.Contains(v, "#"):
		return wrong("has_fragment")
	case u.Scheme == "http" && !onThisMachine(u.Hostname()):
		return wrong("http_elsewhere")
	}
	*dst = u.String()
	return nil
}

func onThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// withoutQuery returns a URL without its query, which may hold a key. What is no URL
// stays as it is.
func withoutQuery(v string) string {
	u, err := url.Parse(v)
	if err != nil || u.RawQuery == "" {
		return v
	}
	u.RawQuery = ""
	return u.String() + "?" + mask
}
