package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A proxy that can't be read would be done without, and the calls would come
// from an address that the platform doesn't know.
func TestProxyIsChecked(t *testing.T) {
	t.Parallel()
	const s = leakSecret
	for _, value := range []string{
		"proxy.example:port", "http://u:" + s + "@proxy.example:99999", "http://u:" + s + "@proxy.example:x", "http://u:" + s + "#x@proxy.example:3128",
		"http://u:" + s + "/x@proxy.example:3128", "http://u:%zz" + s + "@proxy.example", "http:/proxy.example:3128", "htp://u:" + s + "@proxy.example", "http://",
		"://proxy", "socks4://u:" + s + "@proxy.example", "http://proxy.example/" + s, "http://proxy.example?" + s, "  ", " http://proxy.example", "http://proxy.example\n", "http://proxy example:1", "http://:3128", "ftp://proxy.example", "proxy.example:3128:1",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			_, err := load(t, "", with(map[string]string{name: value, "LANGUAGE": "en"}))
			if err == nil {
				t.Errorf("%s=%q is taken", name, value)
				continue
			}
			if diff := cmp.Diff([]string{name}, faultKeys(t, err)); diff != "" {
				t.Errorf("%q: %s", value, diff)
			}
			if !strings.Contains(err.Error(), "give http://host:port") {
				t.Errorf("%q: no remedy in %v", value, err)
			}
			assertSilent(t, name, err.Error())
		}
	}
	for _, value := range []string{
		"", "proxy.example", "proxy.example:3128", "http://proxy.example:3128/", "HTTP://u:p%23@proxy.example", "u:p@proxy.example:3128",
		"https://proxy.example", "socks5://proxy.example:1080", "socks5h://u:p@[::1]:1080",
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
			if got := mustLoad(t, "", with(map[string]string{name: value})); len(got.Warnings) > 0 {
				t.Errorf("%s=%q: %v", name, value, got.Warnings)
			}
		}
	}
	// net/http reads the small letters only without the large.
	mustLoad(t, "", with(map[string]string{"HTTPS_PROXY": "proxy.example", "https_proxy": "http://"}))

	for _, name := range []string{"ALL_PROXY", "all_proxy"} {
		got := mustLoad(t, "", with(map[string]string{name: "http://u:" + s + "@proxy.example"}))
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], name+" is not used") {
			t.Errorf("%s: %q", name, got.Warnings)
		}
		assertSilent(t, name, strings.Join(got.Warnings, "\n"))
		if got := mustLoad(t, "", with(map[string]string{name: "x", "https_proxy": "proxy.example"})); len(got.Warnings) > 0 {
			t.Errorf("%s beside https_proxy: %q", name, got.Warnings)
		}
	}
}
