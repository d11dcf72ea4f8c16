package broadcast_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/topics"
	"wechat-broadcast/simulator"
)

// members are an account's topics and who is in them.
type members struct {
	*account
	people *followers.Service
	topics *topics.Service
	said   int
}

func newMembers(a *account) *members {
	people := followers.New(followers.Config{Store: a.store, Platform: a.client, Now: a.now})
	a.t.Cleanup(people.Close)
	return &members{account: a, people: people, topics: topics.New(topics.Config{Store: a.store, Now: a.now})}
}

func (m *members) add(name string) int64 {
	m.t.Helper()
	t, err := m.topics.Add(m.t.Context(), name, "", admin)
	if err != nil {
		m.t.Fatal(err)
	}
	return t.ID
}

// say has people join a topic, or leave it.
func (m *members) say(topic int64, join bool, people ...string) {
	m.t.Helper()
	for _, openID := range people {
		m.said++
		said := followers.Said{Via: models.ViaText, Text: "x", Key: fmt.Sprintf("m:%d", m.said)}
		if _, err := m.people.SetTopics(m.t.Context(), openID, []int64{topic}, join, said); err != nil {
			m.t.Fatal(err)
		}
	}
}

func (m *members) askTopics(message string, except []string, names ...string) int64 {
	m.t.Helper()
	q := broadcast.Request{Message: message, Audience: models.AudienceGroups, Again: true}
	for _, name := range names {
		q.Groups = append(q.Groups, models.Group{Kind: models.GroupTopic, Name: name})
	}
	for _, name := range except {
		q.Except = append(q.Except, models.Group{Kind: models.GroupTopic, Name: name})
	}
	asked, err := m.request(q)
	if err != nil {
		m.t.Fatal(err)
	}
	return asked.Broadcast.ID
}

// got is how many messages a person got.
func (m *members) got(openID string) int {
	messages, _ := m.sim.Ledger(openID)
	return len(messages)
}

// While a broadcast to a topic runs, who leaves it is not sent to after two seconds, who
// leaves and comes back at once is not lost, and who joins late is not swept in. Nobody
// gets it twice.
func TestATopicWhoseMembersChangeMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all = 600
		a := newAccount(t, setup{
			Options: simulator.Options{Followers: all - 1, Faults: simulator.Faults{Latency: 20 * time.Millisecond}},
			rate:    50,
		})
		called := map[string]time.Time{}
		a.onSend(func(_ http.ResponseWriter, openID string) bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			called[openID] = time.Now()
			return false
		})
		m := newMembers(a)
		lectures, other := m.add("讲座"), m.add("Other")
		sets := map[string][]string{}
		for i, openID := range a.people() {
			set := []string{"stays", "leaves", "joins late", "outside", "stops"}[i%5]
			if set == "stays" && i > all-200 {
				set = "comes back" // far from their turn
			}
			sets[set] = append(sets[set], openID)
			if set != "joins late" && set != "outside" {
				m.say(lectures, true, openID)
			}
		}
		m.say(other, true, sets["outside"]...)
		a.start()
		id := m.askTopics("", nil, "讲座")
		a.received(40)
		m.say(lectures, false, sets["comes back"]...)
		m.say(lectures, true, sets["comes back"]...)
		m.say(lectures, false, sets["leaves"]...)
		m.say(lectures, true, sets["joins late"]...)
		for i, openID := range sets["stops"] {
			if _, err := m.people.SetOptedOut(t.Context(), openID, true, followers.Said{Via: models.ViaText, Key: fmt.Sprintf("s:%d", i)}); err != nil {
				t.Fatal(err)
			}
		}
		changed := time.Now()
		a.reaches(id, models.Finished)
		_ = loop.Sleep(t.Context(), time.Minute)
		a.audit(id)
		var sent int64
		for set, people := range sets {
			for _, openID := range people {
				n, after := m.got(openID), called[openID].Sub(changed)
				sent += int64(n)
				var wrong bool
				switch set {
				case "stays", "comes back":
					wrong = n != 1
				case "leaves", "stops":
					wrong = n > 1 || n == 1 && after > reachableFor
				default:
					wrong = n != 0
				}
				if wrong {
					t.Errorf("%s who %s got it %d times, %s after the change", openID, set, n, after)
				}
			}
		}
		if c := a.counts(id); c.Accepted+c.Delivered != sent || a.broadcast(id).Recipients != sent {
			t.Errorf("%d were sent to: %+v of %d", sent, c, a.broadcast(id).Recipients)
		}

		// Who left stays out of the rest and of a correction, and who came late is in the next.
		next := m.askTopics("personal", []string{"Other"}, "讲座", "Other")
		b := a.reaches(next, models.Finished)
		if want := int64(len(sets["stays"]) + len(sets["comes back"]) + len(sets["joins late"])); b.Recipients != want {
			t.Errorf("%d recipients of the next, want %d", b.Recipients, want)
		}
		for _, set := range []string{"leaves", "stops", "outside"} {
			for _, openID := range sets[set] {
				if n := m.got(openID); n > 1 || n == 1 && set == "outside" {
					t.Errorf("%s who %s got %d messages", openID, set, n)
				}
			}
		}
	})
}

// Changes while broadcasts run, on each database: nobody gets one twice, nobody who is in the topic
// all the time is left out, nobody who is out all the time gets it.
func TestATopicChangesOnEachDatabase(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, driver string) {
		a := newAccount(t, setup{
			driver: driver, overHTTP: true, concurrency: 16, rate: 300,
			Options: simulator.Options{Followers: 299, Faults: simulator.Faults{Latency: 5 * time.Millisecond, CutAccepted: .02, BadGateway: .02}},
		})
		m := newMembers(a)
		topic := m.add("讲座")
		people := a.people()
		in := map[string]bool{}
		a.start()
		for round := range 3 {
			for i, openID := range people {
				in[openID] = (i+round)%3 != 0
				m.say(topic, in[openID], openID)
			}
			before := map[string]int{}
			for _, openID := range people {
				before[openID] = m.got(openID)
			}
			start := a.sim.Stats().Accepted
			id := m.askTopics("", nil, "讲座")
			a.received(start + 5)
			touched := map[string]bool{}
			for i := round; i < len(people); i += 4 {
				touched[people[i]] = true
				in[people[i]] = !in[people[i]]
				m.say(topic, in[people[i]], people[i])
			}
			a.reaches(id, models.Finished)
			for _, openID := range people {
				n := m.got(openID) - before[openID]
				switch {
				case n > 1, !touched[openID] && (n == 1) != in[openID], touched[openID] && in[openID] && n != 0:
					t.Errorf("round %d: %s got it %d times; in the topic: %v, changed: %v", round, openID, n, in[openID], touched[openID])
				}
			}
		}
	})
}

// A topic can't be removed while a broadcast for it, or one that leaves it out, has not
// ended; and nothing is started for one that was removed.
func TestATopicInUseIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, setup{Options: simulator.Options{Followers: 20}, undo: time.Minute})
		m := newMembers(a)
		for _, name := range []string{"讲座", "Other"} {
			m.say(m.add(name), true, a.people()[:10]...)
		}
		m.say(m.add("Third"), true, a.people()[5:15]...)
		a.start()
		id := m.askTopics("", []string{"Other"}, "Third")
		for _, name := range []string{"Third", "other"} {
			_, _, err := m.topics.Remove(t.Context(), name)
			wantCode(t, err, models.ErrTopicBusy)
		}
		if _, counts, err := m.topics.Remove(t.Context(), "讲座"); err != nil || counts.Joined != 10 {
			t.Errorf("one that is not used: %+v, %v", counts, err)
		}
		if b := a.reaches(id, models.Finished); b.Recipients != 5 {
			t.Errorf("%d recipients, want 5", b.Recipients)
		}
		if _, _, err := m.topics.Remove(t.Context(), "Third"); err != nil {
			t.Errorf("after the end: %v", err)
		}
		_, err := m.request(broadcast.Request{Audience: models.AudienceGroups, Again: true, Groups: []models.Group{{Kind: models.GroupTopic, Name: "Third"}}})
		wantCode(t, err, models.ErrGroupUnknown)

		m.add("THIRD")
		back := m.askTopics("personal", nil, "third")
		a.reaches(back, models.Finished)
		if got := len(slices.DeleteFunc(a.people(), func(openID string) bool { return m.got(openID) == 0 })); got != 10 {
			t.Errorf("%d got what went to the topic that came back, want 10", got)
		}
	})
}
