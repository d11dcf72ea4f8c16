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
	Envelope  envelope
}

// reportStats are what became of the receipts.
type reportStats struct {
	Waiting        int   // not posted for the first time yet
	Answered, Lost int64 // answered, and not answered at any of the tries
	P50, P99, Max  float64
}

const (
	// reportConns is how many receipts are posted at a time.
	reportConns = 256
	// reportTries is how often a receipt is posted that is not answered, each time as long
	// after as the platform waits for an answer.
	reportTries   = 3
	reportTimeout = 5 * time.Second
	reportBeat    = 5 * time.Millisecond
)

// reporter posts receipts.
type reporter struct {
	reportTask
	client http.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu             sync.Mutex
	queue          []receipt
	answered, lost int64
	took           []float64 // milliseconds of those that were answered
}

// receipt is one that is to be posted.
type receipt struct {
	person int32
	number uint32 // the msgid, counted from firstMsgID
}

// report begins to post receipts, if it is not done yet.
func (r *round) report(task reportTask) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &reporter{reportTask: task, cancel: cancel, done: make(chan struct{}), client: http.Client{
		Timeout: reportTimeout, Transport: &http.Transport{MaxConnsPerHost: reportConns, MaxIdleConnsPerHost: reportConns},
	}}
	if !r.reporter.CompareAndSwap(nil, p) {
		cancel()
		return
	}
	go p.run(ctx)
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
	p.queue = append(p.queue, receipt{int32(person), uint32(msgID - firstMsgID)}) //nolint:gosec // neither is as many
}

// run posts what is in the queue, evenly, until ctx ends.
func (p *reporter) run(ctx context.Context) {
	defer close(p.done)
	var posts sync.WaitGroup
	defer posts.Wait()
	tick := time.NewTicker(reportBeat)
	defer tick.Stop()
	allowed, last := 0.0, time.Now()
	for {
		select {
		case now := <-tick.C:
			// Of a beat that comes late no more is made up for than a second.
			allowed = min(allowed+now.Sub(last).Seconds()*float64(p.PerSecond), float64(p.PerSecond))
			last = now
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		n := min(int(allowed), len(p.queue))
		due := slices.Clone(p.queue[:n])
		p.queue = p.queue[n:]
		left := len(p.queue)
		p.mu.Unlock()
		allowed -= float64(n)
		if left == 0 {
			allowed = min(allowed, 1) // what nobody used is not made up for
		}
		for _, one := range due {
			posts.Go(func() { p.post(ctx, one) })
		}
	}
}

// post posts a receipt until it is answered, or its tries are used up.
func (p *reporter) post(ctx context.Context, one receipt) {
	for range reportTries {
		began := time.Now()
		if p.try(ctx, one) == nil {
			p.mu.Lock()
			p.answered++
			p.took = append(p.took, 1000*time.Since(began).Seconds())
			p.mu.Unlock()
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

func (p *reporter) stats() reportStats {
	p.mu.Lock()
	took := slices.Clone(p.took)
	s := reportStats{Waiting: len(p.queue), Answered: p.answered, Lost: p.lost}
	p.mu.Unlock()
	if slices.Sort(took); len(took) > 0 {
		last := len(took) - 1
		s.P50, s.P99, s.Max = took[last/2], took[last*99/100], took[last]
	}
	return s
}
