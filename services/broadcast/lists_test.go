package broadcast_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/messages"
	"wechat-broadcast/services/people"
	"wechat-broadcast/simulator"
)

// due are the lines of a message with a field of each recipient.
var due = []messages.Change{{Field: "模板", Value: "通知提醒"}, {Field: "通知内容", Value: "《{book}》到期"}, {Field: "通知时间", Value: "2026-11-30"}, {Field: "备注", Value: "请按时归还"}}

// list makes or replaces a list of people by their numbers, each with the field book.
func (a *account) list(name, book string, people ...int) {
	a.t.Helper()
	text := "openid,book\n"
	for _, i := range people {
		text += a.openID(i) + "," + book + "\n"
	}
	a.importList(name, text)
}

// nobody is the number of a person who never followed.
const nobody = -1

func (a *account) openID(i int) string {
	if i == nobody {
		return modelstest.OpenID(0)
	}
	return a.sim.Follower(i)
}

func (a *account) importList(name, text string) {
	a.t.Helper()
	none := func(int64) {}
	looked, err := a.lists().Look(a.t.Context(), strings.NewReader(text), people.Options{}, none)
	if err != nil || looked.Bad > 0 {
		a.t.Fatal(looked, err)
	}
	if _, err := a.lists().Make(a.t.Context(), models.List{Name: name}, strings.NewReader(text), people.Options{}, looked, none); err != nil {
		a.t.Fatal(err)
	}
}

func (a *account) lists() *lists.Service {
	return &lists.Service{Store: a.store, Now: a.now, Log: modelstest.Log(a.t)}
}

// pullSlowly pulls the followers, in longer than a reply may take. Those of a list are in
// the table already.
func (a *account) pullSlowly(ctx context.Context) error {
	if err := loop.Sleep(ctx, 5*time.Second); err != nil {
		return err
	}
	for _, openID := range a.people() {
		if err := a.store.EnsureRecipient(ctx, openID, a.now()); err != nil {
			return err
		}
	}
	a.pulled.Store(true)
	return nil
}

// toList asks for a broadcast to lists.
func (a *account) toList(message string, names ...string) (*broadcast.Created, error) {
	a.t.Helper()
	return a.request(broadcast.Request{Message: message, Audience: models.AudienceGroups, Groups: listsOf(names...)})
}

func listsOf(names ...string) (all []models.Group) {
	for _, name := range names {
		all = append(all, models.Group{Kind: models.GroupList, Name: name})
	}
	return all
}

// wantRead holds what people by their numbers read, each exactly once.
func (a *account) wantRead(want map[int]string) {
	a.t.Helper()
	for i := range a.people() {
		got := a.read(a.sim.Follower(i))
		switch text, is := want[i]; {
		case !is && len(got) > 0:
			a.t.Errorf("follower %d reads %q", i, got)
		case is && (len(got) != 1 || !strings.HasPrefix(got[0], text+"|")):
			a.t.Errorf("follower %d reads %q, want %q", i, got, text)
		}
	}
}

func numbers(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

// Each person on several lists gets one message, with the fields of the first; whoever is
// excepted, left, opted out or does not follow gets none, and the numbers say so.
func TestBroadcastToLists(t *testing.T) {
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
		a.list("a", "红楼梦", 1, 2, 3, 4, 5)
		a.list("b", "西游记", 5, 6, 7, nobody)
		a.list("c", "", 7, 2)
		asked, err := a.request(broadcast.Request{
			Message: "到期", Audience: models.AudienceGroups, Groups: listsOf("a", "B"), Except: listsOf("c"),
		})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range asked.Parts {
			got = append(got, fmt.Sprint(p.Group.Name, p.Total, p.Away, p.OptedOut, p.Repeated, p.Excepted, p.Left))
		}
		if want := []string{fmt.Sprint("a", 5, 1, 1, 0, 1, 2), fmt.Sprint("b", 4, 1, 0, 1, 1, 1)}; !slices.Equal(got, want) {
			t.Errorf("numbers %q, want %q", got, want)
		}
		if asked.Recipients != 3 || asked.Message.Data[0].Value != "《红楼梦》到期" {
			t.Errorf("%d recipients, shown %v", asked.Recipients, asked.Message.Data)
		}
		b := a.reaches(asked.Broadcast.ID, models.Finished)
		if b.Recipients != 3 {
			t.Errorf("%d recipients in the end", b.Recipients)
		}
		a.wantRead(map[int]string{1: "《红楼梦》到期", 5: "《红楼梦》到期", 6: "《西游记》到期"})
	})
}

// Whatever becomes of a list after a broadcast to it was asked for, that one goes to those
// who were on it, with their fields then.
func TestAListThatChangesDoesNotChangeABroadcast(t *testing.T) {
	t.Parallel()
	change := map[string]func(a *account){
		"replaced": func(a *account) { a.list("a", "西游记", numbers(200, 300)...) },
		"removed": func(a *account) {
			if _, err := a.lists().Remove(a.t.Context(), "A"); err != nil {
				a.t.Fatal(err)
			}
		},
	}
	for name, change := range change {
		for _, planned := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " planned ", planned), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := newAccount(t, setup{rate: 50, Options: simulator.Options{Followers: 400}})
					a.write("到期", due...)
					a.start()
					a.list("a", "红楼梦", numbers(0, 200)...)
					q := broadcast.Request{Message: "到期", Audience: models.AudienceGroups, Groups: listsOf("a")}
					if planned {
						q.At = a.now().Add(30 * time.Minute)
					}
					asked, err := a.request(q)
					if err != nil {
						t.Fatal(err)
					}
					if planned {
						_ = loop.Sleep(t.Context(), time.Minute)
					} else {
						a.received(20)
					}
					change(a)
					if err := a.store.TidySegments(t.Context(), a.now().Add(48*time.Hour)); err != nil {
						t.Fatal(err)
					}
					a.reaches(asked.Broadcast.ID, models.Finished)
					want := map[int]string{}
					for i := range 200 {
						want[i] = "《红楼梦》到期"
					}
					a.wantRead(want)
				})
			})
		}
	}
}

// A list that is replaced while a broadcast to it is asked for is never sent half.
func TestAListThatIsReplacedAtTheMomentOfAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}})
		a.write("到期", due...)
		a.start()
		a.list("a", "红楼梦", 1, 2, 3)
		a.wire.thinks.Store(int64(time.Second))
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = loop.Sleep(t.Context(), 500*time.Millisecond)
			a.list("a", "西游记", 4, 5)
		}()
		_, err := a.toList("到期", "a")
		<-done
		wantCode(t, err, models.ErrGroupChanged)
		asked, err := a.toList("到期", "a")
		if err != nil {
			t.Fatal(err)
		}
		a.reaches(asked.Broadcast.ID, models.Finished)
		a.wantRead(map[int]string{4: "《西游记》到期", 5: "《西游记》到期"})
	})
}

// A message that needs a field that somebody lacks is refused with how many they are, of
// however many recipients; who is not sent to may lack it.
func TestAMissingFieldIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 500}})
		a.write("到期", due...)
		a.messages.Set(strings.Replace(messageFile, `"{{slice .OpenID 20}}"`, `'{{.Fields.book}} {{if eq .Scene "x"}}{{.Fields.shelf}}{{end}}'`, 1))
		a.start()
		text := "openid,book,x\n"
		for i := range 400 {
			book := "红楼梦"
			if i == 350 || i == 399 || i == 7 {
				book = ""
			}
			text += a.sim.Follower(i) + "," + book + ",\n"
		}
		a.importList("a", text)
		if err := a.store.ChangeRecipient(t.Context(), a.sim.Follower(7), func(r *models.Recipient) { r.OptedOut = true }); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"到期", "personal"} {
			_, err := a.toList(name, "a")
			wantCode(t, err, models.ErrFieldsLacking)
			var told *models.Error
			if !errors.As(err, &told) {
				continue
			}
			lacks, _ := told.Args["Lacks"].([]models.Lack)
			if len(lacks) != 1 || lacks[0].Field != "book" || lacks[0].Count != 2 || len(lacks[0].OpenIDs) != 2 || fmt.Sprint(told.Args["Known"]) != "[book x]" {
				t.Errorf("%s: %+v", name, told.Args)
			}
		}
		a.list("c", "", 350, 399)
		for _, name := range []string{"到期", "personal"} {
			asked, err := a.request(broadcast.Request{Message: name, Audience: models.AudienceGroups, Groups: listsOf("a"), Except: listsOf("c")})
			if err != nil {
				t.Fatal(err)
			}
			if n := a.reaches(asked.Broadcast.ID, models.Finished).Recipients; n != 397 {
				t.Errorf("%s: %d recipients", name, n)
			}
		}
		_, err := a.tryAsk("到期", models.AudienceAll, false)
		wantCode(t, err, models.ErrContent)
	})
}

// The rest of a broadcast to a list, a correction and a retry have the list's fields.
func TestLaterBroadcastsHaveTheFieldsOfTheList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{rate: 20, Options: simulator.Options{Followers: 200}})
		a.write("到期", due...)
		other := slices.Clone(due)
		other[1].Value = "更正：《{book}》续借"
		a.write("更正", other...)
		a.start()
		a.list("a", "红楼梦", numbers(0, 100)...)
		asked, err := a.toList("到期", "a")
		if err != nil {
			t.Fatal(err)
		}
		first := asked.Broadcast.ID
		a.received(10)
		a.cancel(first)
		a.list("a", "西游记", 150)
		a.until("the last calls", func() bool { return !a.busy(first) })
		got := a.sim.Received(1, 1, 1000)
		rest := a.mustAskOf("", models.AudienceRest, first)
		if n := a.reaches(rest.Broadcast.ID, models.Finished).Recipients; n != int64(100-len(got)) {
			t.Errorf("%d in the rest, %d got it before", n, len(got))
		}
		want := map[int]string{}
		for i := range 100 {
			want[i] = "《红楼梦》到期"
		}
		a.wantRead(want)
		correction := a.mustAskOf("更正", models.AudienceReached, rest.Broadcast.ID)
		a.reaches(correction.Broadcast.ID, models.Finished)
		read := map[string]int{}
		for i := range 200 {
			for _, text := range a.read(a.sim.Follower(i)) {
				read[text[:strings.Index(text, "|")]]++
			}
		}
		if read["更正：《红楼梦》续借"] != 100-len(got) || read["《红楼梦》到期"] != 100 || len(read) != 2 {
			t.Errorf("read %v, %d got the first before", read, len(got))
		}
	})
}

// Before the followers were ever pulled nobody on a list is known to follow: the broadcast
// waits for the pull, and who follows then gets it.
func TestAListBeforeTheFollowersAreKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{unpulled: true, Options: simulator.Options{Followers: 20}})
		a.write("到期", due...)
		a.pull = a.pullSlowly
		a.start()
		a.list("a", "红楼梦", 1, 2, nobody)
		asked, err := a.toList("到期", "a")
		if err != nil {
			t.Fatal(err)
		}
		if !asked.SyncFirst {
			t.Error("it does not wait for the followers")
		}
		if n := a.reaches(asked.Broadcast.ID, models.Finished).Recipients; n != 2 {
			t.Errorf("%d recipients", n)
		}
		a.wantRead(map[int]string{1: "《红楼梦》到期", 2: "《红楼梦》到期"})
		a.importList("b", "openid,book\n"+a.sim.Follower(1)+",\n")
		_, err = a.toList("到期", "b")
		wantCode(t, err, models.ErrFieldsLacking)
	})
}
