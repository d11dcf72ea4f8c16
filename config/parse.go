package config

import (
	"encoding/base64"
	"errors"
	"fmt"
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
		return errors.New("it holds a space or a character that is not visible ASCII")
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
		return fmt.Errorf("it has %d characters and not 43", n)
	}
	if key, err := base64.StdEncoding.DecodeString(v + "="); err != nil || len(key) != 32 {
		return errors.New("it holds characters other than A-Z, a-z, 0-9, + and /")
	}
	*dst = Secret(v)
	return nil
}

// parseURL reads a URL with a host, and a port if any. start names the schemes, and
// what the URL.
func parseURL(v, what, start string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(v)
	switch {
	case err != nil:
		return nil, errors.New("it cannot be read as " + what)
	case !slices.Contains(schemes, u.Scheme):
		return nil, errors.New("it does not start with " + start)
	case u.Hostname() == "":
		return nil, errors.New("it names no host")
	}
	_, err = portOr(u.Port(), "")
	return u, err
}

// webURL takes an http or https URL that a path can be appended to.
func webURL(dst *string, v string) error {
	u, err := parseURL(v, "a URL", "http:// or https://", "http", "https")
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return errors.New("it holds a user name or password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(v, "#"):
		return errors.New("it holds a ? or #")
	}
	*dst = strings.TrimRight(u.String(), "/")
	return nil
}

func redisURL(dst *Secret, v string) error {
	u, err := parseURL(v, "a URL", "redis:// or rediss://", "redis", "rediss")
	if err != nil {
		return err
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if n, err := strconv.Atoi(db); err != nil || n < 0 {
			return errors.New("what follows the host is not the number of a database")
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
		return fmt.Errorf("%q is not host:port", v)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r == '/' }) {
		return fmt.Errorf("%q does not name a host", v)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port between 0 and 65535", v)
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
			return fmt.Errorf("number %d in the list is not an OpenID: it holds a space, a character that is not visible ASCII, or more than 128 characters", i+1)
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
		return fmt.Errorf("%q is not a whole number", v)
	}
	if n < low || n > high {
		return fmt.Errorf("%d is not between %d and %d", n, low, high)
	}
	*dst = n
	return nil
}

func duration(dst *time.Duration, v string, low, high time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q is not a length of time", v)
	}
	if d < low || d > high {
		return fmt.Errorf("%q is not between %s and %s", v, low, high)
	}
	*dst = d
	return nil
}

const timeOfDayLayout = "15:04"

func timeOfDay(dst *time.Duration, v string) error {
	t, err := time.Parse(timeOfDayLayout, v)
	if err != nil {
		return fmt.Errorf("%q is not a time of day", v)
	}
	*dst = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	return nil
}

func oneOf(dst *string, v string, allowed ...string) error {
	lower := strings.ToLower(v)
	if !slices.Contains(allowed, lower) {
		return fmt.Errorf("%q is not one of %s", v, strings.Join(allowed, ", "))
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
