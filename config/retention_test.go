package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// RETENTION is no shorter than the time of MAX_PER_FOLLOWER, whichever of the two an
// account has from elsewhere. The fault names the account and what would do.
func TestRetentionIsNoShorterThanTheCap(t *testing.T) {
	t.Parallel()
	accounts := func(top, a, b string) string {
		return "wechat_app_secret: s\nwechat_token: t12\n" + top + "accounts:\n  a:\n    wechat_app_id: wx1\n" + a + "  b:\n    wechat_app_id: wx2\n" + b
	}
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		faults     []string
		want       string
	}{
		{name: "the same", env: with(map[string]string{"RETENTION": "7d", "MAX_PER_FOLLOWER": "3/7d"})},
		{name: "longer", env: with(map[string]string{"RETENTION": "48h", "MAX_PER_FOLLOWER": "3/24h"})},
		{name: "no cap", env: with(map[string]string{"RETENTION": "2d"})},
		{name: "no retention", env: with(map[string]string{"MAX_PER_FOLLOWER": "3/365d"})},
		{
			name: "shorter", env: with(map[string]string{"RETENTION": "6d", "MAX_PER_FOLLOWER": "3/7d"}),
			faults: []string{"RETENTION"}, want: "7d",
		},
		{
			name: "not longer by an hour", env: with(map[string]string{"RETENTION": "167h", "MAX_PER_FOLLOWER": "3/7d"}),
			faults: []string{"RETENTION"}, want: "7d",
		},
		{
			name: "of one account, for all", file: accounts("retention: 6d\n", "    max_per_follower: 3/7d\n", "    max_per_follower: 3/2d\n"),
			faults: []string{"RETENTION"}, want: "accounts: a",
		},
		{
			name: "of all, for one account", file: accounts("max_per_follower: 3/7d\n", "    retention: 7d\n", "    retention: 6d\n"),
			faults: []string{"RETENTION"}, want: "accounts: b",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, err := load(t, tt.file, tt.env)
			if tt.faults == nil {
				if err != nil {
					t.Fatal(err)
				}
				if r := s.Accounts[0].Retention; r != 0 && r < 2*24*time.Hour {
					t.Errorf("kept for %s", r)
				}
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if diff := cmp.Diff(tt.faults, faultKeys(t, err)); diff != "" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v lacks %q, or has other faults:\n%s", err, tt.want, diff)
			}
		})
	}
}
