package people_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/people"
)

var (
	lin = modelstest.OpenID(1)
	wu  = modelstest.OpenID(2)
	he  = modelstest.OpenID(3)
)

func TestReadTakesTheFilesThatPeopleHave(t *testing.T) {
	t.Parallel()
	both := []models.Entry{{OpenID: lin, Fields: `{"due":"11-30","name":"林"}`}, {OpenID: wu}}
	for name, c := range map[string]struct {
		file   string
		fields []string
		want   []models.Entry
	}{
		"an OpenID a line":           {lin + "\n" + wu + "\r\n\n", nil, []models.Entry{{OpenID: lin}, {OpenID: wu}}},
		"with a header":              {"openid,name,due\n" + lin + ",林,11-30\n" + wu + ",,\n", []string{"name", "due"}, both},
		"with a byte order mark":     {"\ufeffopenid,name,due\n" + lin + ",林,11-30\n" + wu + ",, \n", []string{"name", "due"}, both},
		"openid is the last":         {"name,due,OpenID\n林,11-30," + lin + "\n,," + wu, []string{"name", "due"}, both},
		"semicolons and CRLF":        {"name; ＯｐｅｎＩＤ ;due\r\n林;" + lin + ";11-30\r\n;" + wu + ";\r\n", []string{"name", "due"}, both},
		"tabs":                       {"\"openid\"\tname\tdue\n" + lin + "\t林\t11-30\n" + wu + "\t\t\n", []string{"name", "due"}, both},
		"without a header":           {lin + ",林,11-30\n", []string{"field2", "field3"}, []models.Entry{{OpenID: lin, Fields: `{"field2":"林","field3":"11-30"}`}}},
		"quotes and line breaks":     {"openid,name\n" + lin + ",\"a, \"\"b\"\"\nc\"\n", []string{"name"}, []models.Entry{{OpenID: lin, Fields: `{"name":"a, \"b\"\nc"}`}}},
		"empty rows of a sheet":      {"openid,name\n" + lin + ",<&>\n,\n  ,\n", []string{"name"}, []models.Entry{{OpenID: lin, Fields: `{"name":"<&>"}`}}},
		"a formula that was defused": {"openid,name\n" + lin + ",'=1+1\n" + wu + ",'quoted'\n", []string{"name"}, []models.Entry{{OpenID: lin, Fields: `{"name":"=1+1"}`}, {OpenID: wu, Fields: `{"name":"'quoted'"}`}}},
		"nothing":                    {"", nil, nil},
	} {
		var got []models.Entry
		file, err := people.Read(oneByte{strings.NewReader(c.file)}, people.Options{}, func(r people.Row) error { got = append(got, r.Entry); return nil })
		if err != nil || file.Bad != 0 || file.Rows != int64(len(c.want)) {
			t.Errorf("%s: %+v, %v", name, file, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(c.fields, file.Fields); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", name, diff)
		}
	}
}

// Each fault is named at its line, and the other rows are read.
func TestReadNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	const head = "openid,name\n"
	good := he + ",何\n"
	for name, c := range map[string]struct {
		file  string
		want  string
		rows  int64
		fatal bool
	}{
		"no OpenID":            {head + ",林\n" + good, "2 no_openid", 1, false},
		"not the shape of one": {head + "小林,林\n" + good, "2 openid", 1, false},
		"too short":            {head + "o123,林\n" + good, "2 openid", 1, false},
		"too few columns":      {head + lin + "\n" + good, "2 columns", 1, false},
		"too many columns":     {head + lin + ",林,x\n" + good, "2 columns", 1, false},
		"the same twice":       {head + good + lin + ",林\n" + good, "4 duplicate of 2", 2, false},
		"the first was bad":    {head + he + ",何,x\n" + good, "2 columns", 1, false},
		"a value too long":     {head + lin + "," + strings.Repeat("林", 201) + "\n" + good, "2 long", 1, false},
		"two faults of a line": {head + "," + strings.Repeat("林", 201) + "\n" + good, "2 no_openid, 2 long", 1, false},
		"not UTF-8":            {head + lin + ",\xc1\xd6\n" + good, "2 encoding", 1, false},
		"a lone quote":         {head + lin + ",a\"b\n" + good, "2 quote", 1, false},
		"text after a quote":   {head + lin + ",\"a\"b\n" + good, "2 quote", 1, false},
		"cut within quotes":    {head + good + lin + ",\"a\nb", "3 cut", 1, true},
		"a quote over lines":   {head + lin + ",\"a\n" + he + ",b\"c\n" + good, "2 quote", 0, true},
		"an endless quote":     {head + good + lin + ",\"" + strings.Repeat("a\n", 1<<20), "3 endless", 1, true},
		"a field without name": {"openid,\n" + good, "1 field_name", 0, true},
		"a field called date":  {"openid,日期\n" + good, "1 field_name", 0, true},
		"a field twice":        {"openid,name,name\n", "1 field_twice", 0, true},
		"two of openid":        {"openid,OpenID\n", "1 field_twice", 0, true},
		"too many fields":      {"openid" + strings.Repeat(",", 41) + "\n", "1 many_fields", 0, true},
	} {
		rows := int64(0)
		file, err := people.Read(strings.NewReader(c.file), people.Options{}, func(people.Row) error { rows++; return nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, f := range file.Faults {
			text := fmt.Sprint(f.Line, " ", f.Code)
			if first, ok := f.Args["First"]; ok {
				text += fmt.Sprint(" of ", first)
			}
			got = append(got, text)
		}
		if c.fatal && len(got) > 1 {
			got = got[:1]
		}
		if strings.Join(got, ", ") != c.want || rows != c.rows || file.Rows != c.rows || file.Bad != 1 || file.Unreadable != c.fatal {
			t.Errorf("%s: %q, %d rows, %d bad, unreadable %t; want %q and %d rows", name, got, file.Rows, file.Bad, file.Unreadable, c.want, c.rows)
		}
	}
}

func TestReadNamesTheFirstTenFaults(t *testing.T) {
	t.Parallel()
	file, err := people.Read(strings.NewReader(lin+"\n"+strings.Repeat("x\n", 1000)), people.Options{}, func(people.Row) error { return nil })
	if err != nil || len(file.Faults) != 10 || file.Bad != 1000 || file.Rows != 1 {
		t.Errorf("%d faults, %d bad, %d rows, %v", len(file.Faults), file.Bad, file.Rows, err)
	}
}

// What can't be read is no end of the file.
func TestReadTellsThatTheFileCannotBeRead(t *testing.T) {
	t.Parallel()
	whole := strings.NewReader(lin + "\n")
	for _, healthy := range []int{0, 1} { // while the file is looked at, and when it is read
		if _, err := people.Read(&breaks{whole, healthy}, people.Options{}, func(people.Row) error { return nil }); err == nil {
			t.Error("no error")
		}
	}
}

// oneByte reads a byte at a time.
type oneByte struct{ io.ReadSeeker }

func (r oneByte) Read(p []byte) (int, error) { return iotest.OneByteReader(r.ReadSeeker).Read(p) }

// breaks can be read to its end a few times.
type breaks struct {
	*strings.Reader
	healthy int
}

func (r *breaks) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		if r.healthy--; r.healthy < 0 {
			err = errBroken
		}
	}
	return n, err
}

var errBroken = errors.New("broken disk")

// Whatever a value is, a spreadsheet takes it for no formula, and an import gives it back.
func TestCellAndPlain(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", "a", "=1", "-5 °C", "+86 1", "@x", "'=1", "''=1", "'a'", "it's", "|x", "%1", "' =1"} {
		cell := people.Cell(value)
		if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@|%") {
			t.Errorf("%q stays %q", value, cell)
		}
		if got := people.Plain(cell); got != value {
			t.Errorf("%q becomes %q and then %q", value, cell, got)
		}
	}
}
