package notify

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// tellStored tells admins of what ended, paused or stopped by itself, or began at its
// planned start.
func (n *Notifier) tellStored(ctx context.Context, again rests) error {
	if !n.Engine.Leads() {
		return nil
	}
	list, err := n.Store.Unnotified(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		clear(n.handed)
	}
	halts := map[string][]models.Broadcast{} // by their reason
	for _, b := range list {
		if b.State == models.Pending {
			if err := n.askApprovers(ctx, again, b); err != nil {
				return err
			}
			continue
		}
		if halted(b) {
			halts[b.Reason] = append(halts[b.Reason], b)
			continue
		}
		ready, err := n.ready(ctx, b)
		if err != nil {
			return err
		}
		if !ready {
			continue
		}
		if err := n.tell(ctx, again, b); err != nil {
			return err
		}
	}
	for _, same := range halts {
		if err := n.tellHalts(ctx, again, same); err != nil {
			return err
		}
	}
	return nil
}

// halted tells whether a broadcast was stopped for what concerns the account or its
// database, and so everybody who may send.
func halted(b models.Broadcast) bool {
	reasons := []string{models.ReasonAccount, models.ReasonCredentials, models.ReasonRestored}
	return b.State == models.Paused && slices.Contains(reasons, b.Reason)
}

// tell tells the admin who asked for a broadcast how it ended, why it paused, or that it
// began.
func (n *Notifier) tell(ctx context.Context, again rests, b models.Broadcast) error {
	kind := kindOf(b)
	key := fmt.Sprintf("%d %s %s", b.ID, kind, b.NoticeMark())
	if again.waits(key, n.Now()) {
		return nil
	}
	st, err := n.Engine.Status(ctx, b.ID)
	if err != nil {
		return err
	}
	if st.Broadcast.State != b.State {
		return nil // somebody moved it just now
	}
	outcome, err := n.handOnce(ctx, again, &notice{
		key: key, kind: kind, to: b.AskedBy, broadcast: b.ID, text: func() string { return n.Words.Notice(kind, *st) },
	})
	if err != nil || outcome == away {
		return err
	}
	mark := func() error { return n.Store.MarkNotified(ctx, b.ID, b.NoticeMark()) }
	if kind == Approved { // it may have begun and ended meanwhile
		mark = func() error { return n.Store.Mark(ctx, &b, b.NoticeMark()) }
	}
	if err := mark(); err != nil {
		return err
	}
	delete(n.handed, key) // another pause for the same reason is news
	return nil
}

// handOnce is hand for a notice that is not handed over again although the database may
// not take down that it was.
func (n *Notifier) handOnce(ctx context.Context, again rests, m *notice) (handed, error) {
	if outcome, known := n.handed[m.key]; known {
		return outcome, nil
	}
	outcome, err := n.hand(ctx, m)
	if again.note(m.key, outcome != away, n.Now()); err == nil && outcome != away {
		n.handed[m.key] = outcome
	}
	return outcome, err
}

// tellHalts tells of broadcasts that were stopped for the same reason: all who may send,
// and whoever asked for one of them. Each gets one notice, once the counts of the first
// broadcast are known. Who was told is recorded, so that nobody is told again if the
// program ends before all are.
func (n *Notifier) tellHalts(ctx context.Context, again rests, halts []models.Broadcast) error {
	// The one that met the reason was being sent; the others may not have begun.
	begun := slices.IndexFunc(halts, func(b models.Broadcast) bool { return !b.StartedAt.IsZero() })
	head := halts[max(begun, 0)]
	if ready, err := n.ready(ctx, head); err != nil || !ready || !n.Admins.Known(ctx) {
		return err
	}
	if err := n.beginTelling(ctx, halts); err != nil {
		return err
	}
	st, err := n.Engine.Status(ctx, head.ID)
	if err != nil {
		return err
	}
	if st.Broadcast.State != models.Paused {
		return nil // somebody resumed it just now
	}
	all := true
	for _, to := range n.concerned(ctx, halts) {
		done, err := n.tellHalt(ctx, again, to, *st, halts)
		if err != nil {
			return err
		}
		all = all && done
	}
	if !all {
		return nil
	}
	for _, b := range halts {
		if err := n.Store.MarkNotified(ctx, b.ID, b.NoticeMark()); err != nil {
			return err
		}
	}
	return nil
}

// telling begins the mark of a broadcast of which not all are told yet. A name of its own
// follows it, since the same broadcast may be halted for the same reason again.
const telling = "telling "

// beginTelling gives each broadcast such a mark, if it has none.
func (n *Notifier) beginTelling(ctx context.Context, list []models.Broadcast) error {
	for i := range list {
		b := &list[i]
		if strings.HasPrefix(b.NotifiedState, telling) {
			continue
		}
		mark := telling + rand.Text()
		if err := n.Store.Mark(ctx, b, mark); err != nil {
			return err
		}
		b.NotifiedState = mark
	}
	return nil
}

// concerned are those who are told of halts.
func (n *Notifier) concerned(ctx context.Context, halts []models.Broadcast) []string {
	to := n.Admins.Senders(ctx)
	for _, b := range halts {
		if !slices.Contains(to, b.AskedBy) && n.Admins.RoleOf(ctx, b.AskedBy) != "" {
			to = append(to, b.AskedBy)
		}
	}
	return to
}

// tellHalt tells one admin of halts; head is where the first of them stands. done says
// that the admin need not be told any more.
func (n *Notifier) tellHalt(ctx context.Context, again rests, to string, head broadcast.Status, halts []models.Broadcast) (done bool, err error) {
	var others []int64
	for _, b := range halts {
		if b.ID != head.Broadcast.ID {
			others = append(others, b.ID)
		}
	}
	return n.tellOneOfAll(ctx, again, halts, &notice{
		kind: Paused, to: to, broadcast: head.Broadcast.ID, also: others,
		text: func() string { return n.Words.Halts(head, others) },
	})
}

// tellOneOfAll hands a notice over of broadcasts of which several admins are told. done
// says that this one need not be told any more.
func (n *Notifier) tellOneOfAll(ctx context.Context, again rests, list []models.Broadcast, m *notice) (done bool, err error) {
	m.key = fmt.Sprintf("all %s %d %s %s", m.kind, m.broadcast, list[0].NotifiedState, m.to)
	if again.waits(m.key, n.Now()) {
		return false, nil
	}
	told := true
	for _, b := range list {
		took, err := n.Store.WasHandedOver(ctx, m.to, b.ID, b.NotifiedState)
		if err != nil {
			return false, err
		}
		told = told && took
	}
	if told {
		return true, nil
	}
	outcome, err := n.handOnce(ctx, again, m)
	if err != nil || outcome != taken {
		return outcome != away, err
	}
	for _, b := range list {
		if err := n.Store.NoticeHandedOver(ctx, m.to, b.ID, b.NotifiedState); err != nil {
			return false, err
		}
	}
	return true, nil
}

// askApprovers tells all who may approve a broadcast that it waits for them. Those whom
// the platform has no message for find it in the reply to their next word.
func (n *Notifier) askApprovers(ctx context.Context, again rests, b models.Broadcast) error {
	if !n.Admins.Known(ctx) {
		return nil
	}
	waiting := []models.Broadcast{b}
	if err := n.beginTelling(ctx, waiting); err != nil {
		return err
	}
	st, err := n.Engine.Status(ctx, b.ID)
	if err != nil || st.Broadcast.State != models.Pending || st.Broadcast.NotifiedState != waiting[0].NotifiedState {
		return err // somebody moved it just now
	}
	all := true
	for _, to := range n.Admins.Senders(ctx) {
		if to == b.AskedBy {
			continue
		}
		done, err := n.tellOneOfAll(ctx, again, waiting, &notice{
			kind: Pending, to: to, broadcast: b.ID, text: func() string { return n.Words.Notice(Pending, *st) },
		})
		if err != nil {
			return err
		}
		all = all && done
	}
	if !all {
		return nil
	}
	return n.Store.Mark(ctx, &waiting[0], waiting[0].NoticeMark())
}
