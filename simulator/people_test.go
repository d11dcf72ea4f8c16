package simulator

import (
	"strings"
	"testing"
)

func TestRegister(t *testing.T) {
	t.Parallel()
	r := newRegister("wxd0a1b2c3d4e5f607", 1)
	seen := make(map[string]uint32)
	folded := make(map[string]int)
	for number := range uint32(20_000) {
		openID := string(r.append(nil, number))
		if !wellFormed(openID) {
			t.Fatalf("%q is not well formed", openID)
		}
		if other, twice := seen[openID]; twice {
			t.Fatalf("%d and %d have the same OpenID", other, number)
		}
		seen[openID] = number
		folded[strings.ToLower(openID)]++
		if got, ok := r.number(openID); !ok || got != number {
			t.Fatalf("number of %d's OpenID = %d, %v", number, got, ok)
		}
	}
	if twins := len(seen) - len(folded); twins != 20_000/twinEvery {
		t.Errorf("%d pairs differ only in case, want %d", twins, 20_000/twinEvery)
	}
	if string(r.append(nil, 7)) != string(newRegister("wxd0a1b2c3d4e5f607", 1).append(nil, 7)) {
		t.Error("the same seed gives other OpenIDs")
	}
	if string(r.append(nil, 7)) == string(newRegister("wxd0a1b2c3d4e5f607", 2).append(nil, 7)) {
		t.Error("another seed gives the same OpenIDs")
	}
	last := string(r.append(nil, 1<<32-2))
	if got, ok := r.number(last); !ok || got != 1<<32-2 {
		t.Errorf("the last number reads as %d, %v", got, ok)
	}
}

func FuzzRegisterNumber(f *testing.F) {
	r := newRegister("wxd0a1b2c3d4e5f607", 1)
	f.Add(string(r.append(nil, 0)))
	f.Add(string(r.append(nil, 1)))
	f.Add("o6_bmjrPTlm6_2sgVt7hMZOPfL2M")
	f.Fuzz(func(t *testing.T, openID string) {
		if number, ok := r.number(openID); ok && string(r.append(nil, number)) != openID {
			t.Errorf("%q reads as %d, which is somebody else", openID, number)
		}
	})
}

func TestClassesAreExactAndSpread(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Followers: 1000, Refusing: 10, Blocking: 20, Left: 5},
		{Followers: 25_000, Refusing: 100},
		{Followers: 7, Refusing: 2, Blocking: 2, Left: 3},
		{Followers: 100_003, Refusing: 1, Blocking: 999, Left: 77, Admin: []string{"oAdmin"}},
		{Followers: 10, Blocking: 1},
	} {
		p := newPeople(o)
		var counts [4]int
		firstHalf := 0
		for id := range p.size() {
			kind := p.class(id)
			counts[kind]++
			if kind != classNormal && id < p.size()/2 {
				firstHalf++
			}
		}
		special := o.Refusing + o.Blocking + o.Left
		if want := [4]int{o.Followers - special, o.Refusing, o.Blocking, o.Left}; counts != want {
			t.Errorf("%+v: counts are %v, want %v", o, counts, want)
		}
		if special > 10 && (firstHalf < special*4/10 || firstHalf > special*6/10) {
			t.Errorf("%+v: %d of %d are in the first half", o, firstHalf, special)
		}
	}
}

func TestPeopleMove(t *testing.T) {
	t.Parallel()
	p := newPeople(Options{Followers: 100, Left: 10, Refusing: 5, Admin: []string{"oAdmin", "oOther"}})
	steps := []struct {
		name   string
		do     func()
		total  int
		member string
		in     bool
	}{
		{"start", func() {}, 100, "oAdmin", true},
		{"someone leaves", func() { p.move(p.openID(3), false) }, 99, p.openID(3), false},
		{"leaves again", func() { p.move(p.openID(3), false) }, 99, p.openID(3), false},
		{"comes back", func() { p.move(p.openID(3), true) }, 100, p.openID(3), true},
		{"someone new", func() { p.move("oStranger", true) }, 101, "oStranger", true},
		{"an admin leaves", func() { p.move("oAdmin", false) }, 100, "oAdmin", false},
		{"the first send", func() { p.sending.Store(true) }, 90, p.openID(0), true},
	}
	for _, step := range steps {
		step.do()
		if got := p.total(); got != step.total {
			t.Errorf("%s: total %d, want %d", step.name, got, step.total)
		}
		counted := 0
		for id := range p.size() {
			if p.follows(id) {
				counted++
			}
		}
		if counted != step.total {
			t.Errorf("%s: %d follow, want %d", step.name, counted, step.total)
		}
		if id, known := p.id(step.member); !known || p.follows(id) != step.in {
			t.Errorf("%s: %s follows: %v, want %v", step.name, step.member, !step.in, step.in)
		}
	}
}
