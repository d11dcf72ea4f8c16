package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

// visitors send texts to the callbacks of a server, as the platform does.
type visitors struct {
	client http.Client
	last   atomic.Int64 // the number of the last text
}

func newVisitors() *visitors {
	return &visitors{client: http.Client{
		Timeout:   6 * time.Second, // the platform hangs up after 5
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxIdleConns: 256},
	}}
}

// say has a person send a text, with a signature that is right or not, and returns the reply.
func (v *visitors) say(ctx context.Context, callback string, person int, text string, forged bool) (string, error) {
	number := strconv.FormatInt(v.last.Add(1), 10)
	now, token := strconv.FormatInt(time.Now().Unix(), 10), callbackToken
	if forged {
		token = "another token"
	}
	url := callback + "?timestamp=" + now + "&nonce=" + number + "&signature=" + util.Signature(token, now, number)
	body := "<xml><ToUserName>gh_7f083739789a</ToUserName><FromUserName>" + string(appendOpenID(nil, person)) + "</FromUserName><CreateTime>" +
		now + "</CreateTime><MsgType>text</MsgType><Content>" + text + "</Content><MsgId>" + number + "</MsgId></xml>"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return string(reply), err
}

// sendBeside has the account that is well send to everyone while the other one has its visitors,
// and asks it for an OpenID again and again meanwhile.
func (b *bench) sendBeside(ctx context.Context, callbacks string, n neighbour, recipients int) (got beside, err error) {
	if err := accountReady(ctx, strings.TrimSuffix(callbacks, "/wechat/")+"/readyz?account=well"); err != nil {
		return got, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	at := newVisitors()
	defer at.client.CloseIdleConnections()
	var beside sync.WaitGroup
	defer beside.Wait()
	meanwhile, end := context.WithCancel(ctx)
	defer end()
	var visited atomic.Int64
	beside.Go(func() {
		each(meanwhile, time.Second/time.Duration(n.rate), func(i int) {
			beside.Go(func() {
				visited.Add(1)
				_, _ = at.say(meanwhile, callbacks+"other", i%recipients, "openid", n.forged) // it may fail: that is the point
			})
		})
	})
	reply, err := at.say(ctx, callbacks+"well", 0, "broadcast all", false)
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
		reply, err := at.say(ctx, callbacks+"well", i%recipients, "openid", false)
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
		var s platformStats
		if err := b.ask(ctx, pathStats, nil, &s); err != nil {
			return 0, err
		}
		if s.Sends >= int64(recipients) {
			s, err := b.stats(ctx, recipients)
			return s.span(sample{N: recipients}).perSecond(), err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return 0, fmt.Errorf("only %d of %d were sent to: %w", s.Sends, recipients, ctx.Err())
		}
	}
}
