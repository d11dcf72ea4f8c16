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

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
)

// hostile is what somebody may write wherever a text can be written.
const hostile = `<script>alert("1")</script>`

// broadcastOf stores a broadcast of the owner to everybody.
func (d *desk) broadcastOf(edit func(b *models.Broadcast)) int64 {
	d.tb.Helper()
	b := &models.Broadcast{
		RequestKey: fmt.Sprintf("stored:%d", d.says.Add(1)), Name: "notice", Message: "{}", Audience: models.AudienceAll,
		State: models.Scheduled, AskedBy: owner, AskedAt: models.At(time.Now()), NotBefore: models.At(time.Now().Add(time.Hour)), Intercepted: -1,
	}
	edit(b)
	if _, err := d.store.CreateBroadcast(d.tb.Context(), b, models.Asked{Again: true}); err != nil {
		d.tb.Fatal(err)
	}
	return b.ID
}

// moved has a stored broadcast make moves.
func (d *desk) moved(id int64, moves ...models.Move) {
	d.tb.Helper()
	for _, m := range moves {
		if ok, err := d.store.MoveBroadcast(d.tb.Context(), id, m, time.Now().Add(2*time.Hour)); err != nil || !ok {
			d.tb.Fatalf("%+v: %t, %v", m, ok, err)
		}
	}
}

// tried stores outcomes of a broadcast for new followers, and returns these.
func (d *desk) tried(id int64, outcomes ...models.Outcome) (openIDs []string) {
	d.tb.Helper()
	if len(outcomes) == 0 {
		return nil
	}
	for i := range outcomes {
		openID := modelstest.OpenID(100 + i)
		err := d.store.ChangeRecipient(d.tb.Context(), openID, func(r *models.Recipient) { r.Subscribed = true })
		if err != nil {
			d.tb.Fatal(err)
		}
		r, err := d.store.FindRecipient(d.tb.Context(), openID)
		if err != nil {
			d.tb.Fatal(err)
		}
		outcomes[i].BroadcastID, outcomes[i].RecipientID, outcomes[i].SentAt = id, r.ID, time.Now()
		openIDs = append(openIDs, openID)
	}
	if err := d.store.RecordOutcomes(d.tb.Context(), outcomes, time.Now()); err != nil {
		d.tb.Fatal(err)
	}
	return openIDs
}

func at(id int64, below string) string { return fmt.Sprintf("/console/broadcasts/%d%s", id, below) }

var due, stopped = models.Move{Event: models.EventDue}, models.Move{Event: models.EventPause, Reason: models.ReasonAdmin}

// Each sees what came of it; whoever may not send sees no form to move it.
func TestWhoSeesTheFormsOfABroadcast(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	id := d.broadcastOf(func(b *models.Broadcast) { b.Recipients = 10 })
	d.moved(id, due)
	for role, forms := range map[models.Role][]string{
		models.Viewer: nil, models.Editor: nil, models.Sender: {"pause", "cancel"}, models.Owner: {"pause", "cancel"},
	} {
		b := d.enter(map[models.Role]string{models.Owner: owner}[role]+map[bool]string{true: "", false: anna}[role == models.Owner], role)
		p := b.get(at(id, ""))
		p.has(t, http.StatusOK, "notice", "all followers", "Running", `data-events="../broadcasts/`, "Asked for by "+owner)
		var got []string
		for _, match := range regexp.MustCompile(`action="\S*broadcasts/\d+/(\w+)"`).FindAllStringSubmatch(p.body, -1) {
			got = append(got, match[1])
		}
		if diff := cmp.Diff(forms, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", role, diff)
		}
	}
}

// A state has the forms that can move it, and no others.
func TestTheFormsOfAState(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	d.give(ben, models.Sender)
	b := d.enter(anna, models.Sender)
	finish := models.Move{Event: models.EventFinish}
	quiet := models.Move{Event: models.EventQuiet, Reason: models.ReasonQuiet, ResumeAt: time.Now().Add(9 * time.Hour)}
	for name, test := range map[string]struct {
		edit  func(b *models.Broadcast)
		moves []models.Move
		tried []models.Outcome
		want  string
	}{
		"waits for its time":   {want: "pause reschedule cancel"},
		"runs":                 {moves: []models.Move{due}, want: "pause cancel"},
		"paused":               {moves: []models.Move{due, stopped}, want: "resume cancel"},
		"paused at night":      {moves: []models.Move{due, quiet}, want: "pause " + strings.Repeat("resume ", 2) + "cancel"},
		"of another, pending":  {edit: func(b *models.Broadcast) { b.State, b.Approvals, b.PendingSince = models.Pending, 1, b.AskedAt }, want: "approve reject reschedule cancel"},
		"of oneself, pending":  {edit: func(b *models.Broadcast) { b.State, b.Approvals, b.AskedBy = models.Pending, 1, anna }, want: "reschedule cancel"},
		"finished":             {moves: []models.Move{due, finish}, tried: []models.Outcome{{State: models.Delivered}}, want: "reached"},
		"finished with losses": {moves: []models.Move{due, finish}, tried: []models.Outcome{{State: models.FailedFor, ErrCode: 43004}}, want: "retry"},
		"cancelled": {
			moves: []models.Move{due, {Event: models.EventCancel, Reason: models.ReasonAdmin}}, tried: []models.Outcome{{State: models.Accepted}},
			want: "rest reached",
		},
	} {
		id := d.broadcastOf(func(b *models.Broadcast) {
			b.Recipients = 10
			if test.edit != nil {
				test.edit(b)
			}
		})
		d.moved(id, test.moves...)
		d.tried(id, test.tried...)
		var got []string
		for _, match := range regexp.MustCompile(`action="\S*broadcasts/\d+/(\w+)"|href="\S*send\?to=(\w+)&amp;of=\d+"`).FindAllStringSubmatch(b.get(at(id, "")).body, -1) {
			got = append(got, match[1]+match[2])
		}
		if diff := cmp.Diff(strings.Fields(test.want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A form that is sent twice acts once, and its answer is the chat's.
func TestAPauseActsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	id := d.broadcastOf(func(*models.Broadcast) {})
	b := d.enter(anna, models.Sender)
	form := b.form()
	for range 2 {
		b.post(at(id, "/pause"), form).has(t, http.StatusOK, fmt.Sprintf("#%d", id), "paused")
	}
	found, err := d.store.FindBroadcast(t.Context(), id)
	if err != nil || found.State != models.Paused {
		t.Errorf("it is %s, %v", found.State, err)
	}
	rows, err := d.store.AuditAfter(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	pauses := 0
	for _, r := range rows {
		if r.Action == "pause" {
			pauses++
		}
	}
	if pauses != 1 {
		t.Errorf("the audit has %d pauses: %+v", pauses, rows)
	}
	b.post(at(id, "/cancel"), nil).has(t, http.StatusOK, "cancelled")
	b.post(at(id, "/cancel"), nil).has(t, http.StatusConflict)
	b.post(at(99, "/cancel"), nil).has(t, http.StatusNotFound)
	b.get(at(99, "")).has(t, http.StatusNotFound)
	b.get("/console/broadcasts/x").has(t, http.StatusNotFound)
}

var confirmLine = regexp.MustCompile(`confirm (\d{6})`)

// What sends goes nowhere before the admin's word in the chat.
func TestWhatSendsWaitsForTheWord(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Sender)
	paused := d.broadcastOf(func(b *models.Broadcast) { b.Recipients = 10 })
	d.moved(paused, due, stopped)
	pending := d.broadcastOf(func(b *models.Broadcast) { b.State, b.Approvals, b.PendingSince = models.Pending, 1, b.AskedAt })
	state := func(id int64) models.BroadcastState {
		t.Helper()
		found, err := d.store.FindBroadcast(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return found.State
	}
	for _, test := range []struct {
		id            int64
		move          string
		before, after models.BroadcastState
		says          string
	}{
		{paused, "/resume", models.Paused, models.Scheduled, "the 10 recipients who are left"},
		{pending, "/approve", models.Pending, models.Scheduled, "Once approved it is sent"},
	} {
		p := b.post(at(test.id, test.move), nil)
		p.has(t, http.StatusOK, test.says, "notice → all followers")
		line := confirmLine.FindString(p.body)
		if got := state(test.id); got != test.before || line == "" {
			t.Fatalf("%s: before the word it is %s, the line %q", test.move, got, line)
		}
		if answer := d.say(anna, line); state(test.id) != test.after {
			t.Errorf("%s: after the word it is %s: %s", test.move, state(test.id), answer)
		}
	}
}

// A rejected broadcast says who rejected it, and why, to admins.
func TestARejectionSaysWhy(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	b := d.enter(anna, models.Sender)
	id := d.broadcastOf(func(b *models.Broadcast) { b.State, b.Approvals, b.PendingSince = models.Pending, 1, b.AskedAt })
	b.post(at(id, "/reject"), url.Values{"why": {"wrong\n day " + hostile}}).has(t, http.StatusOK)
	p := b.get(at(id, ""))
	p.has(t, http.StatusOK, "Rejected by "+anna+": wrong day &lt;script&gt;")
	if strings.Contains(p.body, hostile) {
		t.Error("a reason is a part of the page")
	}
}

// What people wrote is text, wherever it stands.
func TestWhatPeopleWriteIsText(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	id := d.broadcastOf(func(b *models.Broadcast) { b.Name = hostile })
	openID := d.tried(id, models.Outcome{State: models.FailedFor, ErrCode: 43004, Detail: hostile})[0]
	d.moved(id, due, models.Move{Event: models.EventStop, Reason: models.ReasonAccount, Detail: "40249 " + hostile})
	if err := d.store.ChangeRecipient(t.Context(), openID, func(r *models.Recipient) { r.Name, r.Remark = hostile, hostile }); err != nil {
		t.Fatal(err)
	}
	if _, err := d.store.AddTopic(t.Context(), &models.Topic{Folded: "x", Name: hostile, AddedAt: models.At(time.Now())}); err != nil {
		t.Fatal(err)
	}
	b := d.enter(owner, models.Owner)
	for _, path := range []string{"/console/", "/console/broadcasts", at(id, ""), at(id, "?who="+openID), at(id, "?who="+url.QueryEscape(hostile))} {
		p := b.get(path)
		p.has(t, http.StatusOK, "&lt;script&gt;")
		if strings.Contains(p.body, hostile) || strings.Contains(p.body, "style=") || strings.Contains(p.body, "<script>") {
			t.Errorf("%s has what people wrote as a part of the page", path)
		}
	}
}

// The outcome of one person, by their OpenID or their name.
func TestTheOutcomeOfAPerson(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	id := d.broadcastOf(func(*models.Broadcast) {})
	openIDs := d.tried(
		id, models.Outcome{State: models.FailedFor, ErrCode: 43004, Detail: "require subscribe rid: 1", Attempts: 2},
		models.Outcome{State: models.Delivered, MsgID: 77, Attempts: 1},
	)
	if err := d.store.ChangeRecipient(t.Context(), openIDs[1], func(r *models.Recipient) { r.Name = "Lin" }); err != nil {
		t.Fatal(err)
	}
	b := d.enter(anna, models.Viewer)
	for who, want := range map[string][]string{
		openIDs[0]: {"Failed", "No longer follows", "43004", "require subscribe rid: 1"},
		"Lin":      {openIDs[1], "Delivered", "77"},
		ben:        {"not their turn"},
		"nobody":   {"Nobody of that OpenID"},
	} {
		b.get(at(id, "?who="+who)).has(t, http.StatusOK, want...)
	}
}

// All outcomes as CSV, as the command export has them.
func TestTheListOfAllOutcomes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, setup{})
	id := d.broadcastOf(func(*models.Broadcast) {})
	outcomes := make([]models.Outcome, 2500)
	for i := range outcomes {
		outcomes[i] = models.Outcome{State: models.Delivered, MsgID: int64(i + 1), Attempts: 1}
	}
	outcomes[0] = models.Outcome{State: models.FailedFor, ErrCode: 43004, Detail: `=HYPERLINK("http://evil")`, Attempts: 3}
	openIDs := d.tried(id, outcomes...)
	b := d.enter(anna, models.Viewer)
	p := b.get(at(id, "/deliveries.csv"))
	p.has(t, http.StatusOK)
	if got := p.Header().Get("Content-Disposition"); got != fmt.Sprintf(`attachment; filename="broadcast-%d-deliveries.csv"`, id) {
		t.Errorf("the file's name: %q", got)
	}
	text, marked := strings.CutPrefix(p.body, "\uFEFF")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != 2501 {
		t.Fatalf("%d rows, marked as UTF-8: %t, %v", len(rows), marked, err)
	}
	want := [][]string{
		{"openid", "state", "errcode", "msgid", "detail", "attempts"},
		{openIDs[0], "failed", "43004", "0", `'=HYPERLINK("http://evil")`, "3"},
		{openIDs[1], "delivered", "0", "2", "", "1"},
	}
	got := [][]string{rows[0][:6], rows[1][:6], rows[2][:6]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		seen[row[0]] = true
	}
	if len(seen) != 2500 {
		t.Errorf("%d people", len(seen))
	}
	d.moved(id, models.Move{Event: models.EventCancel})
	if kept, err := d.store.TallyBroadcast(t.Context(), id, time.Now()); !kept || err != nil {
		t.Fatal(kept, err)
	}
	b.get(at(id, "/deliveries.csv")).has(t, http.StatusGone, "The outcomes are deleted")
	b.get(at(99, "/deliveries.csv")).has(t, http.StatusNotFound)
}
