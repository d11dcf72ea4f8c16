package people_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"wechat-broadcast/services/people"
)

// Without a header the OpenIDs are in the first column if they look like it, whatever else
// looks like one, and else in the one that has their form.
func TestTheFirstColumnWithoutAHeader(t *testing.T) {
	t.Parallel()
	const short = "test-account_openid-1a"
	for name, c := range map[string]struct{ file, want string }{
		"an OpenID, and a UnionID":           {lin + "," + wu + "\n" + he + "," + wu + "\n", lin + "," + he},
		"an uncommon OpenID, and a UnionID":  {short + "," + wu + "\n" + he + "," + wu + "\n", short + "," + he},
		"with semicolons":                    {short + ";" + wu + "\n", short},
		"quoted, and with a mark":            {"\ufeff\"" + short + "\"," + wu + "\n", short},
		"the number of an order, and OpenID": {"20261127000000000001," + lin + "\n20261127000000000002," + wu + "\n", lin + "," + wu},
		"a name, and OpenID":                 {"小林," + lin + "\n小吴," + wu + "\n", lin + "," + wu},
	} {
		file, got := rowsOf(t, []byte(c.file), people.Options{})
		want := strings.Split(c.want, ",")
		slices.Sort(want)
		if all := slices.Sorted(maps.Keys(got)); !slices.Equal(all, want) || file.Bad > 0 {
			t.Errorf("%s: %q, %s; want %q", name, all, told(file), want)
		}
	}
}
