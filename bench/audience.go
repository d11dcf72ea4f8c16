package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
)

// audienceTask is one broadcast to a crowd, by a process of its own.
type audienceTask struct {
	programTask
	Crowd int   // its place among the crowds
	Of    int64 // the broadcast whose rest it is for
	// Whole has it sent to its end; else it is cancelled once it is planned and somebody, or
	// StopAt people, were tried.
	Whole  bool
	StopAt int64
}

// audienceResult is what that took.
type audienceResult struct {
	ID    int64
	Asked float64 // seconds until the reply to the request
	// Counted is how many people the reply named: with Announced by the platform's count of
	// the tags, which were not pulled yet. Planned is how many the batches hold.
	Counted, Planned int64
	Announced        bool
	// Due is when the undo window ended, and Resumed when the broadcast went on after its
	// canary, in Unix nanoseconds; Plan is how long the planning took from then, in seconds.
	Due, Resumed int64
	Plan         float64
	Counts       models.Counts
	PeakMiB      float64
}

// audience asks for a broadcast to a crowd and follows it as far as its task says.
func audience(ctx context.Context, task audienceTask, _ func(string)) (res audienceResult, err error) {
	p, err := newParts(ctx, task.programTask)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	running, cancel := context.WithCancel(ctx)
	var engine sync.WaitGroup
	engine.Go(func() { _ = p.engine.Run(running) })
	defer engine.Wait()
	defer cancel()

	c := crowds[task.Crowd]
	began := time.Now()
	asked, err := p.engine.Create(ctx, broadcast.Request{
		Message: c.message, Audience: c.audience, Groups: c.groups, Except: c.except, Of: task.Of, Canary: c.canary,
		AskedBy: openIDOf(admin), RequestKey: fmt.Sprintf("bench:%d", began.UnixNano()), Again: true,
	})
	if err != nil {
		return res, err
	}
	res.Asked = time.Since(began).Seconds()
	res.ID, res.Counted, res.Due = asked.Broadcast.ID, asked.Recipients, asked.Broadcast.NotBefore.UnixNano()
	res.Announced = asked.Announced
	if c.canary {
		if err := p.tryCanary(ctx, task, &res); err != nil {
			return res, err
		}
	}
	b, err := p.follow(ctx, task, res.ID)
	if err != nil {
		return res, err
	}
	if res.Counts, err = p.store.CountDeliveries(ctx, res.ID); err != nil {
		return res, err
	}
	res.Planned = b.Recipients
	if !b.PlannedAt.IsZero() {
		res.Plan = float64(b.PlannedAt.UnixNano()-max(res.Due, res.Resumed)) / 1e9
	}
	res.PeakMiB, err = peakMiB()
	return res, err
}

// look is how often a broadcast is looked at.
const look = 20 * time.Millisecond

// follow returns a broadcast as it was once it was planned and, if the task does not say
// that it is sent to its end, has cancelled it and waited for its last calls.
func (p *parts) follow(ctx context.Context, task audienceTask, id int64) (*models.Broadcast, error) {
	if task.Whole {
		b, err := p.ended(ctx, id)
		if err == nil && b.State != models.Finished {
			err = fmt.Errorf("the broadcast is %s (%s %s)", b.State, b.Reason, b.Detail)
		}
		return b, err
	}
	wait := look
	if task.StopAt > 10_000 { // to count many takes a while
		wait = 10 * look
	}
	b, err := p.until(ctx, id, wait, func(b *models.Broadcast) (bool, error) {
		if b.PlannedAt.IsZero() {
			return false, nil
		}
		counts, err := p.store.CountDeliveries(ctx, id)
		// A cancel gives those back unsent who were only claimed, so that one has to have an outcome.
		return counts.Tried() > max(counts.Sending, task.StopAt-1), err
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.engine.Cancel(ctx, id, openIDOf(admin)); err != nil {
		return nil, err
	}
	_, err = p.until(ctx, id, look, func(b *models.Broadcast) (bool, error) { return p.engine.Counted(ctx, *b) })
	return b, err
}

// until looks at a broadcast every so often until something holds of it.
func (p *parts) until(ctx context.Context, id int64, every time.Duration, holds func(*models.Broadcast) (bool, error)) (*models.Broadcast, error) {
	for {
		b, err := p.store.FindBroadcast(ctx, id)
		if err != nil {
			return nil, err
		}
		if yes, err := holds(b); yes || err != nil {
			return b, err
		}
		if b.State == models.Failed {
			return nil, fmt.Errorf("the broadcast failed (%s %s)", b.Reason, b.Detail)
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tryCanary waits until a broadcast's canary was sent, reports its receipts as the platform
// does, and resumes the broadcast when it has paused.
func (p *parts) tryCanary(ctx context.Context, task audienceTask, res *audienceResult) error {
	_, err := p.until(ctx, res.ID, look, func(b *models.Broadcast) (bool, error) {
		counts, err := p.store.CountDeliveries(ctx, res.ID)
		return b.CanarySegment != 0 && counts.Accepted == b.Canary, err
	})
	if err != nil {
		return err
	}
	if err := p.report(ctx, task, res.ID); err != nil {
		return err
	}
	_, err = p.until(ctx, res.ID, look, func(b *models.Broadcast) (bool, error) { return b.AwaitsWord(), nil })
	if err != nil {
		return err
	}
	res.Resumed = time.Now().UnixNano()
	_, err = p.engine.Resume(ctx, res.ID, openIDOf(admin))
	return err
}

// report reports that every message of a broadcast was delivered.
func (p *parts) report(ctx context.Context, task audienceTask, id int64) error {
	db, err := openRaw(task.programTask)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT msgid FROM deliveries WHERE broadcast_id = ?", id)
	if err != nil {
		return fmt.Errorf("read deliveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var msgID int64
		if err := rows.Scan(&msgID); err != nil {
			return fmt.Errorf("read deliveries: %w", err)
		}
		if err := p.engine.Receipt(ctx, msgID, "success"); err != nil {
			return err
		}
	}
	return rows.Err()
}
