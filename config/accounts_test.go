package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// twoAccounts is a settings file with two accounts.
const twoAccounts = `
send_rate: 7
undo_window: 20s
public_url: https://push.example.com
accounts:
  library:
    wechat: {app_id: wx1, app_secret: s1, token: token1}
    send_rate: 50
    language: en
  museum:
    wechat_app_id: wx2
    wechat_app_secret: s2
    wechat_token: token2
    redis_url: redis://cache/{account}0
`

// What stands under an account wins, then the environment, then the top of the file.
func TestEachAccountHasItsSettingsOverTheCommonOnes(t *testing.T) {
	t.Parallel()
	s, err := load(t, strings.ReplaceAll(twoAccounts, "/{account}0", "/3"), map[string]string{
		"SEND_RATE": "8", "UNDO_WINDOW": "30s", "LISTEN_ADDR": "127.0.0.1:9", "REQUIRE_TEST": "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	type view struct {
		Name, AppID, Token, Database, Redis, Language, Public, Undo string
		Rate                                                        int
		Test                                                        bool
	}
	var got []view
	for _, a := range s.Accounts {
		got = append(got, view{
			a.Name, a.AppID, a.Token.Reveal(), a.Database.String(), a.RedisURL.Reveal(), a.Language, a.PublicURL, a.UndoWindow.String(), a.SendRate, a.RequireTest,
		})
	}
	want := []view{
		{"library", "wx1", "token1", "sqlite://data/library.db", "", "en", "https://push.example.com", "30s", 50, true},
		{"museum", "wx2", "token2", "sqlite://data/museum.db", "redis://cache/3", "zh", "https://push.example.com", "30s", 8, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if s.ListenAddr != "127.0.0.1:9" || !s.Several() || !cmp.Equal(s.Names(), []string{"library", "museum"}) {
		t.Errorf("listens at %s, accounts %v", s.ListenAddr, s.Names())
	}
}

func TestTheNameOfAnAccountStandsForItselfInURLs(t *testing.T) {
	t.Parallel()
	s, err := load(t, strings.ReplaceAll(twoAccounts, "/{account}0", ""), map[string]string{
		"DATABASE_URL": "mysql://u:p@db/wechat_{account}", "PUBLIC_URL": "https://{account}.example.com", "WELCOME": "{account}",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range s.Accounts {
		got = append(got, a.Database.String(), a.PublicURL, a.Welcome)
	}
	want := []string{
		"mysql://u:***@db:3306/wechat_library", "https://library.example.com", "{account}",
		"mysql://u:***@db:3306/wechat_museum", "https://museum.example.com", "{account}",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFaultsOfAccounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	account := func(name, id, more string) string {
		return "  " + name + ": {wechat_app_id: " + id + ", wechat_app_secret: s, wechat_token: t0k" + more + "}\n"
	}
	for name, tt := range map[string]struct {
		file string
		env  map[string]string
		want []string // parts of the faults, one for each
	}{
		"no account":           {"accounts:\n", nil, []string{"accounts:"}},
		"a list":               {"accounts: [a]\n", nil, []string{"accounts:"}},
		"a name in capitals":   {"accounts:\n" + account("Library", "wx1", ""), nil, []string{`"Library"`}},
		"a name with a dot":    {"accounts:\n" + account("a.b", "wx1", ""), nil, []string{`"a.b"`}},
		"an account as text":   {"accounts:\n  a: wx1\n", nil, []string{`"a"`, "WECHAT_APP_ID", "WECHAT_APP_SECRET", "WECHAT_TOKEN"}},
		"what it lacks":        {"accounts:\n" + account("a", "wx1", "") + "  b: {wechat_app_id: wx2, wechat_token: t0k}\n", nil, []string{"WECHAT_APP_SECRET: is required and not set (accounts: b)"}},
		"a process's setting":  {"accounts:\n" + account("a", "wx1", ", listen_addr: ':1'"), nil, []string{"LISTEN_ADDR: is a setting of the whole program"}},
		"an unknown setting":   {"accounts:\n" + account("a", "wx1", ", send_rat: 1"), nil, []string{"SEND_RAT: is not a setting (config.yaml:2); did you mean SEND_RATE?"}},
		"one AppID":            {"accounts:\n" + account("a", "wx1", "") + account("b", "wx1", ""), nil, []string{"WECHAT_APP_ID: the account a has the same one (accounts: b)"}},
		"one AppID for all":    {"accounts:\n" + account("a", "wx1", "") + "  b: {wechat_app_secret: s, wechat_token: t0k}\n", map[string]string{"WECHAT_APP_ID": "wx1"}, []string{"the same one"}},
		"one database for all": {"database_url: sqlite://x.db\naccounts:\n" + account("a", "wx1", "") + account("b", "wx2", ""), nil, []string{"DATABASE_URL: it is the database of the account a"}},
		"one by another path":  {"accounts:\n" + account("a", "wx1", ", database_url: 'sqlite://"+dir+"/x.db'") + account("b", "wx2", ", database_url: 'sqlite://"+dir+"/link/../link/x.db'"), nil, []string{"DATABASE_URL: it is the database of the account a"}},
		"one on a server":      {"accounts:\n" + account("a", "wx1", ", database_url: 'mysql://u:p@LOCALHOST/x'") + account("b", "wx2", ", database_url: 'mysql://v:q@127.0.0.1:3306/x'"), nil, []string{"DATABASE_URL: it is the database of the account a"}},
		"a fault of all, once": {"send_rate: many\naccounts:\n" + account("a", "wx1", "") + account("b", "wx2", ""), nil, []string{"SEND_RATE:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{"LANGUAGE": "en"}
			for k, v := range tt.env {
				env[k] = v
			}
			_, err := load(t, tt.file, env)
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tt.want) {
				t.Fatalf("%d faults, want %d:\n%v", len(lines), len(tt.want), err)
			}
			for i, want := range tt.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("fault %q, want %q in it", lines[i], want)
				}
			}
		})
	}
}

func TestAccountsPrintNoSecret(t *testing.T) {
	t.Parallel()
	s, err := load(t, "accounts:\n  a: {wechat_app_id: wx1, wechat_app_secret: "+leakSecret+", wechat_token: "+leakToken+"}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := s.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for where, said := range map[string]string{"log": s.String(), "JSON": string(text), "account": s.Accounts[0].String()} {
		assertSilent(t, where, said)
		if !strings.Contains(said, "wx1") {
			t.Errorf("%s: %s does not show the account", where, said)
		}
	}
}
