package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// listDesk is a database with followers, and the commands on it.
type listDesk struct {
	store *models.Store
	run   func(stdin string, args ...string) (code int, out, faults string)
	dir   string
	url   string
}

// newListDesk has the followers 0 to 4, of whom 3 opted out and 4 left.
func newListDesk(t *testing.T, language string) *listDesk {
	t.Helper()
	s := testSettings(t, nil)
	store := testProcess(t, s).only().store
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	for i := range 5 {
		if err := store.EnsureRecipient(t.Context(), modelstest.OpenID(i), at); err != nil {
			t.Fatal(err)
		}
	}
	for i, change := range map[int]func(*models.Recipient){
		3: func(r *models.Recipient) { r.OptedOut = true }, 4: func(r *models.Recipient) { r.Leave(models.At(at)) },
	} {
		if err := store.ChangeRecipient(t.Context(), modelstest.OpenID(i), change); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	text := "wechat_app_id: wxba5fad812f8e6fb9\nwechat_app_secret: secret\nwechat_token: token\nlanguage: " + language +
		"\ndatabase_url: sqlite://" + filepath.ToSlash(s.Accounts[0].Database.DSN) + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return &listDesk{store: store, dir: dir, url: "sqlite://" + filepath.ToSlash(s.Accounts[0].Database.DSN), run: func(stdin string, args ...string) (int, string, string) {
		var out, faults logText
		code := run(t.Context(), append(args, "--config", config), strings.NewReader(stdin), &out, &faults)
		return code, out.String(), faults.String()
	}}
}

// pulled has the follower list as complete.
func (d *listDesk) pulled(t *testing.T) {
	t.Helper()
	state, err := d.store.BeginSync(t.Context(), models.At(time.Now().Add(-2*time.Hour)), false)
	if err != nil {
		t.Fatal(err)
	}
	next := state
	next.Pages++
	next.Pulled = true
	if state, err = d.store.StorePage(t.Context(), state, next, openIDsOf(0, 1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	if state, _, err = d.store.MergeList(t.Context(), state, nil); err != nil {
		t.Fatal(err)
	}
	if _, err = d.store.FinishSync(t.Context(), state, models.At(time.Now())); err != nil {
		t.Fatal(err)
	}
}

func openIDsOf(numbers ...int) (all []string) {
	for _, i := range numbers {
		all = append(all, modelstest.OpenID(i))
	}
	return all
}

func (d *listDesk) file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(d.dir, "list.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exported returns a list as the command prints it; empty if there is none.
func (d *listDesk) exported(name string) string {
	code, out, _ := d.run("", "export", "lists", "--list", name)
	if code != exitOK {
		return ""
	}
	return out
}

func all(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// An import of what was exported makes the same list, whatever the values are.
func TestImportOfAnExportMakesTheSameList(t *testing.T) {
	t.Parallel()
	d := newListDesk(t, "zh")
	path := d.file(t, "\ufeffname,OpenID,到期\r\n\"林, \"\"小\"\"\nb\","+modelstest.OpenID(0)+",=1+1\r\n,"+modelstest.OpenID(1)+",\r\n'x,"+modelstest.OpenID(9)+",'=2\r\n")
	code, out, faults := d.run("", "import", path, "--list", " 老   读者 ")
	if code != exitOK {
		t.Fatal(code, out, faults)
	}
	all(t, out, "名单「老 读者」现在有 3 人", "字段：name、到期")
	first := d.exported("老 读者")
	all(t, first, "openid,name,到期\n", modelstest.OpenID(0)+",\"林, \"\"小\"\"\nb\",'=1+1\n", modelstest.OpenID(1)+",,\n", modelstest.OpenID(9)+",'x,'=2\n")
	if code, out, faults = d.run(first, "import", "-", "--list", "again"); code != exitOK {
		t.Fatal(code, out, faults)
	}
	if second := d.exported("AGAIN"); second != first {
		t.Errorf("exported\n%s\nand again\n%s", first, second)
	}
	if code, _, faults = d.run("", "export", "lists", "--list", "none"); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	all(t, faults, "没有名为「none」的名单")
}

// The command says how those on the list stand, a dry run changes nothing, and what is
// replaced is replaced as a whole.
func TestImportSaysWhoFollows(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		d := newListDesk(t, language)
		text := strings.Join(openIDsOf(0, 1, 2, 3, 4, 5, 6, 7), "\n")
		_, out, _ := d.run(text, "import", "-", "--list", "old", "--dry-run")
		all(t, out, "sync", "old", "8")
		d.pulled(t)
		want := map[string][]string{
			"zh": {"试运行，没有改动", "8 人", "已关注、可以发送 3", "已退订 1", "已取消关注 1", "关注者名单里）3"},
			"en": {"dry run, nothing was changed", "8 people", "3 follow", "1 opted out", "1 left", "3 unknown"},
		}[language]
		code, out, faults := d.run(text, "import", "-", "--list", "old", "--dry-run")
		if code != exitOK {
			t.Fatal(code, faults)
		}
		all(t, out, want...)
		if got := d.exported("old"); got != "" {
			t.Errorf("a dry run made the list\n%s", got)
		}
		if code, out, faults = d.run(text, "import", "-", "--list", "old"); code != exitOK {
			t.Fatal(code, faults)
		}
		all(t, out, want[1:]...)
		if code, _, faults = d.run(modelstest.OpenID(7), "import", "-", "--list", "OLD"); code != exitOK {
			t.Fatal(code, faults)
		}
		if got := d.exported("old"); got != "openid\n"+modelstest.OpenID(7)+"\n" {
			t.Errorf("replaced by\n%s", got)
		}
	}
}

// A file with bad lines changes nothing, unless they are to be left out; each is named.
func TestImportNamesBadLines(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		d := newListDesk(t, language)
		d.pulled(t)
		if code, _, faults := d.run(modelstest.OpenID(0), "import", "-", "--list", "old"); code != exitOK {
			t.Fatal(code, faults)
		}
		before := d.exported("old")
		text := "openid,name\n" + modelstest.OpenID(1) + ",a\n小林,b\n" + modelstest.OpenID(1) + ",c\n" + modelstest.OpenID(2) + "\n" + modelstest.OpenID(2) +
			",\xc1\xd6\xff\n" + strings.Repeat(",x\n", 20)
		code, out, faults := d.run(text, "import", "-", "--list", "old")
		if code != exitFailed || out != "" {
			t.Errorf("exit code %d, %s", code, out)
		}
		all(t, faults, "24 ", "小林", "GB18030", "--skip-bad", "14 ", map[string]string{"zh": "第 4 行：与第 2 行是同一个人", "en": "line 4: the same person as in line 2"}[language])
		if strings.Contains(faults, "<no value>") {
			t.Error(faults)
		}
		if got := d.exported("old"); got != before {
			t.Errorf("changed to\n%s", got)
		}
		if r, err := d.store.FindRecipient(t.Context(), modelstest.OpenID(50)); r != nil || err != nil {
			t.Error(r, err)
		}
		if code, out, faults = d.run(text, "import", "-", "--list", "old", "--skip-bad"); code != exitOK {
			t.Fatal(code, faults)
		}
		all(t, out, "24 ", "小林")
		if got := d.exported("old"); got != "openid,name\n"+modelstest.OpenID(1)+",a\n" {
			t.Errorf("made\n%s", got)
		}
	}
}

func TestImportRefusesWhatIsNoList(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		d := newListDesk(t, language)
		for name, c := range map[string]struct {
			text string
			args []string
			code int
			want string
		}{
			"nobody":          {"openid,name\n", []string{"import", "-", "--list", "old"}, exitFailed, "OpenID"},
			"only bad lines":  {"x\n", []string{"import", "-", "--list", "old", "--skip-bad"}, exitFailed, "“x”「x」"},
			"a bad column":    {"openid,time\n" + modelstest.OpenID(1) + ",a\n", []string{"import", "-", "--list", "old", "--skip-bad"}, exitFailed, "time"},
			"a bad name":      {modelstest.OpenID(1), []string{"import", "-", "--list", "a，b"}, exitFailed, "a，b"},
			"no file":         {"", []string{"import", filepath.Join(d.dir, "none.csv"), "--list", "old"}, exitFailed, "none.csv"},
			"a folder":        {"", []string{"import", d.dir, "--list", "old"}, exitFailed, d.dir},
			"no file named":   {"", []string{"import", "--list", "old"}, exitUsage, "<file>"},
			"nothing to list": {"", []string{"export", "lists"}, exitUsage, "--list=NAME"},
		} {
			code, out, faults := d.run(c.text, c.args...)
			if code != c.code || out != "" || !strings.ContainsAny(faults, c.want) || strings.Contains(faults, "<no value>") {
				t.Errorf("%s: exit code %d\n%s%s", name, code, out, faults)
			}
			if c.want != "“x”「x」" {
				all(t, faults, c.want)
			}
			if language == "zh" && !strings.ContainsAny(faults, "名单文缺") {
				t.Errorf("%s: not in Chinese: %s", name, faults)
			}
		}
		if all, err := d.store.Lists(t.Context()); len(all) != 0 || err != nil {
			t.Errorf("there are %v, %v", all, err)
		}
	}
}

// A list of many people is one list, and what an import that was cut off left is gone.
func TestImportOfManyPeople(t *testing.T) {
	t.Parallel()
	d := newListDesk(t, "en")
	var text strings.Builder
	text.WriteString("openid,n\n")
	for i := range 12_345 {
		fmt.Fprintf(&text, "%s,%d\n", modelstest.OpenID(i), i)
	}
	path := d.file(t, text.String())
	if code, out, faults := d.run("", "import", path, "--list", "many"); code != exitOK || !strings.Contains(out, "12,345 people") {
		t.Fatal(code, out, faults)
	}
	if n := strings.Count(d.exported("many"), "\n"); n != 12_346 {
		t.Errorf("%d lines", n)
	}
}
