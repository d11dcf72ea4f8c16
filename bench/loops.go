package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// loopTask is one round of a baseline that sends to everyone once.
type loopTask struct {
	Platform            string
	Followers, InFlight int
	DatabaseDriver, DSN string // where the loop records its sends, if it does
}

// The message that everyone gets, by every contestant.
const (
	messageHead = `","template_id":"` + templateID + `","client_msg_id":"`
	messageTail = `","data":{"thing1":{"value":"图书馆周三闭馆"},"time2":{"value":"2026年11月24日 09:00"},"keyword3":{"value":"请相互转告"}}}`
)

func appendMessage(dst []byte, person int) []byte {
	dst = appendOpenID(append(dst, `{"touser":"`...), person)
	dst = append(dst, messageHead...)
	dst = fmt.Appendf(dst, "bench000b1r%d", person)
	return append(dst, messageTail...)
}

// sendAnswer is what a send is answered.
type sendAnswer struct {
	ErrCode int    `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
	MsgID   int64  `json:"msgid"`
}

func (a sendAnswer) check() error {
	if a.ErrCode != 0 || a.MsgID == 0 {
		return fmt.Errorf("the platform refused a send: %d %s", a.ErrCode, a.ErrMsg)
	}
	return nil
}

// everyone calls send for each person, with as many calls in flight at a time.
func everyone(ctx context.Context, people, inFlight int, send func(ctx context.Context, person int) error) (sample, error) {
	workers, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	watch := start()
	for range inFlight {
		workers.Go(func() error {
			for ctx.Err() == nil {
				person := int(next.Add(1)) - 1
				if person >= people {
					return nil
				}
				if err := send(ctx, person); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	err := workers.Wait()
	return watch.stop(people), err
}

// bareLoop is the least that net/http can do: a tuned transport, the message put
// together by hand, nothing recorded.
func bareLoop(ctx context.Context, task loopTask, _ func(string)) (sample, error) {
	client := &http.Client{
		Timeout: 10 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: task.InFlight, MaxIdleConnsPerHost: task.InFlight,
			TLSClientConfig: &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(task.InFlight), MinVersion: tls.VersionTLS13},
		},
	}
	defer client.CloseIdleConnections()
	address := task.Platform + pathSend + "?" + sendQuery
	return everyone(ctx, task.Followers, task.InFlight, func(ctx context.Context, person int) error {
		body := appendMessage(make([]byte, 0, 512), person)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		res, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		var answer sendAnswer
		if err := json.Unmarshal(raw, &answer); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		return answer.check()
	})
}

const (
	floodConns = 4
	floodDepth = 64 // requests on the way on each connection
)

// flood finds what the platform's end can take: prepared requests, many at a
// time on each connection, answers counted and not read.
func flood(ctx context.Context, task loopTask, _ func(string)) (sample, error) {
	at, err := url.Parse(task.Platform)
	if err != nil {
		return sample{}, fmt.Errorf("flood: %w", err)
	}
	var next atomic.Int64
	var conns errgroup.Group
	watch := start()
	for range floodConns {
		conns.Go(func() error { return floodOne(ctx, at, &next, task.Followers) })
	}
	err = conns.Wait()
	return watch.stop(task.Followers), err
}

func floodOne(ctx context.Context, at *url.URL, next *atomic.Int64, people int) error {
	dial := new(net.Dialer).DialContext
	if at.Scheme == "https" {
		dial = new(tls.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", at.Host)
	if err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	var out, body []byte
	for ctx.Err() == nil {
		through := int(next.Add(floodDepth))
		from, through := through-floodDepth, min(through, people)
		if from >= through {
			return nil
		}
		out = out[:0]
		for person := from; person < through; person++ {
			body = appendMessage(body[:0], person)
			out = fmt.Appendf(out, "POST %s?access_token=%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s",
				pathSend, accessToken, at.Host, len(body), body)
		}
		if _, err := conn.Write(out); err != nil {
			return fmt.Errorf("flood: %w", err)
		}
		for range through - from {
			if _, err := in.ReadSlice('}'); err != nil { // each answer has one, at its end
				return fmt.Errorf("flood: %w", err)
			}
		}
	}
	return ctx.Err()
}
