package people_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/people"
)

// rowsOf reads a file and returns its people with their fields, those of all their rows as one.
func rowsOf(t *testing.T, text []byte, o people.Options) (*people.File, map[string]string) {
	t.Helper()
	got := map[string]string{}
	file, err := people.Read(bytes.NewReader(text), o, func(r people.Row) error {
		if _, met := got[r.OpenID]; met != r.Again {
			t.Errorf("%s comes again: %t", r.OpenID, r.Again)
		}
		got[r.OpenID] = models.JoinFields(got[r.OpenID], r.Fields)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return file, got
}

// What the tools write of the same tables is read as the same people.
func TestReadTakesTheDumpsOfEachTool(t *testing.T) {
	t.Parallel()
	zero, gone := modelstest.OpenID(0), modelstest.OpenID(9)
	const brien, left, he = `{"id":"2","name":"O'Brien; \\\\ \"x\"\n第二行","score":"12.00"}`, `{"id":"3","name":"吴（已离开）"}`, `{"city":"北京","name":"何"}`
	alone := map[string]string{zero: `{"due_date":"2026-11-30","id":"1","name":"林小燕","phone":"13800000000","score":"-1.50"}`, lin: brien, gone: left}
	second := map[string]string{zero: `{"city":"上海","name":"别名"}`, wu: he}
	both := map[string]string{
		zero: `{"city":"上海","due_date":"2026-11-30","id":"1","name":"林小燕","phone":"13800000000","score":"-1.50"}`,
		lin:  brien, wu: he, gone: left,
	}
	for name, c := range map[string]struct {
		want     map[string]string
		tables   string
		repeated int64
	}{
		"phpmyadmin4.sql":     {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"phpmyadmin5.sql":     {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"mysqldump57.sql":     {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"mysqldump8.sql":      {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"mariadb.sql":         {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"mariadb-single.sql":  {both, "[{allinfo 3} {allinfo2 2}]", 1},
		"mariadb-compact.sql": {alone, "[{allinfo 3}]", 0},
		// Nothing names the columns, so the OpenIDs are found by their form.
		"mariadb-replace.sql": {map[string]string{zero: `{"field2":"别名","field3":"上海"}`, wu: `{"field2":"何","field3":"北京"}`}, "[{allinfo2 2}]", 0},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		file, got := rowsOf(t, text, people.Options{})
		if diff := cmp.Diff(c.want, got); diff != "" || file.Bad != 0 {
			t.Errorf("%s: %+v (-want +got):\n%s", name, file, diff)
		}
		unfit := int64(1)
		if name == "mariadb-compact.sql" {
			unfit = 0
		}
		if fmt.Sprint(file.Tables) != c.tables || file.Repeated != c.repeated || file.Rows != int64(len(c.want)) || file.Unfit != unfit {
			t.Errorf("%s: %+v", name, file)
		}
		if strings.HasPrefix(name, "mariadb-") && name != "mariadb-single.sql" {
			continue
		}
		file, got = rowsOf(t, text, people.Options{Table: "ALLINFO2"})
		if diff := cmp.Diff(second, got); diff != "" || file.Bad != 0 || file.Rows != 2 {
			t.Errorf("%s, one table: %+v (-want +got):\n%s", name, file, diff)
		}
		for _, c := range []struct{ table, want string }{
			{"settings", "[0 no_people map[Count:1 Tables:[settings]]]"},
			{"none", "[0 table map[Count:3 Name:none Tables:[allinfo allinfo2 settings]]]"},
		} {
			file, got = rowsOf(t, text, people.Options{Table: c.table})
			if faults := told(file); len(got) > 0 || faults != c.want || !file.Unreadable {
				t.Errorf("%s, table %s: %s, %v", name, c.table, faults, got)
			}
		}
	}
}

func told(file *people.File) string {
	var all []string
	for _, f := range file.Faults {
		all = append(all, fmt.Sprint(f.Line, " ", f.Code, " ", f.Args))
	}
	return fmt.Sprint(all)
}

// A dump that was cut anywhere is refused, at a line of it: it may lack people. Only what
// stands after the last row that matters may be missing.
func TestReadRefusesADumpThatWasCut(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"phpmyadmin4.sql", "phpmyadmin5.sql", "mysqldump57.sql", "mysqldump8.sql", "mariadb.sql", "mariadb-single.sql"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		from := bytes.Index(text, []byte("INSERT INTO"))
		until := bytes.LastIndex(text, []byte("第二行"))
		for n := from; n < until; n++ {
			file, err := people.Read(bytes.NewReader(text[:n]), people.Options{}, func(people.Row) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			lines := bytes.Count(text[:n], []byte("\n")) + 1
			cut := slices.ContainsFunc(file.Faults, func(f people.Fault) bool {
				return f.Code == people.FaultDumpCut && f.Line > 0 && f.Line <= lines
			})
			if !cut || file.Bad == 0 {
				t.Fatalf("%s cut to %d bytes is read: %s\n%s", name, n, told(file), text[max(0, n-80):n])
			}
		}
	}
}

// A value that can't be a field is left out and counted; the person stays.
func TestReadKeepsThePersonOfAValueThatIsNoField(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("长", 201)
	text := "INSERT INTO `p` (`openid`, `intro`, `name`, `face`) VALUES ('" + lin + "', '" + long + "', '林', 0xff00fe), ('" + wu + "', 'b', '" + long[3:] + "', NULL);\n"
	file, got := rowsOf(t, []byte(text), people.Options{})
	want := map[string]string{lin: `{"name":"林"}`, wu: `{"intro":"b","name":"` + long[3:] + `"}`}
	if diff := cmp.Diff(want, got); diff != "" || file.Bad != 0 || file.Unfit != 2 || fmt.Sprint(file.UnfitFields) != "[intro face]" {
		t.Errorf("%+v (-want +got):\n%s", file, diff)
	}
}

func TestReadTellsEncodingsApart(t *testing.T) {
	t.Parallel()
	table := "openid,姓名\n" + lin + ",林\n" + wu + ",何（㐂）\n"
	dump := "-- 转存\nCREATE TABLE p (`openid` char(28), `姓名` text);\nINSERT INTO p VALUES ('" + lin + "','林'),('" + wu + "','何（㐂）');\n"
	want := map[string]string{lin: `{"姓名":"林"}`, wu: `{"姓名":"何（㐂）"}`}
	gb := func(text string) string {
		out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wide := func(text string) string {
		var out strings.Builder
		for _, b := range []byte(text) {
			out.Write([]byte{b, 0})
		}
		return out.String()
	}
	late := "openid,姓名\n" + lin + ",林\n" + wu + ",何（㐂）\n"
	for i := range 4000 { // the first Chinese character of a row comes after the buffer
		late += modelstest.OpenID(100+i) + ",a\n"
	}
	for name, c := range map[string]struct {
		text string
		code string
		line int
	}{
		"CSV": {table, "", 0}, "CSV with a mark": {"\ufeff" + table, "", 0}, "CSV in GB18030": {gb(table), "", 0},
		"dump": {dump, "", 0}, "dump with a mark": {"\ufeff" + dump, "", 0}, "dump in GB18030": {gb(dump), "", 0},
		"CSV in UTF-16":          {"\xff\xfe" + wide("openid\n"+lin), people.FaultUTF16, 0},
		"CSV in UTF-16, no mark": {wide("openid\n" + lin), people.FaultUTF16, 0},
		"a workbook":             {"PK\x03\x04\x14\x00\x06\x00", people.FaultPacked, 0},
		"gzip":                   {"\x1f\x8b\x08\x00abc", people.FaultPacked, 0},
		"one bad row of UTF-8":   {table + he + ",\xff\n", people.FaultEncoding, 4},
	} {
		file, got := rowsOf(t, []byte(c.text), people.Options{})
		if c.code != "" {
			if len(file.Faults) != 1 || file.Faults[0].Code != c.code || file.Faults[0].Line != c.line || file.Bad != 1 {
				t.Errorf("%s: %s", name, told(file))
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" || file.Bad != 0 {
			t.Errorf("%s: %s (-want +got):\n%s", name, told(file), diff)
		}
	}
	file, got := rowsOf(t, []byte(gb(late)), people.Options{})
	if file.Bad != 0 || got[wu] != want[wu] || len(got) != 4002 {
		t.Errorf("%s, %s", told(file), got[wu])
	}
}

func FuzzRead(f *testing.F) {
	f.Add("openid,name\n"+lin+",\"林\n\"\"\"\n", "")
	f.Add(lin+";a\r\n"+wu+";b", "x")
	f.Add("-- x\nCREATE TABLE a (openid text, `n` int);\nINSERT INTO a VALUES ('"+lin+"',1),('"+wu+"',-2.5e+7);", "a")
	f.Add("\xc1\xd6,\xff", "")
	f.Fuzz(func(t *testing.T, text, table string) {
		met := map[string]int{}
		rows, again := int64(0), int64(0)
		file, err := people.Read(strings.NewReader(text), people.Options{Table: table}, func(r people.Row) error {
			if !models.LikeOpenID(r.OpenID) {
				t.Errorf("%q is no OpenID", r.OpenID)
			}
			if _, err := models.ReadFields(r.Fields); err != nil {
				t.Errorf("%q: %v", r.Fields, err)
			}
			met[r.OpenID]++
			if r.Again {
				again++
			} else {
				rows++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if file.Rows != rows || int64(len(met)) != rows || file.Repeated != again || (file.Bad == 0) != (len(file.Faults) == 0) || len(file.Faults) > 10 {
			t.Errorf("%+v, %d rows of %d people, %d again", file, rows, len(met), again)
		}
	})
}
