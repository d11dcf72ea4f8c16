package setup_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"wechat-broadcast/config"
	"wechat-broadcast/lang"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/services/wechat/field"
	"wechat-broadcast/setup"
)

func TestAFileIsThereWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "config.yaml")
	if err := errors.Join(setup.CheckPlace(path), setup.Create(path, []byte("one"))); err != nil {
		t.Fatal(err)
	}
	if err := setup.CheckPlace(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that is there: %v", err)
	}
	if err := setup.Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	// A link to nothing is a file that is there, too.
	link := filepath.Join(folder, "link.yaml")
	if err := os.Symlink(filepath.Join(folder, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	if err := setup.Create(link, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a link: %v", err)
	}
	absent := filepath.Join(folder, "absent", "config.yaml")
	if err := setup.CheckPlace(absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil || string(data) != "one" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What is written is what is read, also where YAML would see a number or a comment.
func TestTheSettingsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	data, err := setup.YAML("one\ntwo", []setup.Setting{
		{Name: "WECHAT_APP_ID", Value: "wx1"},
		{Name: "WECHAT_APP_SECRET", Value: "0123456"},
		{Name: "WECHAT_TOKEN", Value: "1e5"},
		{Name: "DATABASE_URL", Value: "mysql://u:p'%23:x@127.0.0.1/d"},
		{Name: "ADMIN_OPENIDS", Value: "oA,oB"},
		{Name: "PUBLIC_URL", Value: ""},
	})
	if err == nil {
		err = setup.Create(path, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	settings, err := config.Load(path, true, func(string) (string, bool) { return "", false }, nil)
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	a := settings.Accounts[0]
	if a.AppSecret.Reveal() != "0123456" || a.Token.Reveal() != "1e5" || len(a.AdminOpenIDs) != 2 || a.PublicURL != "" || !strings.Contains(a.Database.DSN, "p'#:x") {
		t.Errorf("%s is read as %+v", data, a)
	}
}

func TestWhatIsMadeUpFitsThePlatformsForm(t *testing.T) {
	t.Parallel()
	words := newWords(t)
	for range 100 {
		token, err1 := setup.NewToken()
		key, err2 := setup.NewKey()
		other, err3 := setup.NewKey()
		if err := errors.Join(err1, err2, err3, config.Check(words, "WECHAT_TOKEN", token), config.Check(words, "WECHAT_ENCODING_AES_KEY", key)); err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[A-Za-z0-9]{43}$`).MatchString(key) || key == other {
			t.Fatalf("keys %q, %q", key, other)
		}
	}
}

func newWords(t *testing.T) *lang.Locale {
	t.Helper()
	words, err := lang.New("zh", slog.New(slog.NewTextHandler(t.Output(), nil)), lang.Terminal)
	if err != nil {
		t.Fatal(err)
	}
	return words
}

func TestTheUnitNamesPathsAsSystemdReadsThem(t *testing.T) {
	t.Parallel()
	text, err := setup.Unit{User: "wechat", Folder: "/srv/a b%", Program: "/opt/a b/wb", Config: `/etc/$x/100%.yaml`}.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nUser=wechat\n", "\nWorkingDirectory=/srv/a b%%\n", "\nReadWritePaths=\"/srv/a b%%\"\n",
		"\nExecStart=\"/opt/a b/wb\" serve --config /etc/$$x/100%%.yaml\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// Under the unit the program may write where its SQLite file is, wherever that is, and
// nowhere else.
func TestTheUnitLetsTheProgramWriteItsDatabase(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		"": "/srv/wb", "/srv/wb": "/srv/wb", "/srv/wb/data": "/srv/wb", "/srv/wb/..data": "/srv/wb", "/var/lib/wb": "/srv/wb /var/lib/wb",
		"/srv": "/srv/wb /srv", "/srv/wb2": "/srv/wb /srv/wb2", "/mnt/a b": `/srv/wb "/mnt/a b"`,
	} {
		text, err := setup.Unit{User: "wechat", Folder: "/srv/wb", Data: data, Program: "/opt/wb", Config: "/etc/x.yaml"}.Text()
		if err != nil || !strings.Contains(text, "\nReadWritePaths="+want+"\n") {
			t.Errorf("%s: %v\n%s", data, err, text)
		}
	}
}

func TestTheFolderOfAFile(t *testing.T) {
	t.Parallel()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := errors.Join(
		os.Mkdir(at("real"), 0o700), os.WriteFile(at("real/b.db"), nil, 0o600), os.Symlink(at("real/b.db"), at("b.db")), os.Symlink(at("real"), at("linked")),
	); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"real/b.db": "real", "b.db": "real", "linked/new.db": "real", "nowhere/new.db": "nowhere", "new.db": "."} {
		if got, err := setup.FolderOf(at(path)); err != nil || got != at(want) {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

func TestTheProxyFollowsThePublicURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, listen  string
		nginx, caddy []string
	}{
		{
			"https://push.example.com", "127.0.0.1:8080",
			[]string{"listen 443 ssl;", "server_name push.example.com;", "location /wechat {", "proxy_pass http://127.0.0.1:8080;", "location /b/ {"},
			[]string{"\npush.example.com {", "@program path /wechat /wechat/* /b/*", "reverse_proxy 127.0.0.1:8080 {"},
		},
		{
			"https://example.com:8443/push", ":9000",
			[]string{"listen 8443 ssl;", "location /push/wechat {", "proxy_pass http://127.0.0.1:9000/wechat;", "proxy_pass http://127.0.0.1:9000/b/;"},
			[]string{"\nexample.com:8443 {", "path /push/wechat", "uri strip_prefix /push"},
		},
	} {
		proxy, err := setup.NewProxy(tt.url, tt.listen)
		if err != nil {
			t.Fatal(err)
		}
		nginx, err1 := proxy.Nginx()
		caddy, err2 := proxy.Caddy()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for text, parts := range map[string][]string{nginx: tt.nginx, caddy: tt.caddy} {
			for _, part := range parts {
				if !strings.Contains(text, part) {
					t.Errorf("%s: no %q in:\n%s", tt.url, part, text)
				}
			}
			if strings.Contains(text, "metrics") || strings.Contains(text, "readyz") {
				t.Errorf("%s: it opens what is not for strangers:\n%s", tt.url, text)
			}
		}
	}
}

// A template of any types can be tried, save of those with values that only the platform
// knows.
func TestTheFirstMessageFitsItsTemplate(t *testing.T) {
	t.Parallel()
	words := newWords(t)
	for keys, ok := range map[string]bool{
		"thing1 time2 keyword3": true, "character_string1 amount2 phone_number3 date4": true, "short_thing1": true,
		"first keyword1 remark": true, "first remark": true, "thing1 const2": false, "enum_string1": false, "": false,
	} {
		var template wechat.Template
		for key := range strings.FieldsSeq(keys) {
			template.Fields = append(template.Fields, wechat.TemplateField{Key: key, Name: key})
		}
		lines, got := setup.FirstMessage(words, template)
		if got != ok {
			t.Errorf("%q: %v, %t", keys, lines, got)
		}
		for _, line := range lines {
			value := strings.NewReplacer("{日期}", "2026年11月27日", "{时间}", "09:00").Replace(line.Value)
			if _, cut, err := field.Check(line.Field, value); cut || err != nil {
				t.Errorf("%s=%s: %t, %v", line.Field, line.Value, cut, err)
			}
		}
	}
}
