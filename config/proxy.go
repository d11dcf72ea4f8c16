package config

import "strings"

// proxyVariables name a proxy, as net/http reads them: of each pair the first
// that is not empty.
var proxyVariables = [][2]string{{"HTTPS_PROXY", "https_proxy"}, {"HTTP_PROXY", "http_proxy"}}

// checkProxies refuses a proxy that net/http would connect without, silently:
// the platform takes calls only from the addresses on the account's list.
func (l *loader) checkProxies(lookup func(string) (string, bool)) {
	first := func(names ...string) (name, value string) {
		for _, name := range names {
			if value, _ := lookup(name); value != "" {
				return name, value
			}
		}
		return "", ""
	}
	for _, names := range proxyVariables {
		name, value := first(names[:]...)
		if err := checkProxy(value); err != nil {
			l.fault(name, "", err, hint("proxy"))
		}
	}
	if name, _ := first("ALL_PROXY", "all_proxy"); name != "" {
		if _, value := first(proxyVariables[0][:]...); value == "" {
			l.warn("%s is not used, and calls to the platform go there directly; give the proxy as HTTPS_PROXY", name)
		}
	}
}

// checkProxy says what is wrong with a proxy's address, without repeating it: it
// may hold a password.
func checkProxy(value string) error {
	if value == "" {
		return nil
	}
	if !strings.Contains(value, "://") {
		value = "http://" + value
	}
	u, err := parseURL(value, "proxy", "http", "https", "socks5", "socks5h")
	if err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "") {
		return wrong("proxy_more")
	}
	return err
}
