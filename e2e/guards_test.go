package e2e

import (
	"cmp"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/zone"
)

// second is another owner.
const second = "oAdmin00000000000000000000B"

// guardedMessages are those of messagesFile, and one that says the same under another name.
const guardedMessages = messagesFile + `
  twin:
    template_id: Doclyl5uP7Aciu-qZ7mJNPtWkbkYnWBWVja26EGbNyk
    data:
      character_string1: {value: '{{.OpenID}}'}
      time4: {value: "2026-11-24 09:00"}
      amount5: {value: "¥1.00"}
`

// way is something that an admin may try to get round a guard.
type way struct {
	by   string // admin, unless it says who else
	line string // soon in it stands for a moment within two minutes
	// says is a pattern that the reply has, in which #new stands for the next broadcast;
	// empty for that of the guard.
	says string
}

// guard is one of those that keep messages from being sent.
type guard struct {
	settings settings
	says     string // a pattern that replies have, which says why nothing goes out
	ways     []way
	// status is a pattern that the status of every broadcast has that was taken; empty if
	// none may be.
	status string
	// before is sent by right, in the words of the first owner, before the ways are tried.
	before []string
	// once: who got nothing before may get a message by it. Without, no call is made.
	once bool
}

// spellings are ways to write that a message goes to everyone.
var spellings = []string{
	"broadcast all %s", "  BROADCAST  Everyone %s ", "ｂｒｏａｄｃａｓｔ　ａｌｌ　%s", "broadcast\u200b all “%s”", "群发全部 %s", "群发 全部 %s", "群发所有人“%s”",
	"群发全员 「%s」", "broadcast everybody \"%s\"",
}

// audiences are those that a message can be for beside everyone.
var audiences = []string{
	"broadcast topic 讲座 %s", "群发主题讲座 %s", "broadcast tag VIP %s", "群发 标签 「VIP」%s", "broadcast list 借阅 %s", "群发名单 “借阅” %s",
	"broadcast all %s except topic 讲座", "群发全部 %s 不含 名单 借阅",
}

// written writes ways with a message and words behind it.
func written(lines []string, message, words string) (ways []way) {
	for i, line := range lines {
		w := way{line: strings.ReplaceAll(line, "%s", message) + words}
		if i%3 == 2 {
			w.by = second
		}
		ways = append(ways, w)
	}
	return ways
}

// joined puts ways one after the other.
func joined(all ...[]way) (ways []way) {
	for _, some := range all {
		ways = append(ways, some...)
	}
	return ways
}

// lines are ways by the first owner.
func lines(all ...string) []way { return written(all, "", "") }

// quietNow are quiet hours that go on for two hours.
func quietNow() string {
	now := time.Now().In(zone.Beijing)
	return now.Add(-time.Hour).Format("15:04") + "-" + now.Add(2*time.Hour).Format("15:04")
}

// guards are all of them. #1 went to some of the followers, failed with some, and was
// cancelled.
func guards() map[string]guard {
	return map[string]guard{
		"approvals": {
			settings: settings{"APPROVALS": "2"}, says: "approval|approve", status: "Waits for approval, ",
			ways: joined(
				written(spellings, "notice", " again"), written(audiences, "notice", " again"),
				[]way{{line: "rest #1"}, {line: "reached #1 notice again"}, {line: "retry #1"}, {line: "broadcast all notice again canary"}, {line: "broadcast all notice again now"}, {line: "broadcast all notice again at soon"}},
				[]way{
					{line: "approve #2", says: "another admin"},
					{line: "同意 #2", says: "another admin"},
					{line: "ＡＰＰＲＯＶＥ　＃2", says: "another admin"},
					{by: stranger, line: "approve #2", says: "."},
					{by: second, line: "approve #2", says: "one more"},
					{by: second, line: "批准 2", says: "."},
					{by: second, line: "approve #2", says: "."},
					{line: "resume #2", says: "waiting for approval"},
					{line: "继续 2", says: "waiting for approval"},
					{line: "resume #2 now", says: "waiting for approval"},
					{line: "pause #2", says: "waiting for approval"},
					{line: "stop", says: "."},
					{by: second, line: "resume #2", says: "waiting for approval"},
					{line: "retry #2", says: "waiting for approval"},
					{line: "rest #2", says: "waiting for approval"},
					{line: "reached #2", says: "waiting for approval"},
					{line: "reschedule #2 soon", says: "approval"},
					{by: second, line: "改期 #2 soon", says: "approval"},
					{by: second, line: "approve #2", says: "one more"},
					{line: "reschedule #2 soon", says: "approval"},
					{by: second, line: "approve #2", says: "one more"},
				},
			),
		},
		"a test before it": {
			settings: settings{"REQUIRE_TEST": "true"}, says: "was not tested", before: []string{"broadcast me notice\nthing1=别的"},
			ways: joined(
				written(spellings, "notice", ""), written(spellings[:2], "notice", " again"), written(audiences, "notice", " again"),
				lines("rest #1 notice", "reached #1 notice again", "broadcast all notice canary", "broadcast all notice now", "broadcast all notice at soon",
					"broadcast all personal again\namount5=¥2.00", "broadcast all notice\nthing1=别 的", "rest #1", "rest #1 personal again", "retry #1", "重发 #1"),
				[]way{{line: "resume #1", says: "cancelled"}, {line: "reschedule #1 soon", says: "cancelled"}, {line: "approve #1", says: "does not wait"}},
			),
		},
		"quiet hours": {
			settings: settings{"QUIET_HOURS": quietNow()}, says: "(?i)quiet hours", status: "by itself (at|on)|Paused|Cancelled",
			ways: joined(
				written(spellings, "notice", " again"), written(audiences, "notice", " again"),
				lines("rest #1", "reached #1 notice again", "retry #1", "broadcast all notice again canary", "broadcast all notice again at soon", "reschedule #2 soon", "改期 #2 soon"),
				[]way{
					{line: "pause #2", says: "paused"},
					{line: "resume #2"},
					{by: second, line: "继续 #2", says: "."},
					{line: "approve #2", says: "does not wait"},
					{line: "暂停 #3", says: "paused"},
					{by: second, line: "继续 3"},
					{line: "stop", says: "Not paused"},
					{line: "停发", says: "."},
					{line: "resume #4", says: "waiting to start"},
					{line: "reschedule #5 soon"},
					{line: "resume #5", says: "waiting to start"},
				},
			),
		},
		"the cap": {
			settings: settings{"MAX_PER_FOLLOWER": "1/24h"}, says: "#new ", status: "skipped|Finished|Cancelled", once: true,
			ways: joined(
				written(spellings[:3], "notice", " again"), written(audiences, "notice", " again"),
				lines("rest #1", "reached #1 notice again", "retry #1", "broadcast all notice again now", "broadcast all notice again canary"),
			),
		},
		"the same within 24 hours": {
			says: "all the same",
			ways: joined(
				written(spellings, "personal", ""), written(spellings[:4], "twin", ""), written(audiences, "personal", ""), written(audiences, "twin", ""),
				lines("reached #1 personal", "reached #1 twin", "broadcast all personal canary", "broadcast all personal now", "broadcast all personal at soon",
					"broadcast all personal\namount5=¥1.00", "broadcast all twin\namount5 ＝ ¥1.00"),
				[]way{{line: "resume #1", says: "cancelled"}, {line: "reschedule #1 soon", says: "cancelled"}, {line: "approve #1", says: "does not wait"}},
			),
		},
	}
}

// guarded is an account with a guard.
type guarded struct {
	*server
	guard
	pool *sql.DB
	// next is the number of the next broadcast.
	next int64
}

// TestGuardsCannotBeGotRound tries to get round each guard in every way that the chat has:
// nothing is sent that must not be, over a redelivery and a restart too, and the replies
// say why.
func TestGuardsCannotBeGotRound(t *testing.T) {
	t.Parallel()
	long(t)
	for name, guard := range guards() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, db database) {
				g := &guarded{guard: guard, pool: openPool(t, db)}
				g.begin(t, db)
				calls := g.platform.stats().Calls
				for _, w := range g.ways {
					g.tries(w)
					if more := g.platform.stats().Calls - calls; more > 0 && !g.once {
						t.Fatalf("%q by %s made %d calls", w.line, w.by, more)
					}
				}
				g.again()
				g.due()
				if more := g.platform.stats().Calls - calls; more > 0 && !g.once {
					t.Errorf("%d calls in the end", more)
				}
				g.judge()
			})
		})
	}
}

// begin has a broadcast sent to some of the followers, without the guard, and puts them
// into groups.
func (g *guarded) begin(t *testing.T, db database) {
	t.Helper()
	p := startPlatform(t, "--followers", "60", "--latency", "5ms", "--admin", second, "--fault-code", "43101=0.3", "--receipt-delay-max", "100ms",
		"--callback-retry", "1s")
	file := filepath.Join(t.TempDir(), "messages.yaml")
	if err := os.WriteFile(file, []byte(guardedMessages), 0o600); err != nil {
		t.Fatal(err)
	}
	g.server = startServer(t, p, db.url, settings{"MESSAGES_FILE": file, "ADMIN_OPENIDS": admin + "," + second, "SEND_CONCURRENCY": "4", "CANARY": "10"})
	p.waitsAfter(30)
	has(t, "the reply", p.say(admin, "broadcast all personal"), "#1 ")
	p.callsReach(30)
	p.say(admin, "cancel #1")
	p.ask(http.MethodPost, "/_sim/faults", map[string]any{"codes": map[string]float64{}, "wait_after": 0}, nil)
	eventually(t, patience, "nothing of #1 is under way", func() bool { return g.count("SELECT COUNT(*) FROM batches WHERE claims <> ''") == 0 })
	if g.count("SELECT COUNT(*) FROM deliveries WHERE state = 'failed'") == 0 {
		t.Fatal("nobody can be retried")
	}
	p.say(admin, "topics add 讲座")
	var people []string
	rows, err := g.pool.QueryContext(t.Context(), "SELECT openid FROM recipients ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var openID string
		if err := rows.Scan(&openID); err != nil {
			t.Fatal(err)
		}
		people = append(people, openID)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, openID := range people[:20] {
		has(t, "the reply", p.say(openID, "join 讲座"), "joined")
	}
	p.ask(http.MethodPost, "/_sim/tag", map[string]any{"name": "VIP", "add": people[10:30]}, nil)
	list := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte("openid\n"+strings.Join(people[5:40], "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	(&changing{server: g.server}).command("import", "--list", "借阅", list)
	for name, value := range g.settings {
		g.env[name] = value
	}
	g.terminate()
	g.start(t)
	g.logged(`sending for this database`)
	for _, line := range g.before {
		calls := p.stats().Calls
		p.say(admin, line)
		p.callsReach(calls + 1)
	}
	eventually(t, patience, "what was sent by right is recorded", func() bool {
		return g.count("SELECT COUNT(*) FROM broadcasts WHERE state NOT IN ('finished', 'cancelled')") == 0
	})
	g.next = g.count("SELECT MAX(id) + 1 FROM broadcasts")
}

// count asks the database for a number.
func (g *guarded) count(query string) (n int64) {
	g.t.Helper()
	if err := g.pool.QueryRowContext(g.t.Context(), query).Scan(&n); err != nil {
		g.t.Fatal(err)
	}
	return n
}

// tries goes one of the ways, and holds the reply to the guard's words.
func (g *guarded) tries(w way) {
	g.t.Helper()
	by := admin
	if w.by != "" {
		by = w.by
	}
	soon := time.Now().Add(90 * time.Second).In(zone.Beijing).Format("2006-01-02 15:04")
	reply := g.platform.say(by, strings.ReplaceAll(w.line, "soon", soon))
	says := strings.ReplaceAll(cmp.Or(w.says, g.says), "#new", "#"+itoa(g.next))
	if !regexp.MustCompile(says).MatchString(reply) {
		g.t.Errorf("%q by %s does not read %q:\n%s", w.line, by, says, reply)
	}
	g.next = g.count("SELECT MAX(id) + 1 FROM broadcasts")
	if g.once {
		g.quietly()
	}
}

// quietly waits until all that was asked for has ended, a canary by a resume.
func (g *guarded) quietly() {
	g.t.Helper()
	eventually(g.t, patience, "everything ends", func() bool {
		if id := g.count("SELECT COALESCE(MAX(id), 0) FROM broadcasts WHERE state = 'paused' AND reason = 'canary'"); id > 0 {
			g.platform.say(admin, fmt.Sprintf("resume #%d", id))
		}
		return g.count("SELECT COUNT(*) FROM broadcasts WHERE state NOT IN ('finished', 'cancelled')") == 0
	})
}

// again delivers a message in copies at once, and once more after the program was killed:
// all of them are answered alike, and it starts one broadcast at most.
func (g *guarded) again() {
	g.t.Helper()
	line := g.ways[0].line
	const msgID = 9_000_000_001
	first := g.platform.deliver(admin, line, 3, msgID)
	made := g.count("SELECT MAX(id) + 1 FROM broadcasts")
	if made > g.next+1 {
		g.t.Errorf("%q in three copies made %d broadcasts", line, made-g.next)
	}
	g.kill()
	g.start(g.t)
	g.logged(`sending for this database`)
	for _, reply := range append(first, g.platform.deliver(admin, line, 2, msgID)...) {
		if says := strings.ReplaceAll(g.says, "#new", "#"+itoa(g.next)); !regexp.MustCompile(says).MatchString(reply) {
			g.t.Errorf("%q delivered again does not read %q:\n%s", line, says, reply)
		}
	}
	if now := g.count("SELECT MAX(id) + 1 FROM broadcasts"); now != made {
		g.t.Errorf("%q delivered again after a restart made %d broadcasts", line, now-made)
	}
}

// due has the planned start of everything come, and everything that waits be due, which
// must change nothing.
func (g *guarded) due() {
	g.t.Helper()
	_, err := g.pool.ExecContext(g.t.Context(), `UPDATE broadcasts SET not_before = ?, planned_start = CASE WHEN planned_start > 0 THEN ? ELSE 0 END,
		resume_at = CASE WHEN resume_at > 0 THEN ? ELSE 0 END WHERE state NOT IN ('finished', 'cancelled')`,
		time.Now().UnixMilli(), time.Now().UnixMilli(), time.Now().UnixMilli())
	if err != nil {
		g.t.Fatal(err)
	}
	pass(g.t, 3*time.Second)
	if g.once {
		g.quietly()
	}
}

// judge holds the statuses of what was taken to the guard's words, and that nobody got more
// than one message.
func (g *guarded) judge() {
	g.t.Helper()
	begun := int64(2 + len(g.before))
	for id := begun; id < g.count("SELECT MAX(id) + 1 FROM broadcasts"); id++ {
		if status := g.platform.say(admin, fmt.Sprintf("status #%d", id)); g.status == "" || !regexp.MustCompile(g.status).MatchString(status) {
			g.t.Errorf("the status of #%d does not read %q:\n%s", id, g.status, status)
		}
	}
	for _, one := range g.platform.received(2) {
		if one.OpenID != admin { // who tested
			g.t.Errorf("%s received %d messages", one.OpenID, one.Received)
		}
	}
}
