package broadcast_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
)

// shop stands for a token of the API.
const shop = "token shop"

// to are people by their numbers, each with the field book.
func (a *account) to(book string, people ...int) (all []models.Addressee) {
	for _, i := range people {
		all = append(all, models.Addressee{OpenID: a.openID(i), Fields: map[string]string{"book": book}})
	}
	return all
}

// byToken asks for a broadcast as a token.
func (a *account) byToken(key string, q broadcast.Request) (*broadcast.Created, error) {
	a.t.Helper()
	q.AskedBy, q.RequestKey = shop, "api:1:"+key
	return a.engine.Create(a.t.Context(), q)
}

func (a *account) mustByToken(key string, q broadcast.Request) int64 {
	a.t.Helper()
	asked, err := a.byToken(key, q)
	if err != nil {
		a.t.Fatalf("%s: %v", key, err)
	}
	return asked.Broadcast.ID
}

// countRows counts the rows of a table.
func (a *account) countRows(table string) (n int) {
	a.t.Helper()
	if err := a.db.QueryRowContext(a.t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		a.t.Fatal(err)
	}
	return n
}

// Each of the people who are given gets one message with their own fields; who opted out, left
// or never followed gets none, and the numbers say so. No list comes of it.
func TestBroadcastToGivenPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.write("到期", due...)
		a.start()
		for i, change := range map[int]func(*models.Recipient){
			3: func(r *models.Recipient) { r.OptedOut = true }, 4: func(r *models.Recipient) { r.Leave(models.At(a.now())) },
		} {
			if err := a.store.ChangeRecipient(t.Context(), a.sim.Follower(i), change); err != nil {
				t.Fatal(err)
			}
		}
		people := slices.Concat(a.to("红楼梦", 1, 2, 3, 4, nobody), a.to("西游记", 5), a.to("红楼梦", 2))
		asked, err := a.byToken("1", broadcast.Request{Message: "到期", Recipients: people})
		if err != nil {
			t.Fatal(err)
		}
		p := asked.Parts[0]
		got := fmt.Sprint(p.Total, p.Away, p.Strangers, p.OptedOut, p.Left, p.Group.Size, asked.Recipients)
		if want := fmt.Sprint(6, 2, 1, 1, 3, 6, 3); got != want || !asked.Broadcast.Target.Given() {
			t.Errorf("numbers %s, want %s; %+v", got, want, asked.Broadcast.Target)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.wantRead(map[int]string{1: "《红楼梦》到期", 2: "《红楼梦》到期", 5: "《西游记》到期"})
		if all, err := a.store.Lists(t.Context()); err != nil || len(all) > 0 {
			t.Errorf("lists %+v, %v", all, err)
		}
	})
}

// A request that names people wrongly is refused with what is wrong, and leaves nothing behind.
func TestGivenPeopleWhoAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.write("到期", due...)
		a.start()
		before := a.countRows("recipients")
		one := a.to("红楼梦", 1)
		for name, tt := range map[string]struct {
			code string
			q    broadcast.Request
			args string
		}{
			"nobody":          {models.ErrRecipientsCount, broadcast.Request{Recipients: []models.Addressee{}}, "N=0"},
			"too many":        {models.ErrRecipientsCount, broadcast.Request{Recipients: make([]models.Addressee, 10_001)}, "N=10001"},
			"an audience too": {models.ErrRecipientsBeside, broadcast.Request{Audience: models.AudienceAll, Recipients: one}, ""},
			"malformed": {
				models.ErrRecipientOpenID,
				broadcast.Request{Recipients: slices.Concat(one, []models.Addressee{{OpenID: "o 1"}, {OpenID: ""}})}, "Index=1 OpenID=o 1 Others=1",
			},
			"twice with other fields": {models.ErrRecipientTwice, broadcast.Request{Recipients: slices.Concat(a.to("a", 1, 2), a.to("b", 1))}, "Index=2"},
			"a field like the date": {
				models.ErrRecipientField,
				broadcast.Request{Recipients: []models.Addressee{{OpenID: a.openID(1), Fields: map[string]string{"日期": "1"}}}}, "Field=日期 Index=0",
			},
			"a long value":       {models.ErrRecipientValue, broadcast.Request{Recipients: a.to(strings.Repeat("书", 201), 1)}, "Limit=200"},
			"who lacks a field":  {models.ErrFieldsLacking, broadcast.Request{Recipients: slices.Concat(one, a.to("", 2, 3))}, ""},
			"nobody who follows": {models.ErrNobodyInGroups, broadcast.Request{Recipients: a.to("红楼梦", nobody)}, ""},
			"oneself":            {models.ErrNoSelf, broadcast.Request{Audience: models.AudienceMe}, ""},
		} {
			tt.q.Message = "到期"
			asked, err := a.byToken(name, tt.q)
			wantCode(t, err, tt.code)
			if err == nil || !strings.Contains(err.Error(), tt.args) {
				t.Errorf("%s: %+v, %v, want %s", name, asked, err, tt.args)
			}
		}
		// The one who never followed has a row from now on, as after a list.
		if s, m, r := a.countRows("segments"), a.countRows("members"), a.countRows("recipients"); s+m > 0 || r > before+1 || a.countRows("broadcasts") > 0 {
			t.Errorf("%d segments, %d members, %d people, %d before", s, m, r, before)
		}
	})
}

// The same content to somebody twice within a day is refused, and what has something else for
// them is not.
func TestTheSameToGivenPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.write("到期", due...)
		a.start()
		first := a.mustByToken("1", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 1, 2)})
		refused := func(key string, q broadcast.Request) {
			t.Helper()
			q.Message = "到期"
			_, err := a.byToken(key, q)
			wantCode(t, err, models.ErrSameMessage)
		}
		refused("on its way", broadcast.Request{Recipients: a.to("红楼梦", 2, 3)})
		a.reaches(first, models.Finished)
		refused("to one of them", broadcast.Request{Recipients: slices.Concat(a.to("西游记", 1), a.to("红楼梦", 2))})
		a.reaches(a.mustByToken("others", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 4)}), models.Finished)
		a.reaches(a.mustByToken("another book", broadcast.Request{Message: "到期", Recipients: a.to("西游记", 1, 2)}), models.Finished)
		refused("the other book again", broadcast.Request{Recipients: a.to("西游记", 2)})
		a.list("a", "红楼梦", 2, 5)
		refused("a list with one of them", broadcast.Request{Audience: models.AudienceGroups, Groups: listsOf("a")})
		a.list("b", "红楼梦", 6, 7)
		a.reaches(a.mustByToken("a list of others", broadcast.Request{Message: "到期", Audience: models.AudienceGroups, Groups: listsOf("b")}), models.Finished)
		refused("one of that list", broadcast.Request{Recipients: a.to("红楼梦", 7)})
		a.reaches(a.mustByToken("again", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 7), Again: true}), models.Finished)
		a.ahead.Store(int64(25 * time.Hour))
		a.reaches(a.mustByToken("a day later", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 1)}), models.Finished)
		a.ahead.Store(int64(50 * time.Hour))
		a.reaches(a.mustByToken("to one", broadcast.Request{Recipients: a.to("", 1)}), models.Finished)
		_, err := a.byToken("all", broadcast.Request{Audience: models.AudienceAll})
		wantCode(t, err, models.ErrSameMessage)
		a.reaches(a.mustByToken("all again", broadcast.Request{Audience: models.AudienceAll, Again: true}), models.Finished)
		_, err = a.byToken("one of all", broadcast.Request{Recipients: a.to("", 9)})
		wantCode(t, err, models.ErrSameMessage)
	})
}

// The rest of a broadcast to people who were given, a correction and a retry have their fields,
// and nobody gets one twice. Their people go with the last of the broadcasts.
func TestLaterBroadcastsHaveTheFieldsOfGivenPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 20, retention: 24 * time.Hour, Options: simulator.Options{Followers: 200}})
		a.write("到期", due...)
		other := slices.Clone(due)
		other[1].Value = "更正：《{book}》续借"
		a.write("更正", other...)
		stop := a.start()
		first := a.mustByToken("1", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", numbers(0, 100)...)})
		a.received(10)
		a.cancel(first)
		a.until("the last calls", func() bool { return !a.busy(first) })
		got := len(a.sim.Received(1, 1, 1000))
		rest := a.mustAskOf("", models.AudienceRest, first)
		if n := a.reaches(rest.Broadcast.ID, models.Finished).Recipients; n != int64(100-got) {
			t.Errorf("%d in the rest, %d got it before", n, got)
		}
		want := map[int]string{}
		for i := range 100 {
			want[i] = "《红楼梦》到期"
		}
		a.wantRead(want)
		correction := a.mustAskOf("更正", models.AudienceReached, first)
		a.reaches(correction.Broadcast.ID, models.Finished)
		if n := len(a.sim.Received(2, 2, 1000)); n != got || len(a.sim.Received(3, -1, 10)) > 0 {
			t.Errorf("%d corrections, %d got the first", n, got)
		}
		a.exec("UPDATE deliveries SET state = 'failed' WHERE broadcast_id = ? AND recipient_id = (SELECT MIN(recipient_id) FROM deliveries WHERE broadcast_id = ?)", first, first)
		retry := a.mustAskOf("", models.AudienceRetry, first)
		if a.reaches(retry.Broadcast.ID, models.Finished); retry.Recipients != 1 || len(a.sim.Received(3, -1, 10)) != 1 {
			t.Errorf("a retry to %d", retry.Recipients)
		}
		stop()
		a.ahead.Store(int64(72 * time.Hour))
		a.engine = a.newEngine()
		a.start()
		a.until("the deliveries being deleted", func() bool { return a.countRows("deliveries") == 0 && a.countRows("segments") == 0 })
		a.engine.Purge(t.Context())
		if n := a.countRows("members"); n > 0 {
			t.Errorf("%d members are left", n)
		}
		if _, err := a.engine.Status(t.Context(), first); err != nil {
			t.Error(err)
		}
	})
}

// A broadcast by a token that must be approved waits for any who may send, an only owner too;
// the owners are told what becomes of it, and nobody is written to as the token.
func TestADraftOfATokenIsApproved(t *testing.T) {
	t.Parallel()
	for _, drafts := range []int{0, 1} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(t, setup{approvals: 1 - drafts, undo: 30 * time.Second, Options: simulator.Options{Followers: 20}})
			a.write("到期", due...)
			a.exec("UPDATE recipients SET tester = 1 WHERE id < 3")
			stop := a.start()
			asked, err := a.byToken("1", broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", 1, 2), Approvals: drafts})
			if err != nil {
				t.Fatal(err)
			}
			id := asked.Broadcast.ID
			if asked.Broadcast.State != models.Pending || asked.Broadcast.Approvals != 1 || !slices.Equal(asked.Approvers, []string{admin}) {
				t.Fatalf("asked for: %+v, by %q", asked.Broadcast, asked.Approvers)
			}
			st, err := a.engine.Status(t.Context(), id)
			if err != nil || len(st.Message.Data) == 0 || st.Message.Data[0].Value != "《红楼梦》到期" {
				t.Errorf("the approver sees %+v, %v", st, err)
			}
			a.nothingSent(time.Hour)
			a.wantToldTo(admin, "pending #1…")
			stop()
			a.engine = a.newEngine()
			a.start()
			a.approve(id, admin, models.Scheduled)
			a.reaches(id, models.Finished)
			a.wantRead(map[int]string{1: "《红楼梦》到期", 2: "《红楼梦》到期"})
			a.pass(2 * time.Minute)
			a.wantToldTo(admin, "pending #1…", "approved #1…", "finished #1…")
			if test, err := a.byToken("test", broadcast.Request{Message: "notice", Audience: models.AudienceTest, Approvals: drafts}); err != nil {
				t.Error(err)
			} else {
				a.reaches(test.Broadcast.ID, models.Finished)
			}
			if n := a.sim.Stats().Calls; n != 4 {
				t.Errorf("%d sends", n)
			}
			if r, err := a.store.Known(t.Context(), []string{shop}); err != nil || r[shop] {
				t.Errorf("the token is a person: %v, %v", r, err)
			}
		})
	}
}

// Two requests with one key make one broadcast, whichever comes first; what the other one had
// stored for it is taken back. So does the same request after the program died before it
// answered.
func TestTheSameRequestOfATokenTwice(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{driver: driver, overHTTP: true, rate: 200, Options: simulator.Options{Followers: 300}})
		a.write("到期", due...)
		stop := a.start()
		q := broadcast.Request{Message: "到期", Recipients: a.to("红楼梦", numbers(0, 250)...)}
		var at sync.WaitGroup
		ids := make([]int64, 4)
		for i := range ids {
			at.Go(func() {
				if asked, err := a.byToken("the same", q); err != nil {
					t.Error(err)
				} else {
					ids[i] = asked.Broadcast.ID
				}
			})
		}
		at.Wait()
		if slices.Max(ids) != slices.Min(ids) || a.countRows("segments") != 1 || a.countRows("members") != 250 {
			t.Errorf("broadcasts %d, %d segments, %d members", ids, a.countRows("segments"), a.countRows("members"))
		}
		for range 3 {
			a.received(min(250, a.sim.Stats().Accepted+40))
			stop()
			a.engine = a.newEngine()
			stop = a.start()
			if id := a.mustByToken("the same", q); id != ids[0] {
				t.Errorf("after a restart it is %d", id)
			}
		}
		a.reaches(ids[0], models.Finished)
		a.audit(ids[0])
		if got := len(a.sim.Received(1, 1, 1000)); got != 250 || len(a.sim.Received(2, -1, 10)) > 0 {
			t.Errorf("%d of 250 received it once", got)
		}
	})
}

// People who were given by a process that died before it stored the broadcast are deleted.
func TestGivenPeopleOfAProcessThatDied(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		now := time.Now()
		id, err := s.AddSegment(t.Context(), models.Segment{Kind: string(models.GroupList), Size: 1, Fields: "[]", MadeBy: shop, MadeAt: models.At(now)})
		if err == nil {
			err = s.AddEntries(t.Context(), id, []models.Entry{{OpenID: modelstest.OpenID(1)}}, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			after time.Duration
			left  int
		}{{time.Minute, 1}, {2 * time.Hour, 0}} {
			if err := s.TidySegments(t.Context(), now.Add(tt.after)); err != nil {
				t.Fatal(err)
			}
			if page, _ := s.MembersAfter(t.Context(), id, 0, 10); len(page) != tt.left {
				t.Errorf("%d people after %s", len(page), tt.after)
			}
		}
	})
}
