package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// visitors send texts to the callbacks of a server, as the platform does.
type visitors struct {
	client   http.Client
	envelope envelope
	last     atomic.Int64 // the number of the last text
}

func newVisitors(e envelope) *visitors {
	v := &visitors{envelope: e, client: http.Client{
		Timeout:   6 * time.Second, // the platform hangs up after 5
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxIdleConns: 256},
	}}
	v.last.Store(firstMsgID) // a server remembers the texts of before
	return v
}

// say has a person send a text, and returns the reply.
func (v *visitors) say(ctx context.Context, callback string, person int, text string) (string, error) {
	openID := openIDOf(person)
	query, body, err := v.envelope.wrap(openID, textOf(openID, text, v.last.Add(1)))
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, callback+query, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := v.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP %d: %.100q", resp.StatusCode, reply)
	}
	return v.envelope.open(reply)
}

// sendBeside has the account that is well send to everyone while the other one has its visitors,
// and asks it for an OpenID again and again meanwhile.
func (b *bench) sendBeside(ctx context.Context, callbacks string, n neighbour, recipients int) (got beside, err error) {
	if err := accountReady(ctx, strings.TrimSuffix(callbacks, "/wechat/")+"/readyz?account=well"); err != nil {
		return got, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	at, others := newVisitors(envelope{Token: callbackToken}), newVisitors(envelope{Token: n.token()})
	defer at.client.CloseIdleConnections()
	defer others.client.CloseIdleConnections()
	var beside sync.WaitGroup
	defer beside.Wait()
	meanwhile, end := context.WithCancel(ctx)
	defer end()
	var visited atomic.Int64
	beside.Go(func() {
		each(meanwhile, time.Second/time.Duration(n.rate), func(i int) {
			beside.Go(func() {
				visited.Add(1)
				_, _ = others.say(meanwhile, callbacks+"other", i%recipients, "openid") // it may fail: that is the point
			})
		})
	})
	reply, err := at.say(ctx, callbacks+"well", admin, "broadcast all")
	if err != nil || !strings.Contains(reply, "Broadcast #1") {
		return got, fmt.Errorf("ask for a broadcast: %w: %.300s", err, reply)
	}
	sent := make(chan error, 1)
	go func() {
		var err error
		got.Rate, err = b.awaitSends(ctx, recipients)
		sent <- err
	}()
	for i := 1; ; i++ {
		select {
		case err := <-sent:
			got.Visits = int(visited.Load())
			slices.Sort(got.Answers)
			if err == nil && len(got.Answers) < 10 {
				err = errors.New("too few answers: send to more")
			}
			return got, err
		case <-time.After(probeEvery):
		}
		began := time.Now()
		reply, err := at.say(ctx, callbacks+"well", i%recipients, "openid")
		if err != nil || !strings.Contains(reply, string(appendOpenID(nil, i%recipients))) {
			return got, fmt.Errorf("ask for an OpenID: %w: %.300s", err, reply)
		}
		got.Answers = append(got.Answers, time.Since(began))
	}
}

// each calls f so often, with the number of the call, until ctx ends.
func each(ctx context.Context, every time.Duration, f func(i int)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			f(i)
		case <-ctx.Done():
			return
		}
	}
}

// awaitSends waits until everyone was sent to once, and returns how many were a second.
func (b *bench) awaitSends(ctx context.Context, recipients int) (float64, error) {
	for {
		s, err := b.platform.seen(ctx)
		if err != nil {
			return 0, err
		}
		if s.Sends >= int64(recipients) {
			s, err := b.platform.stats(ctx, recipients)
			return s.span(sample{N: recipients}).perSecond(), err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return 0, fmt.Errorf("only %d of %d were sent to: %w", s.Sends, recipients, ctx.Err())
		}
	}
}
