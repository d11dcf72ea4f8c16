package lists_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/models/modelstest"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/people"
)

var t0 = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

// desk is where lists are made, at a time of its own.
type desk struct {
	*lists.Service
	store *models.Store
	now   time.Time
}

func newDesk(t *testing.T, s *models.Store) *desk {
	d := &desk{store: s, now: t0}
	d.Service = &lists.Service{Store: s, Now: func() time.Time { return d.now }, Log: modelstest.Log(t)}
	return d
}

// upload has an admin stage a file with people of these numbers.
func (d *desk) upload(t *testing.T, name, by string, numbers ...int) *lists.Staged {
	t.Helper()
	file := "openid,seat\n"
	for _, i := range numbers {
		file += fmt.Sprintf("%s,%d\n", modelstest.OpenID(i), i)
	}
	from := strings.NewReader(file)
	looked, err := d.Look(t.Context(), from, people.Options{}, func(int64) {})
	if err != nil || looked.Bad > 0 {
		t.Fatal(looked, err)
	}
	if len(looked.First) == 0 || looked.First[0].OpenID != modelstest.OpenID(numbers[0]) || len(looked.First) > 5 {
		t.Errorf("the first people are %+v", looked.First)
	}
	staged, err := d.Stage(t.Context(), name, by, from, people.Options{}, looked)
	if err != nil {
		t.Fatal(err)
	}
	return staged
}

// sizes returns the lists with their sizes.
func (d *desk) sizes(t *testing.T) string {
	t.Helper()
	all, err := d.store.Lists(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, l := range all {
		said = append(said, fmt.Sprintf("%s %d %s", l.Name, l.Size, l.Fields))
	}
	return strings.Join(said, "; ")
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *models.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%v, want %s", err, code)
	}
}

// A file is no list until the admin who staged it publishes it, once.
func TestAStagedFileBecomesAList(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx, d := t.Context(), newDesk(t, s)
		staged := d.upload(t, " old   readers ", "oOne", 1, 2, 3, 4, 5, 6, 7)
		if staged.Name != "old readers" || staged.Replaces != nil || d.sizes(t) != "" {
			t.Fatalf("%+v is staged, the lists are %q", staged, d.sizes(t))
		}
		_, _, err := d.Publish(ctx, staged.Name, "oTwo", staged.Segment, 0) // by another
		wantCode(t, err, models.ErrStagedGone)
		made, before, err := d.Publish(ctx, staged.Name, "oOne", staged.Segment, 0)
		if err != nil || before != nil || made.Size != 7 || d.sizes(t) != `old readers 7 ["seat"]` {
			t.Fatal(made, before, err, d.sizes(t))
		}
		once, before, err := d.Publish(ctx, staged.Name, "oOne", staged.Segment, 0)
		if err != nil || before != nil || once.Size != 7 {
			t.Error(once, before, err)
		}

		// Who says that it is new can't replace it.
		again := d.upload(t, "Old Readers", "oOne", 8)
		if again.Replaces == nil || again.Replaces.Size != 7 {
			t.Fatalf("it would replace %+v", again.Replaces)
		}
		_, _, err = d.Publish(ctx, again.Name, "oOne", again.Segment, 0)
		wantCode(t, err, models.ErrListChanged)
		_, _, err = d.Publish(ctx, "other", "oOne", again.Segment, again.Replaces.SegmentID)
		wantCode(t, err, models.ErrListChanged)
		if _, before, err = d.Publish(ctx, again.Name, "oOne", again.Segment, again.Replaces.SegmentID); err != nil || before == nil {
			t.Fatal(before, err)
		}
		if d.sizes(t) != `Old Readers 1 ["seat"]` {
			t.Error(d.sizes(t))
		}
	})
}

// A list that somebody else replaced meanwhile is not the one that the admin saw.
func TestAReplacementIsOfTheListThatWasSeen(t *testing.T) {
	t.Parallel()
	d := newDesk(t, modelstest.SQLite(t))
	ctx := t.Context()
	first := d.upload(t, "a", "oOne", 1)
	if _, _, err := d.Publish(ctx, "a", "oOne", first.Segment, 0); err != nil {
		t.Fatal(err)
	}
	mine, theirs := d.upload(t, "a", "oOne", 2), d.upload(t, "a", "oTwo", 3, 4)
	if _, _, err := d.Publish(ctx, "a", "oTwo", theirs.Segment, theirs.Replaces.SegmentID); err != nil {
		t.Fatal(err)
	}
	_, _, err := d.Publish(ctx, "a", "oOne", mine.Segment, mine.Replaces.SegmentID)
	wantCode(t, err, models.ErrListChanged)
	if d.sizes(t) != `a 2 ["seat"]` {
		t.Error(d.sizes(t))
	}
}

// What is staged is kept for its time, and an admin has one such file at most.
func TestStagedFilesGo(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, s *models.Store) {
		ctx, d := t.Context(), newDesk(t, s)
		old := d.upload(t, "a", "oOne", 1)
		d.upload(t, "a", "oOne", 2)
		_, _, err := d.Publish(ctx, "a", "oOne", old.Segment, 0)
		wantCode(t, err, models.ErrStagedGone)

		late := d.upload(t, "a", "oOne", 3)
		d.now = d.now.Add(10*time.Minute + time.Second)
		_, _, err = d.Publish(ctx, "a", "oOne", late.Segment, 0)
		wantCode(t, err, models.ErrStagedGone)

		if err := s.TidySegments(ctx, d.now); err != nil {
			t.Fatal(err)
		}
		if _, err := s.MembersAfter(ctx, late.Segment, 0, 5); err != nil {
			t.Errorf("it goes before its time: %v", err)
		}
		d.now = d.now.Add(10 * time.Minute)
		if err := s.TidySegments(ctx, d.now); err != nil {
			t.Fatal(err)
		}
		page, err := s.MembersAfter(ctx, late.Segment, 0, 5)
		wantCode(t, err, models.ErrGroupChanged)
		if len(page) > 0 {
			t.Errorf("there is %+v left of it", page)
		}
	})
}

// A staged file whose reading is cut off leaves nothing.
func TestAStageThatIsCutOffLeavesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, modelstest.SQLite(t))
	from := strings.NewReader("openid\n" + modelstest.OpenID(1) + "\n")
	looked, err := d.Look(t.Context(), from, people.Options{}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	other := strings.NewReader("openid\n" + modelstest.OpenID(1) + "\n" + modelstest.OpenID(2) + "\n")
	if staged, err := d.Stage(context.WithoutCancel(t.Context()), "a", "oOne", other, people.Options{}, looked); err == nil {
		t.Fatalf("a file that changed is staged as %+v", staged)
	}
	_, _, err = d.Publish(t.Context(), "a", "oOne", 1, 0)
	wantCode(t, err, models.ErrStagedGone)
}
