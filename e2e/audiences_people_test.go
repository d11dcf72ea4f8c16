package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// What a shift is about: a topic by its place in topicNames, or one of these.
const (
	aboutAll       = -1 - iota // broadcasts at all
	aboutFollowing             // whether the person follows
	aboutTag                   // whether the person has the tag
	aboutBlacklist             // whether the person is not on the blacklist
)

// shift is that a person, or what they are, becomes something. It did so at some moment
// from the one time to the other.
type shift struct {
	about    int
	yes      bool
	from, to time.Time
}

// person is one follower of the trial, and all that changed about them.
type person struct {
	openID string
	shifts []shift
}

// newPerson is one who follows and wants broadcasts, and is in no group.
func newPerson(openID string) *person {
	return &person{openID: openID, shifts: []shift{{about: aboutAll, yes: true}, {about: aboutFollowing, yes: true}, {about: aboutBlacklist, yes: true}}}
}

func (p *person) shift(s shift) { p.shifts = append(p.shifts, s) }

// is tells what holds now.
func (p *person) is(about int) (yes bool) {
	for _, s := range p.shifts {
		if s.about == about {
			yes = s.yes
		}
	}
	return yes
}

// steady tells whether something was so for all of a time, and no other was it.
func (p *person) steady(about int, yes bool, from, to time.Time) bool {
	was := false
	for _, s := range p.shifts {
		switch {
		case s.about != about || s.from.After(to):
		case s.to.Before(from):
			was = s.yes
		case s.yes != yes || was != yes:
			return false
		}
	}
	return was == yes
}

// mood is what everyone agreed to at a moment: whether to everything, and to each topic.
type mood struct {
	at    time.Time
	agree map[string][3]bool
}

// remember keeps what everyone agrees to now. Nobody says anything meanwhile.
func (c *changing) remember() {
	m := mood{at: time.Now(), agree: map[string][3]bool{}}
	for _, one := range c.people {
		m.agree[one.openID] = [3]bool{one.is(aboutAll), one.is(0), one.is(1)}
	}
	c.moods = append(c.moods, m)
	pass(c.t, 5*time.Millisecond)
}

// String tells what changed about a person.
func (p *person) String() string {
	var b strings.Builder
	for _, s := range p.shifts {
		if !s.from.IsZero() {
			fmt.Fprintf(&b, "[%d %v %s-%s]", s.about, s.yes, s.from.Format(clock), s.to.Format(clock))
		}
	}
	return b.String()
}

// change has some people change their minds, or be changed, one after the other.
func (c *changing) change() error {
	var faults []error
	for _, i := range rand.Perm(len(c.people))[:changesAround] {
		pass(c.platform.t, time.Duration(rand.Int64N(int64(100*time.Millisecond)))) // c.t is written at a restart
		one, topic := c.people[i], rand.IntN(len(topicNames))
		switch kind := rand.IntN(20); {
		case !one.is(aboutFollowing) && kind < 10:
			faults = append(faults, c.follow(one, true))
		case !one.is(aboutFollowing):
			faults = append(faults, c.scan(one, topic, true))
		case kind < 6:
			faults = append(faults, c.consent(one, topic, !one.is(topic)))
		case kind < 9:
			faults = append(faults, c.scan(one, topic, !one.is(topic)))
		case kind < 13:
			faults = append(faults, c.consent(one, aboutAll, !one.is(aboutAll)))
		case kind < 15:
			faults = append(faults, c.follow(one, false))
		case kind < 18:
			faults = append(faults, c.mark(one, aboutTag, !one.is(aboutTag)))
		case kind < 19:
			faults = append(faults, c.mark(one, aboutBlacklist, !one.is(aboutBlacklist)))
		default:
			c.fresh++
			somebody := newPerson(fmt.Sprintf("oFresh%022d", c.fresh))
			somebody.shift(shift{about: aboutFollowing})
			c.people = append(c.people, somebody)
			faults = append(faults, c.scan(somebody, topic, true))
		}
	}
	return errors.Join(faults...)
}

// consent has a person write, or tap in the menu, that they join or leave a topic, or
// everything.
func (c *changing) consent(one *person, about int, yes bool) error {
	words := map[bool][]string{true: {"start", "订阅"}, false: {"stop", "退订", "TD"}}[yes]
	if about != aboutAll {
		words = map[bool][]string{true: {"join ", "订阅 ", "订阅"}, false: {"leave ", "退订 ", "退订"}}[yes]
		for i := range words {
			words[i] += topicNames[about]
		}
	}
	text := words[rand.IntN(len(words))]
	if rand.IntN(3) == 0 && about != aboutAll {
		return c.shifts(one, about, yes, func() (string, error) {
			return c.event("/_sim/click", map[string]string{"openid": one.openID, "key": text})
		})
	}
	msgID := rand.Int64N(1<<50) + 1<<40
	return c.shifts(one, about, yes, func() (string, error) {
		var said struct{ Reply string }
		err := c.platform.try(http.MethodPost, "/_sim/say", map[string]any{"openid": one.openID, "text": text, "msgid": itoa(msgID)}, &said)
		return said.Reply, err
	})
}

// scan has a person scan the QR code of a topic, by which they come to follow if they do not.
func (c *changing) scan(one *person, topic int, yes bool) error {
	scene := topicNames[topic]
	if !yes {
		scene = "退订 " + scene
	}
	follows, from := one.is(aboutFollowing), time.Now()
	err := c.shifts(one, topic, yes, func() (string, error) {
		return c.event("/_sim/scan", map[string]string{"openid": one.openID, "scene": scene})
	})
	if !follows {
		one.shift(shift{aboutFollowing, true, from, time.Now()})
	}
	return err
}

// event has something happen to a person that the callback hears of.
func (c *changing) event(path string, what map[string]string) (reply string, err error) {
	var answer struct{ Reply string }
	err = c.platform.try(http.MethodPost, path, what, &answer)
	return answer.Reply, err
}

// shifts has a person say something until the program answers, and notes it. An answer may
// have been lost with the program, so that it is given to the same message once more.
func (c *changing) shifts(one *person, about int, yes bool, say func() (string, error)) error {
	from := time.Now()
	reply, err := say()
	for tries := 0; err != nil && tries < 5; tries++ {
		reply, err = say()
	}
	one.shift(shift{about, yes, from, time.Now()})
	words := map[bool][]string{true: {"have joined", "You are in", "broadcasts again", "You are getting"}, false: {"have left", "any more", "You are not"}}[yes]
	if err == nil && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(reply, w) }) {
		err = fmt.Errorf("%s said %v to %d and reads %q", one.openID, yes, about, reply)
	}
	return err
}

// follow has a person follow or unfollow. If the program does not hear of it, the platform
// refuses what is sent to them.
func (c *changing) follow(one *person, yes bool) error {
	path := "/_sim/unfollow"
	if yes {
		path = "/_sim/follow"
	}
	from := time.Now()
	err := c.platform.try(http.MethodPost, path, map[string]string{"openid": one.openID}, nil)
	one.shift(shift{aboutFollowing, yes, from, time.Now()})
	return err
}

// mark has the account's operator tag a person, or blacklist them, which is no.
func (c *changing) mark(one *person, about int, yes bool) error {
	path, what := "/_sim/blacklist", map[string]any{}
	if about == aboutTag {
		path, what["id"] = "/_sim/tag", c.tag
	}
	if yes == (about == aboutTag) {
		what["add"] = []string{one.openID}
	} else {
		what["remove"] = []string{one.openID}
	}
	from := time.Now()
	err := c.platform.try(http.MethodPost, path, what, nil)
	one.shift(shift{about, yes, from, time.Now()})
	return err
}
