package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// forgeTask is a stranger who posts to a callback without its token and key.
type forgeTask struct {
	URL       string
	PerSecond int
}

// forgedResult is what became of that.
type forgedResult struct {
	Posted, Refused int64
	PerSecond       float64
}

// forgeConns is how many bodies are on their way at a time.
const forgeConns = 32

// strange is the envelope of a stranger, who knows the account's name alone.
var strange = envelope{App: appID, Token: "strangerstranger", Key: "GFEDCBA9876543210zyxwvutsrqponmlkjihgfedcba"}

// forge posts until it is told to end.
func forge(ctx context.Context, task forgeTask, _ func(string)) (forgedResult, error) {
	client := &fasthttp.Client{MaxConnsPerHost: forgeConns}
	defer client.CloseIdleConnections()
	due := make(chan int)
	var posted, refused atomic.Int64
	var first atomic.Pointer[error]
	var conns sync.WaitGroup
	for range forgeConns {
		conns.Go(func() {
			for i := range due {
				openID := openIDOf(i % 1000)
				query, body, err := strange.wrap(openID, receiptOf(openID, firstMsgID+int64(i)))
				if err == nil {
					err = post(client, task.URL+query, "text/xml", []byte(body), func(status int, _ []byte) error {
						if status == http.StatusForbidden {
							refused.Add(1)
						}
						return nil
					})
				}
				if err != nil {
					first.CompareAndSwap(nil, &err)
				}
				posted.Add(1)
			}
		})
	}
	began := time.Now()
	tick := time.NewTicker(reportBeat)
	defer tick.Stop()
	given := 0
	for ctx.Err() == nil {
		// Those of beats that came late are made up for.
		for ; given < int(time.Since(began).Seconds()*float64(task.PerSecond)) && ctx.Err() == nil; given++ {
			due <- given
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	took := time.Since(began).Seconds()
	close(due)
	conns.Wait()
	r := forgedResult{Posted: posted.Load(), Refused: refused.Load(), PerSecond: float64(posted.Load()) / took}
	if err := first.Load(); err != nil {
		return r, *err
	}
	return r, nil
}
