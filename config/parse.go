package config

import (
	"encoding/base64"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The functions below check one value each and store it at dst. Where a value
// may be a secret, or a person's, the error describes it without repeating it.

// visible takes visible ASCII without spaces: what ids and secrets of the
// platform consist of. A stray quote or line break from copying shows here
// and not as a signature that never matches.
func visible[T ~string](dst *T, v string) error {
	if !isVisible(v) {
		return wrong("invisible")
	}
	*dst = T(v)
	return nil
}

func isVisible(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' })
}

// aesKey takes the 43 characters that, with "=", are 32 bytes in base64. The
// platform's keys may have the two spare bits set, so the check is not strict.
func aesKey(dst *Secret, v string) error {
	if n := utf8.RuneCountInString(v); n != 43 {
		return wrong("key_length", "N", n)
	}
	if key, err := base64.StdEncoding.DecodeString(v + "="); err != nil || len(key) != 32 {
		return wrong("key_characters")
	}
	*dst = Secret(v)
	return nil
}

// parseURL reads a URL with a host, and a port if any. The problem of one that can't
// be read is no_ and what.
func parseURL(v, what string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(v)
	switch {
	case err != nil:
		return nil, wrong("no_" + what)
	case !slices.Contains(schemes, u.Scheme):
		return nil, wrong("scheme", "Schemes", starts(schemes))
	case u.Hostname() == "":
		return nil, wrong("no_host")
	}
	_, err = portOr(u.Port(), "")
	return u, err
}

// starts are the beginnings of URLs of these schemes.
func starts(schemes []string) []string {
	list := make([]string, len(schemes))
	for i, scheme := range schemes {
		list[i] = scheme + "://"
	}
	return list
}

// webURL takes an http or https URL that a path can be appended to.
func webURL(dst *string, v string) error {
	u, err := parseURL(v, "url", "http", "https")
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return wrong("has_user")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(v, "#"):
		return wrong("has_query")
	}
	*dst = strings.TrimRight(u.String(), "/")
	return nil
}

func redisURL(dst *Secret, v string) error {
	u, err := parseURL(v, "url", "redis", "rediss")
	if err != nil {
		return err
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if n, err := strconv.Atoi(db); err != nil || n < 0 {
			return wrong("redis_number")
		}
	}
	*dst = Secret(v)
	return nil
}

// maskedURL returns the URL without what could authenticate somebody: user,
// password and query.
func maskedURL(s Secret) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s.Reveal())
	if err != nil || u.Host == "" {
		return mask
	}
	who := ""
	if u.User != nil {
		who = mask + "@"
	}
	return u.Scheme + "://" + who + u.Host + u.Path
}

func listenAddr(dst *string, v string) error {
	host, port, err := net.SplitHostPort(v)
	if err != nil {
		return wrong("no_address", "Value", v)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == '/' }) {
		return wrong("address_host", "Value", v)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return wrong("address_port", "Value", v)
	}
	*dst = v
	return nil
}

// openIDs takes a list separated by commas and keeps each id once.
func openIDs(dst *OpenIDs, v string) error {
	var ids []string
	for i, part := range strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == '，' }) {
		id := strings.TrimSpace(part)
		switch {
		case id == "":
			continue
		case !isVisible(id) || len(id) > 128:
			return wrong("openid", "N", i+1)
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	*dst = ids
	return nil
}

func wholeNumber(dst *int, v string, low, high int) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return wrong("no_number", "Value", v)
	}
	if n < low || n > high {
		return wrong("between", "Value", v, "Low", low, "High", high)
	}
	*dst = n
	return nil
}

func duration(dst *time.Duration, v string, low, high time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return wrong("no_duration", "Value", v)
	}
	if d < low || d > high {
		return wrong("between", "Value", v, "Low", low.String(), "High", high.String())
	}
	*dst = d
	return nil
}

const timeOfDayLayout = "15:04"

func timeOfDay(dst *time.Duration, v string) error {
	t, err := time.Parse(timeOfDayLayout, v)
	if err != nil {
		return wrong("no_time", "Value", v)
	}
	*dst = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	return nil
}

func oneOf(dst *string, v string, allowed ...string) error {
	lower := strings.ToLower(v)
	if !slices.Contains(allowed, lower) {
		return wrong("none_of", "Value", v, "Allowed", allowed)
	}
	*dst = lower
	return nil
}

func logLevel(dst *slog.Level, v string) error {
	var name string
	if err := oneOf(&name, v, "debug", "info", "warn", "error"); err != nil {
		return err
	}
	return dst.UnmarshalText([]byte(name))
}
