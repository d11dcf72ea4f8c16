package sqldump_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/services/people/sqldump"
)

// read returns the rows of a dump, as table@line(columns)cells, and then its faults.
func read(t *testing.T, from io.Reader) (got []string) {
	t.Helper()
	r := sqldump.NewReader(from)
	for {
		row, err := r.Next()
		var fault *sqldump.Fault
		switch {
		case errors.Is(err, io.EOF):
			return got
		case errors.As(err, &fault) && fault.Cut:
			return append(got, fmt.Sprintf("cut@%d", fault.Line))
		case errors.As(err, &fault):
			got = append(got, fmt.Sprintf("fault@%d %s", fault.Line, fault.Table.Name))
		case err != nil:
			t.Fatal(err)
		default:
			got = append(got, fmt.Sprintf("%s@%d%q%q", row.Table.Name, row.Line, row.Columns, row.Cells))
		}
	}
}

func TestNextReadsEachWayToWriteRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dump string
		want []string
	}{
		"one row":             {"INSERT INTO a VALUES (1,'b');", []string{`a@1[]["1" "b"]`}},
		"several rows":        {"insert into `a` (`x`, y) values\n(1,'b'),\n(2, 'c');", []string{`a@2["x" "y"]["1" "b"]`, `a@3["x" "y"]["2" "c"]`}},
		"REPLACE":             {"REPLACE INTO a VALUES (1);REPLACE a VALUES (2);", []string{`a@1[]["1"]`, `a@1[]["2"]`}},
		"its other words":     {"INSERT LOW_PRIORITY IGNORE INTO a VALUE (1);", []string{`a@1[]["1"]`}},
		"ON DUPLICATE KEY":    {"INSERT INTO a VALUES (1) ON DUPLICATE KEY UPDATE x = (2);INSERT INTO a VALUES (3)", []string{`a@1[]["1"]`, `cut@1`}},
		"a database's table":  {"INSERT INTO `db`.`a` VALUES (1);INSERT INTO db.a VALUES (2);", []string{`a@1[]["1"]`, `a@1[]["2"]`}},
		"a name in backticks": {"INSERT INTO `a``;b` VALUES (1);", []string{"a`;b@1[][\"1\"]"}},
		"escapes":             {`INSERT INTO a VALUES ('\'\"\\\n\t\r\0\Z\b\%\_\x','it''s',"a""b'c");`, []string{`a@1[]["'\"\\\n\t\r\x00\x1a\b\\%\\_x" "it's" "a\"b'c"]`}},
		"text in parts":       {"INSERT INTO a VALUES ('a' 'b'\n'c');", []string{`a@1[]["abc"]`}},
		"numbers":             {"INSERT INTO a VALUES (-1,+2,3.5,-1.5e-7,1E+3,NULL,null,TRUE,false);", []string{`a@1[]["-1" "2" "3.5" "-1.5e-7" "1E+3" "" "" "1" "0"]`}},
		"hexadecimal":         {"INSERT INTO a VALUES (0x6F61,x'6f61',X'',0xe69e97,b'101',0b11,_binary 'a',_utf8mb4 0x62,N'c');", []string{`a@1[]["oa" "oa" "" "林" "5" "3" "a" "b" "c"]`}},
		"no values":           {"INSERT INTO a () VALUES ();", []string{`a@1[][]`}},
		"comments": {
			"# one ' \n-- two \"\n--\n/* three ; ' */ INSERT /* x */ INTO a -- y\nVALUES (1 /* ) */, '-- no /* comment */ # here');",
			[]string{`a@5[]["1" "-- no /* comment */ # here"]`},
		},
		"two hyphens that are none": {"INSERT INTO a VALUES (1--1);", []string{"fault@1 a"}},
		"conditional comments":      {"/*!40000 ALTER TABLE `a` DISABLE KEYS */;\n/*!50003 CREATE TRIGGER t BEGIN /* x */ INSERT INTO b VALUES (9); END */;;\nINSERT INTO a VALUES (1);", []string{`a@3[]["1"]`}},
		"the columns of CREATE TABLE": {
			"CREATE TABLE IF NOT EXISTS `db`.`a` (\n`x` int COMMENT 'a, (b)',\n y enum('p','q') DEFAULT 'p',\n `key` decimal(8,2),\n PRIMARY KEY (`x`,`y`), CONSTRAINT c CHECK (x > 1)\n) ENGINE=MyISAM;\nINSERT INTO a VALUES (1,'p',2);",
			[]string{`a@7["x" "y" "key"]["1" "p" "2"]`},
		},
		"CREATE TABLE that lists none": {"CREATE TABLE a LIKE b;CREATE TABLE c SELECT 1;INSERT INTO a VALUES (1);", []string{`a@1[]["1"]`}},
		"tables by turns":              {"INSERT INTO a VALUES (1);INSERT INTO b VALUES (2);INSERT INTO a VALUES (3);", []string{`a@1[]["1"]`, `b@1[]["2"]`, `a@1[]["3"]`}},
		"DELIMITER":                    {"DELIMITER $$\nCREATE TRIGGER t BEGIN INSERT INTO a VALUES (1); END$$\nDELIMITER ;\nINSERT INTO a VALUES (2);", []string{`a@4[]["2"]`}},
		"a semicolon in a text":        {"INSERT INTO a VALUES ('b;'),(';\n');", []string{`a@1[]["b;"]`, `a@1[][";\n"]`}},
		"not a value":                  {"INSERT INTO a VALUES (1),(NOW()),(3);INSERT INTO a VALUES (4);", []string{`a@1[]["1"]`, "fault@1 a", `a@1[]["4"]`}},
		"SET and SELECT":               {"INSERT INTO a SET x = 1;INSERT INTO a SELECT * FROM b;INSERT INTO a VALUES (4);", []string{"fault@1 a", "fault@1 a", `a@1[]["4"]`}},
		"other statements":             {"SET NAMES utf8;USE db;DROP TABLE a;LOCK TABLES a WRITE;INSERT INTO a VALUES (1);UNLOCK TABLES;ALTER TABLE a ADD x int;COMMIT;", []string{`a@1[]["1"]`}},
		"nothing":                      {"", nil},
	} {
		for _, from := range []io.Reader{strings.NewReader(c.dump), iotest.OneByteReader(strings.NewReader(c.dump))} {
			if diff := cmp.Diff(c.want, read(t, from)); diff != "" {
				t.Errorf("%s: (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestNextTellsWhereADumpIsCut(t *testing.T) {
	t.Parallel()
	const row = "INSERT INTO a VALUES\n(1,'b'),\n(2"
	for dump, want := range map[string]string{
		"INSERT":                         "cut@1",
		"INSERT INTO a VALUES":           "cut@1",
		row:                              "cut@3",
		row + ",'c":                      "cut@3",
		row + ",'c\\":                    "cut@3",
		row + ",'c')":                    "cut@3",
		row + ",'c'),":                   "cut@3",
		row + ",'c');\n/* a\nb":          "cut@4",
		row + ",'c');\n`a":               "cut@4",
		row + ",'c');\nCREATE TABLE a (": "cut@4",
		"LOCK TABLES `a` WRITE;\nINSERT INTO a VALUES (1);\n":                "cut@3",
		"-- MySQL dump 10.13  Distrib 8.0.36\n\nINSERT INTO a VALUES (1);\n": "cut@4",
	} {
		got := read(t, strings.NewReader(dump))
		if len(got) == 0 || got[len(got)-1] != want {
			t.Errorf("%q: %q, want %s", dump, got, want)
		}
	}
	whole := "-- MariaDB dump 10.19\nLOCK TABLES `a` WRITE;\nINSERT INTO a VALUES (1);\nUNLOCK TABLES;\n-- Dump completed on 2026-11-20\n"
	if diff := cmp.Diff([]string{`a@3[]["1"]`}, read(t, strings.NewReader(whole))); diff != "" {
		t.Errorf("a whole one (-want +got):\n%s", diff)
	}
}

// The error of a file is that of the reading, not a cut.
func TestNextReturnsTheErrorOfTheFile(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for _, begin := range []string{"", "INSERT INTO a VALUES (1,", "INSERT INTO a VALUES ('a", "/* a", "-- a", "INSERT INTO a VALUES (1)", "INSERT INTO a VALUES (1", "DELIMITER ;", "CREATE TABLE a (b"} {
		r := sqldump.NewReader(io.MultiReader(strings.NewReader(begin), iotest.ErrReader(broken)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: %v", begin, err)
		}
	}
}

// quote writes a text as mysqldump does.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`, "\n", `\n`, "\r", `\r`, "\x1a", `\Z`, `"`, `\"`).Replace(text) + "'"
}

// Whatever is in a dump, it is read to its end; values come out as they were written, and a dump
// that lacks its last byte is cut.
func FuzzNext(f *testing.F) {
	f.Add("INSERT INTO a VALUES (1,'b');", "it's\\\x00", "林\n")
	f.Add("DELIMITER $$\nCREATE TABLE a (`b` int)$$ /*! x /* y */ */ -- z", "", "\x1a")
	f.Fuzz(func(t *testing.T, dump, one, two string) {
		r := sqldump.NewReader(strings.NewReader(dump))
		for n := 0; ; n++ {
			_, err := r.Next()
			var fault *sqldump.Fault
			if errors.Is(err, io.EOF) || errors.As(err, &fault) && fault.Cut {
				break
			}
			if err != nil && fault == nil {
				t.Fatal(err)
			}
			if n > 2*len(dump)+2 {
				t.Fatal("it does not end")
			}
		}
		text := "INSERT INTO `a` VALUES (" + quote(one) + "," + quote(two) + ");"
		want := []string{fmt.Sprintf("a@1[]%q", []string{one, two})}
		if diff := cmp.Diff(want, read(t, strings.NewReader(text))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := read(t, strings.NewReader(text[:len(text)-1])); got[len(got)-1] != "cut@1" {
			t.Errorf("a dump without its last byte: %q", got)
		}
	})
}
