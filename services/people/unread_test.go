package people_test

import (
	"fmt"
	"strings"
	"testing"

	"wechat-broadcast/services/people"
)

// Whatever of a dump is not read is told: as a fault if the table has people, and else by the
// table's name.
func TestReadTellsWhatOfADumpIsNotRead(t *testing.T) {
	t.Parallel()
	row := func(id string) string { return "INSERT INTO a VALUES (1,'" + id + "');\n" }
	many := strings.Repeat("INSERT INTO a VALUES (1,'x');\n", 100)
	for name, c := range map[string]struct {
		dump                   string
		unread, faults, tables string
		bad                    int64
	}{
		"a table without OpenIDs": {row(lin) + "INSERT INTO b VALUES (1),(2);\n", "[{b 2 0}]", "[]", "[{a 1}]", 0},
		"an empty table":          {row(lin) + "CREATE TABLE b (id int);\n", "[]", "[]", "[{a 1}]", 0},
		"OpenIDs that come late":  {many + row(lin) + "INSERT INTO b VALUES ('" + wu + "');\n", "[{a 101 0}]", "[]", "[{b 1}]", 0},
		"OpenIDs in time":         {many[:len(many)/100*2] + row(lin), "[]", "[1 no_openid map[] 2 no_openid map[]]", "[{a 1}]", 2},
		"further columns": {
			"INSERT INTO a (openid) VALUES ('" + lin + "');\nINSERT INTO a (uid, name) VALUES (7, '" + "林'), (8, '何');\n",
			"[]", "[2 no_openid map[] 2 no_openid map[]]", "[{a 1}]", 2,
		},
		"more rows without than are looked at": {
			"INSERT INTO a (openid) VALUES ('" + lin + "');\n" + strings.Repeat("INSERT INTO a (uid) VALUES (7);\n", 150), "[]", "", "[{a 1}]", 150,
		},
		"a column too few, early":               {"INSERT INTO a (id, x) VALUES (1);\nINSERT INTO a (id, x) VALUES (1, '" + lin + "');\n", "[]", "[1 columns map[Got:1 Want:2]]", "[{a 1}]", 1},
		"a statement, and people later":         {"INSERT INTO a SELECT * FROM c;\n" + row(lin), "[]", "[1 dump map[Table:a]]", "[{a 1}]", 1},
		"a statement that names OpenIDs":        {row(lin) + "INSERT INTO b (openid) VALUES (CONCAT('o'));\n", "[]", "[2 dump map[Table:b]]", "[{a 1}]", 1},
		"a statement on a table without people": {row(lin) + "INSERT INTO b (id) VALUES (UUID());\n", "[{b 0 2}]", "[]", "[{a 1}]", 0},
	} {
		file, _ := rowsOf(t, []byte(c.dump), people.Options{})
		if file.Bad > 10 && c.faults == "" && len(file.Faults) == 10 {
			c.faults = told(file)
		}
		if got := fmt.Sprint(file.Unread); got != c.unread {
			t.Errorf("%s: not read %s", name, got)
		}
		if told(file) != c.faults || fmt.Sprint(file.Tables) != c.tables || file.Bad != c.bad {
			t.Errorf("%s: %s, %v, %d bad", name, told(file), file.Tables, file.Bad)
		}
		only, _ := rowsOf(t, []byte(c.dump), people.Options{Table: "c"})
		if len(only.Unread) > 0 {
			t.Errorf("%s: not read, and not asked for: %v", name, only.Unread)
		}
	}
}
