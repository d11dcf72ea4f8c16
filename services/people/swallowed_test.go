package people_test

import (
	"strings"
	"testing"

	"wechat-broadcast/services/people"
)

// A quotation mark that is not closed takes nobody with it, wherever the OpenIDs stand.
func TestAQuoteThatIsNotClosedLosesNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file string
		line int // of the fault; 0 for none
		rows int64
	}{
		"the next line":                {"openid,name\n" + he + ",何\n" + lin + ",\"甲\n" + wu + ",乙\"\n", 3, 1},
		"with CRLF":                    {"openid,name\r\n" + lin + ",\"甲\r\n" + wu + ",乙\"\r\n", 2, 0},
		"semicolons":                   {"openid;name\n" + lin + ";\"甲\n" + wu + ";乙\"\n", 2, 0},
		"two lines":                    {"openid,name\n" + lin + ",\"甲\n" + wu + ",乙\n" + he + ",丙\"\n", 2, 0},
		"a line with a slip, and one":  {"openid,name\n" + lin + ",\"甲\no1,乙\n" + he + ",丙\"\n", 2, 0},
		"without a header":             {lin + ",\"甲\n" + wu + ",乙\"\n", 1, 0},
		"OpenIDs at the end":           {"name,note,openid\n甲,\"x," + lin + "\n乙,y\"," + wu + "\n", 2, 0},
		"OpenIDs in the middle":        {"name,openid,note\n甲," + lin + ",\"x\n乙," + wu + ",y\"\n", 2, 0},
		"OpenIDs in the middle, early": {"name,openid,note\n\"甲," + lin + ",x\n乙\"," + wu + ",y\n", 2, 0},
		"a formula that was defused":   {"openid,name\n" + lin + ",\"甲\n'-" + wu + ",乙\"\n", 2, 0},
		"a value with line breaks":     {"openid,name\n" + lin + ",\"上海市, 静安区\n南京西路, 1 号\"\n" + wu + ",\"" + he + "\"\n", 0, 2},
		"an OpenID in another column":  {"openid,name\n" + lin + ",\"推荐人,\n甲," + wu + "\"\n", 0, 1},
	} {
		file, err := people.Read(strings.NewReader(c.file), people.Options{}, func(people.Row) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if c.line == 0 {
			if file.Bad > 0 || file.Rows != c.rows {
				t.Errorf("%s: %s, %d rows", name, told(file), file.Rows)
			}
			continue
		}
		if len(file.Faults) != 1 || file.Faults[0].Code != people.FaultSwallowed || file.Faults[0].Line != c.line || !file.Unreadable || file.Rows != c.rows {
			t.Errorf("%s: %s, %d rows; want line %d, %d rows", name, told(file), file.Rows, c.line, c.rows)
		}
	}
}
