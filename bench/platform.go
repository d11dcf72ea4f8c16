package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	pathToken     = "/cgi-bin/stable_token"
	pathSend      = "/cgi-bin/message/template/send"
	pathFollowers = "/cgi-bin/user/get"
	pathTemplates = "/cgi-bin/template/get_all_private_template"
	pathQuota     = "/cgi-bin/openapi/quota/get"
	pathNotice    = "/cgi-bin/message/custom/send"
	pathSet       = "/bench/set"
	pathReport    = "/bench/report"
	pathStats     = "/bench/stats"
	pathTags      = "/cgi-bin/tags/get"
	pathTagged    = "/cgi-bin/user/tag/get"
	pathBlacklist = "/cgi-bin/tags/members/getblacklist"
	pathBlocked   = "/wxa/sec/queryblocktmplmsg"

	accessToken = "BENCH-" + "9k3JxQ2mT7vLw8ZrY1sNc4Hd6FgPbUoAeIi5KtXqGzSyMnRjDhVfCpWuEaBlOk0123456789"
	templateID  = "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY"
	pageSize    = 10_000
	firstMsgID  = 3_557_254_367_000_000_000
)

// platformTask says where the platform's end writes the root certificate that it is to be
// trusted by.
type platformTask struct{ Roots string }

// platformURLs are where the platform's end is reached.
type platformURLs struct{ HTTP, TLS string }

// platformSettings are how the platform's end behaves.
type platformSettings struct {
	Followers int
	Latency   time.Duration // of a send
	// Numbered says that each message must have the number of its recipient in it.
	Numbered bool
	// Unkept says that a page of followers is made each time that it is asked for: those of
	// ten million have 310 MB.
	Unkept bool
}

// platformStats is what the platform's end saw since it was last set.
type platformStats struct {
	// Sends are messages, and Repeated those that were sent again under their old
	// client_msg_id, which makes no second message of them. Twice is how many people were
	// sent a second one.
	Sends, Repeated, Twice, Refused int64
	// First and Last are when the first send came and the last was answered, in
	// Unix nanoseconds.
	First, Last int64
	// Held is how long a send was held on average, in seconds: a timer rings late
	// rather than early.
	Held  float64
	Conns int64
	CPU   float64 // seconds, of this process
	// Reached is how many people of each class were reached.
	Reached [classes]int64
	// Reports are the receipts, if it posts any.
	Reports reportStats
}

// span is a sample over the time from the first send to the last answer.
func (s platformStats) span(m sample) sample {
	m.Wall = float64(s.Last-s.First) / 1e9
	return m
}

// platform is a platform's end that checks and answers and does nothing else, so that it does
// not hold up what is measured. It speaks HTTP/1.1, as the platform does.
type platform struct {
	round atomic.Pointer[round]
	conns atomic.Int64
	msgID atomic.Uint32 // the last, counted from firstMsgID
}

// servePlatform serves HTTP and TLS 1.3 until its process is told to end.
func servePlatform(ctx context.Context, task platformTask, say func(string)) (stats platformStats, err error) {
	leaf, root, err := newCertificates()
	if err != nil {
		return stats, err
	}
	if err := os.WriteFile(task.Roots, root, 0o600); err != nil {
		return stats, fmt.Errorf("write the root certificate: %w", err)
	}
	p := &platform{}
	p.set(platformSettings{})
	server := &http.Server{
		Handler: p, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS13},
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				p.conns.Add(1)
			}
		},
	}
	server.Protocols.SetHTTP1(true)
	plain, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return stats, fmt.Errorf("listen: %w", err)
	}
	secure, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return stats, errors.Join(fmt.Errorf("listen: %w", err), plain.Close())
	}
	urls, err := json.Marshal(platformURLs{HTTP: "http://" + plain.Addr().String(), TLS: "https://" + secure.Addr().String()})
	if err != nil {
		return stats, fmt.Errorf("say where it is: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	served := make(chan error, 2)
	go func() { served <- server.Serve(plain) }()
	go func() { served <- server.ServeTLS(secure, "", "") }()
	say(string(urls))
	err = <-served
	_ = server.Close()
	for _, err := range []error{err, <-served} {
		if !errors.Is(err, http.ErrServerClosed) {
			return stats, fmt.Errorf("serve: %w", err)
		}
	}
	p.round.Load().end()
	return p.stats(), nil
}

// jsonType is every answer's Content-Type. It is shared, so that no answer makes its own.
var jsonType = []string{"application/json; charset=utf-8"}

// ServeHTTP implements http.Handler.
func (p *platform) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if _, err := body.ReadFrom(req.Body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header()["Content-Type"] = jsonType
	r := p.round.Load()
	var answer []byte
	switch req.URL.Path {
	case pathSend:
		var small [96]byte
		answer = r.send(req, body.Bytes(), &p.msgID, small[:0])
	case pathFollowers:
		answer = r.page([]byte(req.URL.Query().Get("next_openid")))
	case pathInfo:
		answer = r.info(body.Bytes())
	case pathTags:
		answer = r.tags()
	case pathTagged:
		answer = r.tagged(body.Bytes())
	default:
		fixed, known := fixedAnswers[req.URL.Path]
		if !known {
			p.control(w, req, body.Bytes())
			return
		}
		answer = []byte(fixed)
	}
	_, _ = w.Write(answer) //nolint:gosec // it is no page; and whoever asked may be gone
}

// fixedAnswers are those that are always the same, by path.
var fixedAnswers = map[string]string{
	pathToken:     `{"access_token":"` + accessToken + `","expires_in":7200}`,
	pathBlacklist: `{"total":0,"count":0,"next_openid":""}`,
	pathBlocked:   `{"errcode":0,"errmsg":"ok","msginfo":[]}`,
	pathTemplates: `{"template_list":[{"template_id":"` + templateID + `","title":"通知","primary_industry":"","deputy_industry":"",` +
		`"content":"{{thing1.DATA}}\n{{time2.DATA}}\n{{keyword3.DATA}}","example":""}]}`,
	pathQuota:  `{"errcode":0,"errmsg":"ok","quota":{"daily_limit":100000000,"used":0,"remain":100000000}}`,
	pathNotice: `{"errcode":0,"errmsg":"ok"}`,
}

// control answers the benchmark itself.
func (p *platform) control(w http.ResponseWriter, req *http.Request, body []byte) {
	var err error
	switch req.URL.Path {
	case pathSet:
		var set platformSettings
		if err = json.Unmarshal(body, &set); err == nil {
			p.set(set)
		}
	case pathReport:
		var task reportTask
		if err = json.Unmarshal(body, &task); err == nil {
			p.round.Load().report(task)
		}
	case pathStats:
		err = json.NewEncoder(w).Encode(p.stats())
	default:
		http.NotFound(w, req)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// set begins a round.
func (p *platform) set(set platformSettings) {
	old := p.round.Load()
	p.round.Store(newRound(set, p.conns.Load(), old))
	if old != nil {
		old.end()
	}
}

func (p *platform) stats() platformStats {
	r := p.round.Load()
	stats := r.stats()
	stats.Conns = p.conns.Load() - r.conns
	return stats
}
