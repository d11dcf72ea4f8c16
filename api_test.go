package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/client"
	"wechat-broadcast/models"
)

// stagedAPI is an account with a message, whose followers are known.
func stagedAPI(t *testing.T) *apiServer {
	t.Helper()
	s := newStagedAccount(t)
	s.stop()
	s.vars["UNDO_WINDOW"] = "0s"
	s.start()
	s.wantReply(boss, "messages set due\ntemplate=1\n通知内容={book}\n通知时间={date}\n备注=None", "due")
	s.wantReply(boss, "messages set hello\ntemplate=1\n通知内容=Hello\n通知时间={date}\n备注=None", "hello")
	s.wantReply(boss, "sync", "")
	eventually(t, "the followers", func() bool { return strings.Contains(s.says(boss, "stats"), "20") })
	return s.api()
}

func (a *apiServer) becomes(c *client.Client, id int64, state string) *client.Broadcast {
	a.t.Helper()
	var last *client.Broadcast
	eventually(a.t, fmt.Sprintf("#%d to be %s", id, state), func() bool {
		b, err := c.Broadcast(a.t.Context(), id)
		var p *client.Problem
		if errors.As(err, &p) && p.Status == http.StatusTooManyRequests {
			return false
		}
		if err != nil {
			a.t.Fatal(err)
		}
		last = b
		return b.State == state
	})
	return last
}

// problem fails the test unless err is a Problem of that status and code whose detail has
// these parts.
func problem(t *testing.T, err error, status int, code string, parts ...string) {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != status || p.Code != code {
		t.Errorf("%#v, want %d %s", err, status, code)
		return
	}
	for _, part := range parts {
		if !strings.Contains(p.Detail, part) {
			t.Errorf("%s lacks %q: %s", code, part, p.Detail)
		}
	}
}

// Each of the people who are given gets one message with their own fields, however often the
// same request comes, and whatever its answer was lost to.
func TestABroadcastOverTheAPI(t *testing.T) {
	t.Parallel()
	a := stagedAPI(t)
	c := a.client("shop", models.ScopeSend)
	anna, ben := a.sim.Follower(1), a.sim.Follower(2)
	q := client.BroadcastRequest{Message: "due", Recipients: []client.Addressee{
		{OpenID: anna, Fields: map[string]string{"book": "红楼梦"}}, {OpenID: ben, Fields: map[string]string{"book": "西游记"}},
	}}
	_, err := c.CreateBroadcast(t.Context(), "order 1", q)
	problem(t, err, http.StatusBadRequest, "idempotency_key")
	made, err := c.CreateBroadcast(t.Context(), "order-1", q)
	if err != nil || made.Recipients != 2 || made.Audience != "recipients" || made.Message != "due" || made.Counts.Waiting != 2 {
		t.Fatalf("%+v, %v", made, err)
	}
	for range 2 {
		again, err := c.CreateBroadcast(t.Context(), "order-1", q)
		if err != nil || again.ID != made.ID || again.State != made.State {
			t.Errorf("the same request: %+v, %v", again, err)
		}
	}
	other := q
	other.Message = "hello"
	_, err = c.CreateBroadcast(t.Context(), "order-1", other)
	problem(t, err, http.StatusUnprocessableEntity, "key_reused")
	b := a.becomes(c, made.ID, "finished")
	_, err = c.CreateBroadcast(t.Context(), "order-2", q)
	problem(t, err, http.StatusConflict, models.ErrSameMessage, `"again": true`)
	if b.Counts.Waiting != 0 || b.FinishedAt == nil || b.StartsAt == nil {
		t.Errorf("%+v", b)
	}
	for _, openID := range []string{anna, ben} {
		a.wantReceived(openID, 1)
	}
	seen := map[string]bool{}
	for d, err := range c.Deliveries(t.Context(), made.ID) {
		if err != nil {
			t.Fatal(err)
		}
		seen[d.OpenID] = d.SentAt != nil && d.MsgID != ""
	}
	if len(seen) != 2 || !seen[anna] || !seen[ben] {
		t.Errorf("deliveries %v", seen)
	}
	r, err := c.Recipient(t.Context(), anna)
	if err != nil || !r.Subscribed || r.Next != "yes" || len(r.Sent) != 1 || r.Sent[0].Broadcast != made.ID {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = c.Recipient(t.Context(), strings.ToLower(anna)+"x")
	problem(t, err, http.StatusNotFound, "unknown_person")
	_, err = c.Pause(t.Context(), made.ID)
	problem(t, err, http.StatusConflict, models.ErrWrongState)
	_, err = c.Cancel(t.Context(), 99)
	problem(t, err, http.StatusNotFound, models.ErrBroadcastUnknown)
	rows, err := a.p.only().store.AuditAfter(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	actions := ""
	for _, row := range rows {
		if row.Admin == "token shop" {
			actions += row.Action + " " + row.Target + ","
		}
	}
	if want := fmt.Sprintf("broadcast_recipients #%d,broadcast_recipients ,pause #%[1]d,cancel #99,", made.ID); actions != want {
		t.Errorf("the audit has %q, want %q", actions, want)
	}
}

// What a draft token asks for waits for a sender in the chat, be it to the test list alone.
func TestADraftOverTheAPI(t *testing.T) {
	t.Parallel()
	a := stagedAPI(t)
	anna := a.sim.Follower(1)
	a.wantReply(boss, "testers add "+anna, "")
	c := a.client("drafts", models.ScopeDraft)
	for i, to := range []string{"test", "all except list nobody", "all"} {
		made, err := c.CreateBroadcast(t.Context(), fmt.Sprint("draft-", i), client.BroadcastRequest{Audience: to, Message: "hello", Again: true})
		if strings.Contains(to, "nobody") {
			problem(t, err, http.StatusUnprocessableEntity, models.ErrGroupUnknown, "nobody")
			continue
		}
		if err != nil || made.State != "pending" || made.StartsAt != nil {
			t.Fatalf("%s: %+v, %v", to, made, err)
		}
		if _, err := c.Resume(t.Context(), made.ID); err == nil {
			t.Error("a draft token resumes")
		}
		a.wantReply(boss, fmt.Sprintf("broadcast status #%d", made.ID), "API token drafts", fmt.Sprintf("approve #%d", made.ID))
		if n := a.sim.Stats().Accepted; n > 1 {
			t.Fatalf("%d were sent unapproved", n)
		}
		a.wantReply(boss, fmt.Sprintf("approve #%d", made.ID), "")
		b := a.becomes(c, made.ID, "finished")
		if b.Audience != to {
			t.Errorf("the audience is %q", b.Audience)
		}
	}
	for i := range 20 {
		want := 1
		if i == 1 { // who is on the test list
			want = 2
		}
		a.wantReceived(a.sim.Follower(i), want)
	}
}

// What is wrong with a request is told with how to mend it, and starts nothing.
func TestFaultsOfRequestsForBroadcasts(t *testing.T) {
	t.Parallel()
	a := stagedAPI(t)
	tests := []struct {
		body   string
		status int
		says   string
	}{
		{``, 400, "no JSON object"},
		{`[]`, 400, "object"},
		{`{"audience":"all"} {}`, 400, "one object alone"},
		{`{"audience":"all","mesage":"hello"}`, 400, "mesage"},
		{`{"audience":"all","recipients":[{"openid":"x","name":"y"}]}`, 400, "name"},
		{`{"audience":7}`, 400, "audience"},
		{`{"audience":"all","fields":{"thing1":3}}`, 400, "fields"},
		{`{"message":"hello"}`, 422, "audience"},
		{`{"audience":"all","recipients":[]}`, 422, "not both"},
		{`{"recipients":[]}`, 422, "recipients"},
		{`{"recipients":[{"openid":"no"}]}`, 422, "recipients[0]"},
		{`{"audience":"me"}`, 422, "token"},
		{`{"audience":"all now"}`, 422, "audience"},
		{`{"audience":"all","message":"none"}`, 422, "none"},
		{`{"audience":"rest #99","message":"hello"}`, 422, "#99"},
		{`{"audience":"all","message":"hello","at":"2020-01-01T09:00:00+08:00"}`, 422, "2020"},
		{`{"audience":"all","message":"hello","at":"tomorrow"}`, 422, "2026-11-27T09:00:00+08:00"},
		{`{"audience":"all","message":"hello","fields":{"nothing":"x"}}`, 422, "nothing"},
		{`{"audience":"test","message":"hello","canary":true}`, 422, ""},
		{`{"recipients":[{"openid":"` + a.sim.Follower(1) + `"}],"message":"due"}`, 422, "book"},
	}
	for i, test := range tests {
		secret := a.token(fmt.Sprint("t", i), models.ScopeSend)
		answer, text := a.request(http.MethodPost, "/api/v1/broadcasts", secret, test.body, "Idempotency-Key", "key")
		if answer.StatusCode != test.status || !strings.Contains(text, test.says) {
			t.Errorf("%s: %d, want %d with %q: %s", test.body, answer.StatusCode, test.status, test.says, text)
		}
		// It can be mended under the same key.
		if i == len(tests)-1 {
			later := time.Now().Add(time.Hour).Format(time.RFC3339)
			answer, text = a.request(http.MethodPost, "/api/v1/broadcasts", secret, `{"audience":"all","message":"hello","at":"`+later+`"}`, "Idempotency-Key", "key")
			if answer.StatusCode != http.StatusCreated || answer.Header.Get("Location") == "" || !strings.Contains(text, `"scheduled"`) {
				t.Errorf("mended: %d, %s", answer.StatusCode, text)
			}
		}
	}
	secret := a.token("other", models.ScopeSend)
	if answer, _ := a.request(http.MethodPost, "/api/v1/broadcasts", secret, "{}", "Idempotency-Key", "k", "Content-Type", "text/plain"); answer.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("a text: %d", answer.StatusCode)
	}
	large := `{"audience":"` + strings.Repeat("x", 9<<20) + `"}`
	if answer, _ := a.request(http.MethodPost, "/api/v1/broadcasts", secret, large, "Idempotency-Key", "k"); answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("9 MiB: %d", answer.StatusCode)
	}
	if n := a.sim.Stats().Calls; n != 0 {
		t.Errorf("%d sends", n)
	}
}

// Lists come in pages that together have each item once, the newest broadcast first.
func TestPagesOfTheAPI(t *testing.T) {
	t.Parallel()
	a := stagedAPI(t)
	a.wantReply(boss, "topics add 讲座 Talks", "")
	tag, err := a.sim.CreateTag("VIP")
	if err == nil {
		err = a.sim.TagPeople(tag, true, a.sim.Follower(1), a.sim.Follower(2))
	}
	if err != nil {
		t.Fatal(err)
	}
	c := a.client("reader", models.ScopeRead)
	for i := range 5 {
		a.wantReply(boss, "broadcast all hello again at tomorrow 09:0"+fmt.Sprint(i), "")
	}
	secret := a.token("pages", models.ScopeRead)
	var ids []string
	cursor := ""
	for range 5 {
		answer, text := a.request(http.MethodGet, "/api/v1/broadcasts?limit=2&cursor="+cursor, secret, "")
		if answer.StatusCode != http.StatusOK {
			t.Fatal(text)
		}
		for _, part := range strings.Split(text, `"id":`)[1:] {
			ids = append(ids, part[:1])
		}
		_, next, _ := strings.Cut(text, `"next":"`)
		if cursor, _, _ = strings.Cut(next, `"`); cursor == "" {
			break
		}
	}
	if got := strings.Join(ids, ""); got != "54321" {
		t.Errorf("the pages have %s", got)
	}
	for query, code := range map[string]string{"limit=0": "bad_limit", "limit=501": "bad_limit", "limit=x": "bad_limit", "cursor=-1": "bad_cursor", "cursor=x": "bad_cursor"} {
		if answer, text := a.request(http.MethodGet, "/api/v1/broadcasts?"+query, secret, ""); answer.StatusCode != http.StatusBadRequest || !strings.Contains(text, code) {
			t.Errorf("%s: %d, %s", query, answer.StatusCode, text)
		}
	}
	sizes := map[string]int64{}
	for to, err := range c.Audiences(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if to.Size != nil {
			sizes[to.Audience] = *to.Size
		}
	}
	if sizes["all"] != 20 || sizes["tag VIP"] != 2 || sizes["topic 讲座"] != 0 || len(sizes) < 4 {
		t.Errorf("the audiences are %v", sizes)
	}
	names := ""
	for m, err := range c.Messages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names += m.Name + " " + strings.Join(m.Needs, "") + ";"
	}
	if names != "due book;hello ;" {
		t.Errorf("the messages are %q", names)
	}
}
