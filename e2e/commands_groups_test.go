package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/zone"
)

// scans has somebody scan the account's QR code with a scene, and returns the reply.
func (p *platform) scans(openID, scene string) string {
	p.t.Helper()
	return p.reply("/_sim/scan", map[string]string{"openid": openID, "scene": scene})
}

// clicks has somebody tap the menu's button of a key, and returns the reply.
func (p *platform) clicks(openID, key string) string {
	p.t.Helper()
	return p.reply("/_sim/click", map[string]string{"openid": openID, "key": key})
}

func (p *platform) reply(path string, ask map[string]string) string {
	p.t.Helper()
	var answer struct {
		Reply string `json:"reply"`
	}
	p.ask(http.MethodPost, path, ask, &answer)
	return answer.Reply
}

// tags makes a tag of the account that these people have, and returns its number.
func (p *platform) tags(name string, openIDs ...string) int {
	p.t.Helper()
	var made struct {
		ID int `json:"id"`
	}
	p.ask(http.MethodPost, "/_sim/tag", map[string]any{"name": name, "add": openIDs}, &made)
	return made.ID
}

// runs carries out a command of the program beside the server, in its folder and with its
// settings, and returns what it wrote and its exit code.
func (s *server) runs(stdin string, args ...string) (code int, out, faults string) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), binary, args...)
	cmd.Dir = filepath.Dir(s.log.path)
	cmd.Env = append([]string{"HOME=" + cmd.Dir}, s.env.environ()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatalf("run %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// writes makes a file in the folder in which the commands run.
func (s *server) writes(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.log.path), name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// converseAs is converse with an admin of each role and the followers pulled.
func converseAs(t *testing.T, language string, more settings) *conversation {
	t.Helper()
	var flags []string
	env := settings{"CANARY": "2"}
	if language == "zh" {
		flags, env["WECHAT_ENCODING_AES_KEY"] = []string{"--mode", "safe", "--aes-key", aesKey}, aesKey
	}
	maps.Copy(env, more)
	c := converse(t, language, flags, env)
	for openID, role := range map[string]string{sender: "sender", editor: "editor", viewer: "viewer"} {
		c.platform.say(admin, "admins add "+openID+" "+role)
	}
	c.platform.say(sender, "sync")
	eventually(t, patience, "the followers are pulled", func() bool { return strings.Contains(c.platform.say(admin, "stats"), "1,200") })
	return c
}

// joinsElsewhere joins and leaves a topic by the menu and by QR codes, and has somebody come
// to follow by one. The scene of a code does nothing else.
func (c *conversation) joinsElsewhere(join, leave, stop string) {
	c.t.Helper()
	topic := strings.Fields(join)[1]
	has(c.t, "the reply to a scan that leaves", c.platform.scans(follower, leave), topic)
	has(c.t, "the reply to a click that joins", c.platform.clicks(follower, join), topic)
	before := c.everything()
	if reply := c.platform.scans(follower, stop); reply != "" {
		c.t.Errorf("a scan of %q is answered %q", stop, reply)
	}
	if after := c.everything(); after != before {
		c.t.Errorf("a scan of %q changed something. Before:\n%s\nafter:\n%s", stop, before, after)
	}
	has(c.t, "the reply to who comes by a code", c.platform.scans("oScanned00000000000000000N", join), topic)
}

// hasGroups gives the account three tags and a list, whose people have two fields.
func (c *conversation) hasGroups(vip, staff, words, list, name, due string) {
	c.t.Helper()
	c.platform.tags(vip, follower, viewer, editor)
	c.platform.tags(staff, editor, sender)
	c.platform.tags(words, editor)
	values := []string{"May", "friday", "Ann", "monday"}
	if c.zh() {
		values = []string{"小王", "周五", "小李", "周一"}
	}
	c.writes(c.t, "list.csv", fmt.Sprintf("openid,%s,%s\n%s,%s,%s\n%s,%s,%s\noNobody00000000000000000000,x,y\n",
		name, due, follower, values[0], values[1], viewer, values[2], values[3]))
	if code, _, faults := c.runs("", "import", "list.csv", "--list", list); code != 0 {
		c.t.Fatalf("the import ends with code %d: %s", code, faults)
	}
	eventually(c.t, patience, "the tags are read", func() bool { return strings.Contains(c.platform.say(admin, "tags"), words) })
}

// pauses waits until a broadcast is paused.
func (c *conversation) pauses(id int64) {
	c.t.Helper()
	eventually(c.t, patience, fmt.Sprintf("#%d pauses", id), func() bool {
		status := c.platform.say(admin, fmt.Sprintf("broadcast status #%d", id))
		return strings.Contains(status, "Paused") || strings.Contains(status, "已暂停")
	})
}

// inBoth tries something in both languages.
func inBoth(t *testing.T, try func(t *testing.T, language string)) {
	t.Parallel()
	long(t)
	for _, language := range []string{"en", "zh"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			try(t, language)
		})
	}
}

func TestGroupCommands(t *testing.T) {
	inBoth(t, func(t *testing.T, language string) {
		c := converseAs(t, language, nil)
		for _, lines := range map[string][][]line{
			"en": {c.topicsEnglish(), c.groupsEnglish(), c.groupBroadcastsEnglish()},
			"zh": {c.topicsChinese(), c.groupsChinese(), c.groupBroadcastsChinese()},
		}[language] {
			c.tries(lines)
		}
		if st := c.platform.stats(); st.Reached != 4 || st.Twice != 0 || st.TwiceByID != 0 {
			t.Errorf("reached %d, want 4; %d got the same twice", st.Reached, st.Twice)
		}
	})
}

func TestGuardCommands(t *testing.T) {
	inBoth(t, func(t *testing.T, language string) {
		c := converseAs(t, language, settings{"APPROVALS": "1", "REQUIRE_TEST": "true"})
		lines, vip, staff := c.guardsEnglish(), "vip", "staff"
		if c.zh() {
			lines, vip, staff = c.guardsChinese(), "老师", "员工"
		}
		c.platform.tags(vip, follower, viewer, editor)
		c.platform.tags(staff, editor, sender)
		c.tries(lines)
		c.ends(2)
		if st := c.platform.stats(); st.Accepted != 4 || st.Twice != 0 {
			t.Errorf("accepted %d, want 4; %d got the same twice", st.Accepted, st.Twice)
		}
	})
}

func TestQuietCommands(t *testing.T) {
	inBoth(t, func(t *testing.T, language string) {
		now := time.Now().In(zone.Beijing)
		quiet := now.Add(-time.Hour).Format("15:04") + "-" + now.Add(2*time.Hour).Format("15:04")
		c := converseAs(t, language, settings{"QUIET_HOURS": quiet, "MAX_PER_FOLLOWER": "1/24h"})
		lines, vip := c.quietEnglish(), "vip"
		if c.zh() {
			lines, vip = c.quietChinese(), "老师"
		}
		c.platform.tags(vip, follower, viewer, editor)
		c.tries(lines)
		if st := c.platform.stats(); st.Accepted != 3 || st.MoreThanOne != 0 {
			t.Errorf("accepted %d, want 3; %d got more than one", st.Accepted, st.MoreThanOne)
		}
	})
}
