package followers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/blacklist"
	"wechat-broadcast/services/wechat"
	"wechat-broadcast/zone"
)

const (
	// callsPerDay is how often the platform lets the list be asked for (WeChat:
	// API call limits docs). The client's own repetitions are not counted; if
	// they use it up the platform says so itself.
	callsPerDay = 500
	callsFact   = "follower_calls"
	// resumeWithin is how old the last page of an unfinished sync may be.
	resumeWithin = 24 * time.Hour
)

// The platform's codes that matter here (WeChat: global error codes docs).
const (
	codeInvalidOpenID = 40003
	codeDailyQuota    = 45009
)

// SyncResult is what a sync changed.
type SyncResult struct {
	Total     int64 // the followers that were listed, each once
	Announced int64 // how many the platform says there are
	Added     int64 // who was unknown before
	Returned  int64 // who had left before
	Left      int64 // who is not listed any more
	Skipped   int64 // what was listed and is no OpenID
	Pages     int
	// Resumed says that it went on from where an earlier one stopped; the counts
	// are those of both.
	Resumed bool
	// Suspicious says that the list is too short to be believed, so nobody was
	// marked as having left. Known is how many followers were known before it.
	Suspicious bool
	Known      int64
	Took       time.Duration // of this call
}

// SyncProgress is how far a sync is: so many of the followers that the platform
// announced are pulled, and then so many of those pulled are stored.
type SyncProgress struct {
	Storing     bool
	Done, Total int64
}

// Sync pulls the platform's follower list and, when it is whole, stores it in the
// table. progress (if not nil) is told each step.
//
// A list that would take away more than half of the followers, or leave one, or
// that is a good part shorter than the platform announces, is not believed:
// SyncResult.Suspicious. SyncConfirmed has it believed.
//
// What it has is kept if it ends early, whatever the reason, and the next Sync
// within a day goes on there. One at a time on a database, whichever process:
// models.ErrSyncRunning. When the
// day's calls are used up: models.ErrSyncQuota, with At, the moment from which it
// can go on. When the platform refuses or can't be reached: models.ErrPlatform.
func (s *Service) Sync(ctx context.Context, progress func(SyncProgress)) (SyncResult, error) {
	return s.sync(ctx, false, progress)
}

// SyncConfirmed is Sync with an admin's word that a list like the last suspicious
// one is to be believed. It says nothing of a list of another length, nor of an
// empty one.
func (s *Service) SyncConfirmed(ctx context.Context, progress func(SyncProgress)) (SyncResult, error) {
	return s.sync(ctx, true, progress)
}

func (s *Service) sync(ctx context.Context, confirmed bool, progress func(SyncProgress)) (SyncResult, error) {
	if !s.syncing.CompareAndSwap(false, true) {
		return SyncResult{}, models.NewError(models.Conflict, models.ErrSyncRunning)
	}
	defer s.syncing.Store(false)
	if progress == nil {
		progress = func(SyncProgress) {}
	}
	return s.alone(ctx, func(ctx context.Context) (SyncResult, error) { return s.pullAll(ctx, confirmed, progress) })
}

// pullAll is Sync for the only one who pulls.
func (s *Service) pullAll(ctx context.Context, confirmed bool, progress func(SyncProgress)) (SyncResult, error) {
	begun := s.now()
	st, resumed, err := s.begin(ctx, confirmed)
	if err != nil {
		return SyncResult{}, err
	}
	asked := make(map[string]struct{}) // the places in the list
	for restarted := false; !st.Pulled; {
		next, err := s.pull(ctx, st, asked)
		if err != nil && st.Next != "" && !restarted && isCode(err, codeInvalidOpenID) {
			// The person at whom the next page starts is gone, and the platform
			// does not know any more where that is.
			s.log.WarnContext(ctx, "follower sync begins anew: its place in the list is gone", "pages", st.Pages)
			restarted, resumed = true, false
			clear(asked)
			if next, err = s.store.BeginSync(ctx, models.At(s.now()), confirmed); err == nil {
				st = next
				continue
			}
		}
		if err != nil {
			s.log.WarnContext(ctx, "follower sync stopped", "pages", st.Pages, "listed", st.Listed, "err", err)
			return SyncResult{}, err
		}
		st = next
		progress(SyncProgress{Done: st.Listed, Total: max(st.Announced, st.Listed)})
	}
	st, suspicious, err := s.takeOver(ctx, st, progress)
	if err != nil {
		return SyncResult{}, err
	}
	if n, err := blacklist.Pull(ctx, s.store, s.platform); err != nil {
		s.log.WarnContext(ctx, "the blacklist is not pulled, going on with the last one", "err", err)
	} else {
		s.log.InfoContext(ctx, "blacklist pulled", "people", n)
	}
	res := s.conclude(ctx, st, begun, resumed)
	if suspicious {
		res.Suspicious, res.Known = true, st.Known()
	}
	return res, nil
}

// begin returns the state of the sync to go on with: an unfinished one that is
// not too old, or a new one.
func (s *Service) begin(ctx context.Context, confirmed bool) (st models.SyncState, resumed bool, err error) {
	st, err = s.store.LastSync(ctx)
	if err != nil {
		return st, false, err
	}
	now := s.now()
	if st.Open() && st.Pages > 0 && now.Sub(st.TouchedAt.Time) < resumeWithin {
		if confirmed && !st.Confirmed {
			st, err = s.store.ConfirmSync(ctx, st)
		}
		return st, true, err
	}
	st, err = s.store.BeginSync(ctx, models.At(now), confirmed)
	return st, false, err
}

// pull gets the next page and keeps it. asked holds the places in the list that
// were asked for, to which it adds this one.
func (s *Service) pull(ctx context.Context, st models.SyncState, asked map[string]struct{}) (models.SyncState, error) {
	now := s.now()
	day := zone.Day(now)
	ok, err := s.store.TakeFromDay(ctx, callsFact, day, callsPerDay)
	if err != nil {
		return st, err
	}
	if !ok {
		return st, quotaUsedUp(now, nil)
	}
	page, err := s.platform.Followers(ctx, st.Next)
	if err != nil {
		return st, platformError(ctx, err, now)
	}
	openIDs := s.valid(ctx, page.OpenIDs)

	next := st
	next.TouchedAt = models.At(now)
	next.Next = page.Next
	next.Pages++
	next.Listed += int64(len(openIDs))
	next.Skipped += int64(len(page.OpenIDs) - len(openIDs))
	if page.Total > 0 || len(page.OpenIDs) > 0 {
		next.Announced = int64(page.Total)
	} // else it is the empty page behind the last full one
	// A page that is not full is the last one, but if someone is missing it costs
	// little to ask once more.
	next.Pulled = len(page.OpenIDs) == 0 || page.Next == "" || page.Last && !next.Missing()

	asked[st.Next] = struct{}{}
	if _, again := asked[next.Next]; again && !next.Pulled {
		const reason = "the follower list repeats itself"
		err := models.NewError(models.Unavailable, models.ErrPlatform, "Code", 0, "Reason", reason)
		return st, errors.Join(err, s.store.DropSync(ctx, st, models.At(s.now())))
	}
	return s.store.StorePage(ctx, st, next, openIDs)
}

// valid returns those of a page that are OpenIDs.
func (s *Service) valid(ctx context.Context, listed []string) []string {
	openIDs := make([]string, 0, len(listed))
	for _, openID := range listed {
		if models.ValidOpenID(openID) {
			openIDs = append(openIDs, openID)
		}
	}
	if n := len(listed) - len(openIDs); n > 0 {
		s.log.WarnContext(ctx, "the follower list holds what is no OpenID", "count", n)
	}
	return openIDs
}

// takeOver brings the table to what the whole list says.
func (s *Service) takeOver(ctx context.Context, st models.SyncState, progress func(SyncProgress)) (
	_ models.SyncState, suspicious bool, err error,
) {
	st, unlisted, err := s.store.MergeList(ctx, st, func(stored int64) {
		progress(SyncProgress{Storing: true, Done: stored, Total: st.Listed})
	})
	if err != nil {
		return st, false, err
	}
	if suspicious = st.Suspicious(); suspicious {
		s.log.WarnContext(ctx, "the follower list is too short to be believed: nobody is marked as having left",
			"listed", st.Seen, "announced", st.Announced, "known", st.Known())
	} else if st, err = s.store.MarkLeft(ctx, st, unlisted); err != nil {
		return st, false, err
	}
	st, err = s.store.FinishSync(ctx, st, models.At(s.now()))
	return st, suspicious, err
}

// conclude tells what a finished sync changed.
func (s *Service) conclude(ctx context.Context, st models.SyncState, begun time.Time, resumed bool) SyncResult {
	r := SyncResult{
		Total: st.Seen, Announced: st.Announced, Added: st.Added, Returned: st.Returned, Left: st.Left,
		Skipped: st.Skipped, Pages: st.Pages, Resumed: resumed, Took: s.now().Sub(begun),
	}
	s.log.LogAttrs(ctx, slog.LevelInfo, "followers synced",
		slog.Int64("total", r.Total), slog.Int64("added", r.Added), slog.Int64("returned", r.Returned),
		slog.Int64("left", r.Left), slog.Int("pages", r.Pages), slog.Bool("resumed", r.Resumed), slog.Duration("took", r.Took))
	return r
}

func quotaUsedUp(now time.Time, cause error) error {
	err := models.NewError(models.Unavailable, models.ErrSyncQuota, "At", zone.Midnight(now, 1))
	err.Err = cause
	return err
}

// platformError words a page that could not be had for people.
func platformError(ctx context.Context, err error, now time.Time) error {
	if ctx.Err() != nil {
		return fmt.Errorf("pull followers: %w", err)
	}
	var api *wechat.APIError
	if !errors.As(err, &api) {
		return models.NewError(models.Unavailable, models.ErrPlatform, "Code", 0, "Reason", err.Error())
	}
	if api.Code == codeDailyQuota && !wechat.IsTokenError(err) {
		return quotaUsedUp(now, err)
	}
	e := models.NewError(models.Unavailable, models.ErrPlatform, "Code", api.Code, "Reason", api.Msg)
	e.Err = err
	return e
}

func isCode(err error, code int) bool {
	var api *wechat.APIError
	return errors.As(err, &api) && api.Code == code
}
