package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/simulator"
)

// importDesk is an empty database of an account on a simulated platform, which the people
// 0 to 2 and many others follow.
type importDesk struct {
	t      *testing.T
	sim    *simulator.Simulator
	store  *models.Store
	config string
	// database is the DATABASE_URL.
	database string
}

const importSecret = "0123456789abcdef0123456789abcdef"

// onEach runs f on SQLite and on MySQL, in each language of the terminal.
func onEach(t *testing.T, f func(t *testing.T, d *importDesk, language string)) {
	t.Helper()
	for _, driver := range []string{"sqlite", "mysql"} {
		for _, language := range lang.Languages {
			t.Run(driver+" "+language, func(t *testing.T) {
				t.Parallel()
				f(t, newImportDesk(t, driver, language), language)
			})
		}
	}
}

func newImportDesk(t *testing.T, driver, language string) *importDesk {
	t.Helper()
	d := &importDesk{t: t}
	var database string
	if driver != "mysql" {
		database = "sqlite://" + filepath.ToSlash(modelstest.SQLiteFile(t))
	} else {
		dsn := modelstest.MigratedDSN(t)
		name := dsn[strings.LastIndex(dsn, "/")+1:]
		name, _, _ = strings.Cut(name, "?")
		database = strings.TrimSuffix(os.Getenv("TEST_MYSQL_URL"), "/") + "/" + name
	}
	d.database = database
	var err error
	d.sim, err = simulator.New(simulator.Options{
		Followers: 5000, Admin: openIDsOf(0, 1, 2), AppID: "wxba5fad812f8e6fb9", AppSecret: importSecret, Token: "token",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.sim.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	d.store = testProcess(t, testSettings(t, map[string]string{"DATABASE_URL": database})).only().store
	if err := d.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.config = filepath.Join(t.TempDir(), "config.yaml")
	text := "wechat_app_id: wxba5fad812f8e6fb9\nwechat_app_secret: " + importSecret + "\nwechat_token: token\nlanguage: " + language +
		"\nwechat_api_base_url: " + d.sim.URL() + "\nadmin_openids: " + modelstest.OpenID(0) + "\ndatabase_url: " + database + "\n"
	if err := os.WriteFile(d.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *importDesk) run(stdin string, args ...string) (code int, out, faults string) {
	d.t.Helper()
	var stdout, stderr logText // the log and the progress bar write at once
	code = run(d.t.Context(), append(args, "--config", d.config), strings.NewReader(stdin), &stdout, &stderr)
	if said := stdout.String() + stderr.String(); strings.Contains(said, "<no value>") || strings.Contains(said, "import.") || strings.Contains(said, "export.") {
		d.t.Errorf("%q says %s", args, said)
	}
	return code, stdout.String(), stderr.String()
}

// done runs a command that must succeed and returns what it prints.
func (d *importDesk) done(stdin string, args ...string) string {
	d.t.Helper()
	code, out, faults := d.run(stdin, args...)
	if code != exitOK {
		d.t.Fatalf("%q: exit code %d: %s%s", args, code, out, faults)
	}
	return out
}

// refused runs a command that must fail and returns what it says.
func (d *importDesk) refused(stdin string, args ...string) string {
	d.t.Helper()
	code, out, faults := d.run(stdin, args...)
	if code != exitFailed || out != "" {
		d.t.Fatalf("%q: exit code %d: %s%s", args, code, out, faults)
	}
	return faults
}

// fields returns the fields of everyone who follows, by OpenID.
func (d *importDesk) fields() map[string]string {
	d.t.Helper()
	all := map[string]string{}
	for after := int64(0); ; {
		page, err := d.store.FollowersAfter(d.t.Context(), after, 1000)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, r := range page {
			if after = r.ID; r.Subscribed {
				all[r.OpenID] = r.Fields
			}
		}
		if len(page) == 0 {
			return all
		}
	}
}

func dumpFile(name string) string { return filepath.Join("services", "people", "testdata", name) }

// A dump adds those whom the platform confirms, with what else it says of them, once. A dry
// run adds nobody, and a second run has nothing to do.
func TestImportOfADumpAddsFollowers(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		modelstest.OpenID(0): `{"city":"上海","due_date":"2026-11-30","id":"1","name":"林小燕","phone":"13800000000","score":"-1.50"}`,
		modelstest.OpenID(1): `{"id":"2","name":"O'Brien; \\\\ \"x\"\n第二行","score":"12.00"}`,
		modelstest.OpenID(2): `{"city":"北京","name":"何"}`,
	}
	onEach(t, func(t *testing.T, d *importDesk, language string) {
		zh := language == lang.Languages[0]
		pick := func(in, en string) string {
			if zh {
				return in
			}
			return en
		}
		for _, file := range []string{"phpmyadmin4.sql", "mysqldump8.sql", "mariadb.sql"} {
			out := d.done("", "import", dumpFile(file), "--dry-run")
			all(t, out, pick("会加入 3 位", "3 followers would be added"), pick("未关注 1", "1 do not follow"), "allinfo", "allinfo2", "due_date")
			if got := d.fields(); len(got) > 0 {
				t.Fatalf("%s: a dry run added %v", file, got)
			}
		}
		all(t, d.done("", "import", dumpFile("phpmyadmin5.sql")), pick("已加入 3 位", "3 followers were added"), pick("未关注 1", "1 do not follow"), "bin")
		if diff := cmp.Diff(want, d.fields()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		all(t, d.done("", "import", dumpFile("mysqldump57.sql")), pick("已加入 0 位", "0 followers were added"), pick("原已关注 3", "3 were known"))
		if diff := cmp.Diff(want, d.fields()); diff != "" {
			t.Errorf("the second time (-want +got):\n%s", diff)
		}
		// What a later file says is right; what it does not say stays.
		d.done("openid,name\n"+modelstest.OpenID(2)+",何大\n", "import", "-")
		if got := d.fields()[modelstest.OpenID(2)]; got != `{"city":"北京","name":"何大"}` {
			t.Errorf("after a later file %s", got)
		}
		out := d.done("", "export", "followers")
		all(t, out, "openid,subscribed,opted_out,tester,subscribed_at,scene\n", modelstest.OpenID(0)+",true,false,false,20", ",ADD_SCENE_QR_CODE\n")
		if strings.Contains(out, modelstest.OpenID(9)) {
			t.Errorf("the export has who does not follow:\n%s", out)
		}
		all(t, d.done(out, "import", "-"), pick("原已关注 3", "3 were known"))
	})
}

// Whatever is wrong with a file changes nothing, and is told.
func TestImportRefusesADump(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(dumpFile("mysqldump57.sql"))
	if err != nil {
		t.Fatal(err)
	}
	cut := string(whole[:bytes.Index(whole, []byte("吴"))])
	onEach(t, func(t *testing.T, d *importDesk, language string) {
		for name, c := range map[string]struct {
			text string
			args []string
			want [2]string
		}{
			"cut in the middle":  {cut, nil, [2]string{"不完整", "incomplete"}},
			"other tables":       {"CREATE TABLE `wp_posts` (`id` int);\nINSERT INTO `wp_posts` VALUES (1);\nINSERT INTO wp_users (id) VALUES (2);", nil, [2]string{"有这些表：wp_posts、wp_users", "it has: wp_posts, wp_users"}},
			"a table without":    {string(whole), []string{"--table", "settings"}, [2]string{"有这些表：settings", "it has: settings"}},
			"no such table":      {string(whole), []string{"--table", "fans"}, [2]string{"allinfo、allinfo2、settings", "allinfo, allinfo2, settings"}},
			"no dump":            {modelstest.OpenID(0), []string{"--table", "fans"}, [2]string{"--table fans 只用于", "--table fans is for"}},
			"UTF-16":             {"\xff\xfeo\x00p\x00", nil, [2]string{"UTF-16", "UTF-16"}},
			"a workbook":         {"PK\x03\x04xl/workbook.xml", nil, [2]string{"工作簿", "workbook"}},
			"nobody":             {"openid,name\n", nil, [2]string{"没有改动", "nothing was changed"}},
			"another account":    {"openid\n" + strangers(300), nil, [2]string{"WECHAT_APP_ID", "WECHAT_APP_ID"}},
			"a bad line":         {"openid\n" + modelstest.OpenID(0) + "\nx\n", nil, [2]string{"第 3 行", "line 3"}},
			"not understood":     {"INSERT INTO p (openid) VALUES ('" + modelstest.OpenID(0) + "'), (CONCAT('a'));", nil, [2]string{"INSERT INTO … VALUES", "INSERT INTO … VALUES"}},
			"a cut list":         {cut, []string{"--list", "a"}, [2]string{"不完整", "incomplete"}},
			"cut testers":        {cut, []string{"--testers"}, [2]string{"不完整", "incomplete"}},
			"too many testers":   {"openid\n" + followersOf(d, 101), []string{"--testers"}, [2]string{"最多 100 人", "may have 100"}},
			"testers who left":   {modelstest.OpenID(0) + "\n" + modelstest.OpenID(9), []string{"--testers"}, [2]string{"没有关注本账号", "do not follow"}},
			"a name of two":      {"openid,name\n" + modelstest.OpenID(0) + ",a\n" + modelstest.OpenID(1) + ",A\n", []string{"--testers"}, [2]string{"「A」", "called A"}},
			"a name of too much": {"openid,name\n" + modelstest.OpenID(0) + "," + strings.Repeat("a", 65) + "\n", []string{"--testers"}, [2]string{"没有改动", "Nothing was changed"}},
		} {
			want := c.want[1]
			if language == lang.Languages[0] {
				want = c.want[0]
			}
			said := d.refused(c.text, append([]string{"import", "-"}, c.args...)...)
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in\n%s", name, want, said)
			}
		}
		if code, _, faults := d.run("x", "import", "-", "--list", "a", "--testers"); code != exitUsage || !strings.Contains(faults, "--testers") {
			t.Errorf("exit code %d: %s", code, faults)
		}
		people, err := d.store.FollowersAfter(t.Context(), 0, 10)
		lists, err2 := d.store.Lists(t.Context())
		testers, err3 := d.store.Testers(t.Context())
		if len(people)+len(lists)+len(testers) > 0 || err != nil || err2 != nil || err3 != nil {
			t.Errorf("there are %v, %v, %v", people, lists, testers)
		}
	})
}

func strangers(n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString("not-one-of-this-account-" + strconv.Itoa(1000+i) + "\n")
	}
	return text.String()
}

func followersOf(d *importDesk, n int) string {
	var text strings.Builder
	for i := range n {
		text.WriteString(d.sim.Follower(i) + "\n")
	}
	return text.String()
}

// The test list gets people with their names, whole or not at all; nobody becomes a follower
// by it, and whoever left is left out only if asked.
func TestImportOfTesters(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *importDesk, _ string) {
		d.done(modelstest.OpenID(0), "import", "-")
		text := "openid,Nickname\n" + modelstest.OpenID(0) + ",林\n" + modelstest.OpenID(1) + ",\n" + modelstest.OpenID(9) + ",吴\n"
		d.done(text, "import", "-", "--testers", "--skip-bad", "--dry-run")
		if testers, err := d.store.Testers(t.Context()); len(testers) > 0 || err != nil {
			t.Fatalf("a dry run: %v, %v", testers, err)
		}
		all(t, d.done(text, "import", "-", "--testers", "--skip-bad"), "2", "sync", "…")
		d.done(text, "import", "-", "--testers", "--skip-bad") // once more changes nothing
		testers, err := d.store.Testers(t.Context())
		if err != nil || len(testers) != 2 || testers[0].Name != "林" || testers[1].OpenID != modelstest.OpenID(1) {
			t.Fatalf("testers: %+v, %v", testers, err)
		}
		if got := d.fields(); len(got) != 1 {
			t.Errorf("followers: %v", got)
		}
		d.done("", "sync")
		testers, err = d.store.Testers(t.Context())
		if err != nil || len(testers) != 2 || !testers[0].Subscribed || !testers[1].Subscribed {
			t.Errorf("testers after a sync: %+v, %v", testers, err)
		}
	})
}

// A dump makes a list, too, which is exported and imported again as the same.
func TestImportOfADumpMakesAList(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, d *importDesk, _ string) {
		d.done("", "import", dumpFile("mariadb-single.sql"), "--list", "old")
		first := d.done("", "export", "lists", "--list", "old")
		all(t, first, "openid,id,name,phone,due_date,score,city", modelstest.OpenID(0)+",1,林小燕,13800000000,2026-11-30,'-1.50,上海")
		d.done(first, "import", "-", "--list", "new")
		if second := d.done("", "export", "lists", "--list", "new"); second != first {
			t.Errorf("exported\n%s\nand again\n%s", first, second)
		}
		d.done("", "import", dumpFile("phpmyadmin4.sql"), "--list", "new", "--table", "allinfo2")
		if second := d.done("", "export", "lists", "--list", "new"); strings.Count(second, "\n") != 3 || !strings.HasPrefix(second, "openid,name,city") {
			t.Errorf("replaced by\n%s", second)
		}
		if got := d.fields(); len(got) > 0 {
			t.Errorf("a list added followers: %v", got)
		}
	})
}

// An import that was killed is run again and ends with everyone, once.
func TestImportAfterKills(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{"sqlite", "mysql"} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			d := newImportDesk(t, driver, "en")
			var text strings.Builder
			text.WriteString("openid,n\n")
			want := map[string]string{}
			for i := range 2000 {
				openID := d.sim.Follower(i)
				text.WriteString(openID + "," + strconv.Itoa(i) + "\n")
				want[openID] = `{"n":"` + strconv.Itoa(i) + `"}`
			}
			path := filepath.Join(t.TempDir(), "people.csv")
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
			stopped := 0
			for range 5 {
				c := exec.CommandContext(t.Context(), os.Args[0], "import", path, "--config", d.config)
				c.Env = append(os.Environ(), asProgram+"=yes")
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- c.Wait() }()
				before := len(d.fields())
				tick := time.NewTicker(5 * time.Millisecond)
				for len(d.fields()) == before && len(ended) == 0 {
					<-tick.C
				}
				tick.Stop()
				_ = c.Process.Kill()
				if err := <-ended; err == nil {
					break
				}
				stopped++
				for openID, fields := range d.fields() {
					if fields != want[openID] {
						t.Fatalf("half-done after a kill: %s has %s", openID, fields)
					}
				}
			}
			if stopped == 0 {
				t.Error("no import was killed in the middle")
			}
			d.done("", "import", path)
			if diff := cmp.Diff(want, d.fields()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if stats := d.sim.Stats(); stats.Accepted > 0 {
				t.Errorf("something was sent: %+v", stats)
			}
		})
	}
}
