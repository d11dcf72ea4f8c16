package console_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
)

// takeover is what somebody writes who would take over a page or a spreadsheet.
const takeover = `=cmd|'/c'!A1<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

// shows has people, topics, lists and an audit, with takeover texts wherever people fill one.
func (d *desk) shows(text string) {
	d.tb.Helper()
	ctx := d.tb.Context()
	at := models.At(time.Now())
	clean := strings.Map(func(r rune) rune { // as a name of a command may be
		if strings.ContainsRune(`"'`, r) {
			return -1
		}
		return r
	}, text)
	err := d.store.ChangeRecipient(ctx, anna, func(r *models.Recipient) {
		r.Subscribed, r.Tester, r.Name, r.Remark, r.Heard, r.HeardAt = true, true, "Anna "+text, text, text, at
	})
	if err != nil {
		d.tb.Fatal(err)
	}
	topic := &models.Topic{Folded: "news", Name: "News " + clean, Description: text, AddedBy: owner, AddedAt: at}
	if _, err := d.store.AddTopic(ctx, topic); err != nil {
		d.tb.Fatal(err)
	}
	_, err = d.store.ChangeConsents(ctx, anna, models.Consent{Joined: true, At: at, Via: models.ViaText, Text: text, MessageKey: "consent"}, []int64{topic.ID}, func(*models.Recipient) {})
	if err != nil {
		d.tb.Fatal(err)
	}
	id, err := d.store.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), Name: "old", MadeAt: at})
	if err != nil {
		d.tb.Fatal(err)
	}
	fields := models.EncodeFields(map[string]string{"seat": text})
	if err := d.store.AddEntries(ctx, id, []models.Entry{{OpenID: anna, Fields: fields}, {OpenID: ben, Fields: fields}}, time.Now()); err != nil {
		d.tb.Fatal(err)
	}
	if _, err := d.store.PublishList(ctx, models.List{Folded: "old " + clean, Name: "Old " + clean, SegmentID: id, ChangedBy: owner, ChangedAt: at}, 2, []string{"seat"}); err != nil {
		d.tb.Fatal(err)
	}
	err = d.store.AddAudit(ctx, models.Audit{At: at, Admin: owner, Action: "pause", Target: text, Detail: text, MessageKey: "audit"})
	if err != nil {
		d.tb.Fatal(err)
	}
}

// pagesOf are the pages of people and lists.
func pagesOf() []string {
	return []string{
		"people", "people?q=Anna", "people?q=" + url.QueryEscape(takeover), "people/" + anna, "people/" + url.PathEscape(takeover), "topics",
		"topics?edit=" + url.QueryEscape("News "+strings.NewReplacer(`"`, "", `'`, "").Replace(takeover)), "lists",
		"lists/rows?name=" + url.QueryEscape("Old "+strings.NewReplacer(`"`, "", `'`, "").Replace(takeover)), "testers", "admins", "audit",
		"audit?admin=" + url.QueryEscape(takeover) + "&action=" + url.QueryEscape(takeover),
	}
}

// What people wrote is text on every page, and in every sentence about it.
func TestNothingThatPeopleWriteIsHTML(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.shows(takeover)
	b := d.enter(owner, models.Owner)
	answers := map[string]page{}
	for _, path := range pagesOf() {
		answers[path] = b.get("/console/" + path)
	}
	for path, fields := range map[string]url.Values{
		"topics/set": {"name": {takeover}, "text": {takeover}}, "topics/remove": {"name": {takeover}}, "lists/remove": {"name": {takeover}},
		"testers/add": {"openid": {takeover}, "name": {takeover}}, "testers/remove": {"openid": {takeover}},
		"admins/add": {"openid": {takeover}, "role": {"viewer"}}, "admins/remove": {"openid": {takeover}},
	} {
		answers[path] = b.post("/console/"+path, fields)
	}
	answers["a list's name"] = b.upload("/console/lists/upload", url.Values{"name": {takeover}}, "file", "openid\n"+anna+"\n")
	answers["cells"] = b.upload("/console/lists/upload", url.Values{"name": {"new <b>list</b>"}}, "file", "openid,seat\n"+anna+",\""+strings.ReplaceAll(takeover, `"`, `""`)+"\"\n")
	answers["faults"] = b.upload("/console/lists/upload", url.Values{"name": {"new"}, "table": {takeover}}, "file", "openid\n<script>alert(1)</script>\n")
	answers["columns"] = b.upload("/console/lists/upload", url.Values{"name": {"new"}}, "file", "openid,<script>alert(1)</script>\n"+anna+",1\n")
	shown := 0
	for path, p := range answers {
		if strings.Contains(p.body, "<script>alert") || strings.Contains(p.body, "<img") || strings.Contains(p.body, "<b>") {
			t.Errorf("%s has it as HTML:\n%s", path, p.body)
		}
		if strings.Contains(p.body, "&lt;script&gt;") {
			shown++
		}
		if p.Code >= 500 {
			t.Errorf("%s is answered %d", path, p.Code)
		}
	}
	if shown < 12 {
		t.Errorf("%d of %d pages show it only", shown, len(answers))
	}
}

// Looking at people leaves a trace; looking at topics does not.
func TestTheAuditKeepsWhoLookedAtWhom(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.shows("x")
	b := d.enter(ben, models.Viewer)
	for _, path := range []string{"people", "people?q=Anna", "people/" + anna, "topics", "lists", "lists/rows?name=old+x"} {
		b.get("/console/"+path).has(t, http.StatusOK)
	}
	rows, err := d.store.AuditBefore(t.Context(), models.AuditFilter{Admin: ben}, 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows {
		if r.Action != "console" {
			got = append(got, r.Action+" "+r.Target)
		}
	}
	if want := "lists Old x; who " + anna + "; who Anna"; strings.Join(got, "; ") != want {
		t.Errorf("the audit has %v, want %s", got, want)
	}
}

// A person's page says what the command who says, and what is behind it.
func TestAPersonsPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.shows("x")
	b := d.enter(owner, models.Owner)
	p := b.get("/console/people/" + anna)
	p.has(t, http.StatusOK, anna, "Anna x", "Joined the topic News x", "by a message", `href="../lists/rows?name=Old%20x"`, "seat")
	b.get("/console/people?q=Anna&after=").has(t, http.StatusOK, `href="?after=&amp;lang=zh&amp;q=Anna"`) // the same in Chinese
	for _, line := range strings.Split(d.say(owner, "who "+anna), "\n")[1:] {
		if !strings.Contains(p.body, strings.ReplaceAll(line, "'", "&#39;")) {
			t.Errorf("the page has no %q", line)
		}
	}
	b.get("/console/people/oNobody-00000000000000000000").has(t, http.StatusOK, "oNobody-00000000000000000000")
	b.get("/console/people/x").has(t, http.StatusNotFound)
}

func TestTopicsAreKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Editor)
	form := b.form()
	form.Set("name", "Exhi bitions")
	form.Set("text", "What is on")
	for range 2 { // the same form once more changes nothing
		b.post("/console/topics/set", form).has(t, http.StatusOK, "Exhi bitions")
	}
	b.get("/console/topics").has(t, http.StatusOK, "What is on", "0 joined")
	b.get("/console/topics?edit=Exhi+bitions").has(t, http.StatusOK, `value="Exhi bitions"`, `value="What is on"`)
	b.post("/console/topics/set", url.Values{"name": {"a,b"}, "text": {""}})
	b.post("/console/topics/remove", url.Values{"name": {"Exhi bitions"}}).has(t, http.StatusOK)
	b.get("/console/topics").has(t, http.StatusOK, "There is no topic yet")
}

// assetIn is an address of what a page loads.
var assetIn = regexp.MustCompile(`assets/[\w.]+`)

var codeIn = regexp.MustCompile(`confirm \d{6}`)

// confirm sends the line that a page shows, and returns what the chat answers.
func (b *browser) confirm(p page) string {
	b.tb.Helper()
	line := codeIn.FindString(p.body)
	if p.Code != http.StatusOK || line == "" {
		b.tb.Fatalf("no line to confirm in %d\n%s", p.Code, p.body)
	}
	return b.say(b.openID, line)
}

// Whoever is put on the test list, or gets a role, is so by the admin's word in the chat;
// taking either away is done at once.
func TestTestersAndAdminsTakeAWordInTheChat(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(owner, models.Owner)
	testers := func() int { return len(must[[]models.Recipient](t)(d.store.Testers(t.Context()))) }

	p := b.post("/console/testers/add", url.Values{"openid": {ben}, "name": {"Ben"}})
	p.has(t, http.StatusOK, "Ben")
	if testers() != 0 {
		t.Error("a tester is added without the word")
	}
	if reply := b.confirm(p); testers() != 1 || !strings.Contains(reply, ben) {
		t.Errorf("there are %d testers after %q", testers(), reply)
	}
	b.get("/console/testers").has(t, http.StatusOK, "Ben", ben, "follows")
	b.post("/console/testers/remove", url.Values{"openid": {ben}}).has(t, http.StatusOK)
	if testers() != 0 {
		t.Error("the tester is still there")
	}

	p = b.post("/console/admins/add", url.Values{"openid": {ben}, "role": {"sender"}})
	p.has(t, http.StatusOK, "sends to everybody")
	if d.admins.RoleOf(t.Context(), ben) != "" {
		t.Error("somebody is an admin without the word")
	}
	b.confirm(p)
	if d.admins.RoleOf(t.Context(), ben) != models.Sender {
		t.Error("the role was not given")
	}
	b.get("/console/admins").has(t, http.StatusOK, ben, "sender", "ADMIN_OPENIDS")
	other := &browser{desk: d, openID: ben}
	other.get(d.link(ben)).has(t, http.StatusOK)
	other.get("/console/people").has(t, http.StatusOK)
	b.post("/console/admins/remove", url.Values{"openid": {ben}}).has(t, http.StatusOK)
	other.get("/console/people").has(t, http.StatusForbidden)
	for _, role := range []string{"owner", "", "king"} {
		if p := b.post("/console/admins/add", url.Values{"openid": {anna}, "role": {role}}); codeIn.MatchString(p.body) && d.say(owner, codeIn.FindString(p.body)) != "" &&
			d.admins.RoleOf(t.Context(), anna) != "" {
			t.Errorf("anna is %s", d.admins.RoleOf(t.Context(), anna))
		}
	}
}

func TestTheAuditIsPagedFilteredAndExported(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	ctx := t.Context()
	for i := range 120 {
		a := models.Audit{At: models.At(time.Now()), Admin: anna, Action: "pause", Target: fmt.Sprintf("#%d", i), Detail: "=1+1", MessageKey: fmt.Sprint("a", i)}
		if i%2 == 0 {
			a.Admin, a.Action, a.Detail = ben, "cancel", "+1"
		}
		if err := d.store.AddAudit(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	b := d.enter(owner, models.Owner)
	next := regexp.MustCompile(`href="\./audit(\?[^"]+)" rel="next"`)
	targets := regexp.MustCompile(`<code>#(\d+)</code>`)
	var got []string
	for query := "?admin=" + anna; ; {
		p := b.get("/console/audit" + query)
		p.has(t, http.StatusOK)
		for _, m := range targets.FindAllStringSubmatch(p.body, -1) {
			got = append(got, m[1])
		}
		more := next.FindStringSubmatch(p.body)
		if more == nil {
			break
		}
		query = strings.ReplaceAll(more[1], "&amp;", "&")
	}
	if len(got) != 60 || got[0] != "119" || got[59] != "1" {
		t.Errorf("the pages have %v", got)
	}
	p := b.get("/console/audit.csv?action=cancel")
	p.has(t, http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(p.body, "\uFEFF"))).ReadAll()
	if err != nil || len(rows) != 61 || rows[1][3] != "#118" {
		t.Fatal(err, len(rows))
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r|%", rune(cell[0])) {
				t.Errorf("a spreadsheet would take %q for a formula", cell)
			}
		}
	}
}
