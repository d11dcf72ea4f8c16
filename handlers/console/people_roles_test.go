package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/handlers/console"
	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// Each page of people and lists takes its role, and shows nothing that another one takes.
func TestPeopleTakeTheirRoles(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.shows("x")
	path := strings.NewReplacer(":openid", anna)
	tried := 0
	for _, role := range []models.Role{models.Viewer, models.Editor, models.Sender} {
		b := d.enter(ben, role)
		for _, r := range console.Routes() {
			first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
			if r.Role == "" || !strings.Contains(" people topics lists testers admins audit audit.csv ", " "+first+" ") {
				continue
			}
			tried++
			var p page
			if r.Method == http.MethodPost {
				p = b.post("/console"+path.Replace(r.Path), url.Values{"name": {"x"}})
			} else {
				p = b.get("/console" + path.Replace(r.Path) + "?name=old+x")
			}
			if refused := p.Code == http.StatusForbidden; refused == role.May(r.Role) {
				t.Errorf("%s %s is answered %d to a %s", r.Method, r.Path, p.Code, role)
			}
		}
		if p := b.get("/console/lists"); strings.Contains(p.body, "lists/upload") != role.May(models.Editor) || strings.Contains(p.body, `href="./admins"`) {
			t.Errorf("a %s is offered what they may not do:\n%s", role, p.body)
		}
	}
	if tried < 50 {
		t.Errorf("%d tries only", tried)
	}
}

// A page with as much as it can have weighs little, with all that it loads.
func TestPagesOfPeopleAreLight(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	ctx, at := t.Context(), models.At(time.Now())
	long := strings.Repeat("读", 200)
	fields, names := map[string]string{}, []string{}
	for i := range 40 {
		name := strings.Repeat("字", 60) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		names, fields[name] = append(names, name), long
	}
	var entries []models.Entry
	for i := range 60 {
		entries = append(entries, models.Entry{OpenID: modelstest.OpenID(i), Fields: models.EncodeFields(fields)})
	}
	for i := range models.MaxLists {
		id := must[int64](t)(d.store.AddSegment(ctx, models.Segment{Kind: string(models.GroupList), MadeAt: at}))
		if err := d.store.AddEntries(ctx, id, entries[:1+59*(i/(models.MaxLists-1))], time.Now()); err != nil {
			t.Fatal(err)
		}
		name := strings.Repeat("名", 60) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		if _, err := d.store.PublishList(ctx, models.List{Folded: name, Name: name, SegmentID: id, ChangedAt: at}, 1, names); err != nil {
			t.Fatal(err)
		}
	}
	last := strings.Repeat("名", 60) + string(rune('a'+199%26)) + string(rune('a'+199/26))
	for i := range models.MaxTopics {
		name := strings.Repeat("题", 60) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		if _, err := d.store.AddTopic(ctx, &models.Topic{Folded: name, Name: name, Description: long, AddedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		err := d.store.ChangeRecipient(ctx, modelstest.OpenID(i), func(r *models.Recipient) {
			r.Stranger, r.Subscribed, r.Tester, r.Name, r.Remark = false, true, true, strings.Repeat("人", 60)+string(rune('a'+i%26))+string(rune('a'+i/26)), long
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.store.AddAudit(ctx, models.Audit{At: at, Admin: owner, Action: "pause", Target: long, Detail: strings.Repeat(long, 5), MessageKey: modelstest.OpenID(i)})
		if err != nil {
			t.Fatal(err)
		}
	}
	b := d.enter(owner, models.Owner)
	for _, path := range []string{
		"people?q=" + strings.Repeat("人", 3), "people/" + modelstest.OpenID(0), "topics", "lists", "lists/rows?name=" + url.QueryEscape(last), "testers", "admins", "audit",
	} {
		p := b.get("/console/" + path)
		p.has(t, http.StatusOK)
		weight := len(p.body)
		for _, asset := range assetIn.FindAllString(p.body, -1) {
			weight += len(b.get("/console/" + asset).body)
		}
		if weight > 150_000 || len(p.body) < 3000 {
			t.Errorf("%s weighs %d bytes, %d of them the page", path, weight, len(p.body))
		}
	}
}
