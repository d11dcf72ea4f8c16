package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// reportTask is where and how fast the platform's end posts the receipts of the messages that
// it takes from then on.
type reportTask struct {
	URL       string // of the callback
	PerSecond int
	Limit     int // on how many there are; 0 for none
	Envelope  envelope
}

// reportStats are what became of the receipts.
type reportStats struct {
	Waiting                int   // not posted for the first time yet
	Posted, Answered, Lost int64 // Lost are not answered at any of the tries
	// P50 and P99 are how long the answer of half of them and of 99% took at most, and Max
	// of all, in milliseconds, since their pace was last set.
	P50, P99, Max float64
}

const (
	// reportConns is how many receipts are on their way at a time.
	reportConns = 256
	// reportTries is how often a receipt is posted that is not answered, each time as long
	// after as the platform waits for an answer.
	reportTries   = 3
	reportTimeout = 5 * time.Second
	reportBeat    = 5 * time.Millisecond
	// reportGrain is how exactly the time of an answer is kept.
	reportGrain = 100 * time.Microsecond
)

// reporter posts receipts.
type reporter struct {
	reportTask
	client http.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu                            sync.Mutex
	queue                         []receipt
	added, posted, answered, lost int64
	times                         answerTimes
}

// answerTimes is how many receipts were answered within so many grains, and the longest time.
type answerTimes struct {
	within  [reportTimeout/reportGrain + 1]int64
	longest time.Duration
}

// receipt is one that is to be posted.
type receipt struct {
	person int32
	number uint32 // the msgid, counted from firstMsgID
}

// report begins to post receipts. If it is done already, it sets their pace anew.
func (r *round) report(task reportTask) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &reporter{reportTask: task, cancel: cancel, done: make(chan struct{}), client: http.Client{
		Timeout: reportTimeout, Transport: &http.Transport{MaxConnsPerHost: reportConns, MaxIdleConnsPerHost: reportConns},
	}}
	if !r.reporter.CompareAndSwap(nil, p) {
		cancel()
		r.reporter.Load().pace(task.PerSecond)
		return
	}
	go p.run(ctx)
}

// pace sets how many receipts are posted a second. Their times are counted anew.
func (p *reporter) pace(perSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.PerSecond, p.times = perSecond, answerTimes{}
}

// end stops the receipts.
func (r *round) end() {
	if p := r.reporter.Load(); p != nil {
		p.cancel()
		<-p.done
		p.client.CloseIdleConnections()
	}
}

func (p *reporter) add(person int, msgID int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.Limit > 0 && p.added >= int64(p.Limit) {
		return
	}
	p.added++
	p.queue = append(p.queue, receipt{int32(person), uint32(msgID - firstMsgID)}) //nolint:gosec // neither is as many
}

// run posts what is in the queue, evenly, until ctx ends.
func (p *reporter) run(ctx context.Context) {
	defer close(p.done)
	var posts sync.WaitGroup
	defer posts.Wait()
	allowed, last := 0.0, time.Now()
	tick := time.NewTicker(reportBeat)
	defer tick.Stop()
	slots := make(chan struct{}, reportConns)
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now := time.Now() // not the beat's own time: on a busy machine one may be before the last one's
		p.mu.Lock()
		// Of a beat that comes late no more is made up for than a second.
		allowed = min(allowed+now.Sub(last).Seconds()*float64(p.PerSecond), float64(p.PerSecond))
		last = now
		n := min(int(allowed), len(p.queue))
		due := slices.Clone(p.queue[:n])
		p.queue = p.queue[n:]
		p.posted += int64(n)
		left := len(p.queue)
		p.mu.Unlock()
		allowed -= float64(n)
		if left == 0 {
			allowed = min(allowed, 1) // what nobody used is not made up for
		}
		for _, one := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			posts.Go(func() {
				defer func() { <-slots }()
				p.post(ctx, one)
			})
		}
	}
}

// post posts a receipt until it is answered, or its tries are used up.
func (p *reporter) post(ctx context.Context, one receipt) {
	for range reportTries {
		began := time.Now()
		if p.try(ctx, one) == nil {
			p.count(time.Since(began))
			return
		}
		select {
		case <-time.After(reportTimeout):
		case <-ctx.Done():
			return
		}
	}
	p.mu.Lock()
	p.lost++
	p.mu.Unlock()
}

func (p *reporter) try(ctx context.Context, one receipt) error {
	openID := string(appendOpenID(nil, int(one.person)))
	query, body, err := p.Envelope.wrap(openID, receiptOf(openID, firstMsgID+int64(one.number)))
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+query, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("post a receipt: %w", err)
	}
	req.Header.Set("Content-Type", "text/xml")
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("post a receipt: %w", err)
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("post a receipt: HTTP %d", res.StatusCode)
	}
	return err
}

// count notes that a receipt was answered.
func (p *reporter) count(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered++
	p.times.within[min(int(took/reportGrain), len(p.times.within)-1)]++
	p.times.longest = max(p.times.longest, took)
}

func (p *reporter) stats() reportStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := reportStats{
		Waiting: len(p.queue), Posted: p.posted, Answered: p.answered, Lost: p.lost,
		Max: 1000 * p.times.longest.Seconds(),
	}
	all, within := int64(0), int64(0)
	for _, n := range p.times.within {
		all += n
	}
	for i, n := range p.times.within {
		within += n
		upTo := 1000 * (time.Duration(i+1) * reportGrain).Seconds()
		if s.P50 == 0 && 2*within >= all {
			s.P50 = upTo
		}
		if 100*within >= 99*all {
			s.P99 = upTo
			break
		}
	}
	return s
}
