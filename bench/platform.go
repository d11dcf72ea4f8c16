package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	pathToken     = "/cgi-bin/stable_token"
	pathSend      = "/cgi-bin/message/template/send"
	pathFollowers = "/cgi-bin/user/get"
	pathTemplates = "/cgi-bin/template/get_all_private_template"
	pathQuota     = "/cgi-bin/openapi/quota/get"
	pathNotice    = "/cgi-bin/message/custom/send"
	pathSet       = "/bench/set"
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

// platformSettings are how the platform's end behaves.
type platformSettings struct {
	Followers int
	Latency   time.Duration // of a send
	// Numbered says that each message must have the number of its recipient in it.
	Numbered bool
}

// platformStats is what the platform's end saw since it was last set.
type platformStats struct {
	Sends, Twice, Refused int64
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
}

// span is a sample over the time from the first send to the last answer.
func (s platformStats) span(m sample) sample {
	m.Wall = float64(s.Last-s.First) / 1e9
	return m
}

// platform is a platform's end that checks and answers and does nothing else,
// so that it does not hold up what is measured. One goroutine serves each
// connection.
type platform struct {
	round atomic.Pointer[round]
	conns atomic.Int64
	msgID atomic.Int64 // the last
}

// round is what the platform's end knows since it was last set.
type round struct {
	platformSettings
	sends, twice, refused, first, last, held atomic.Int64
	reached                                  []atomic.Bool
	conns                                    int64 // opened before
	cpu                                      float64

	mu    sync.Mutex
	pages map[int][]byte
}

// servePlatform serves until its process is told to end.
func servePlatform(ctx context.Context, set platformSettings, say func(string)) (platformStats, error) {
	p := &platform{}
	p.set(set)
	inner, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return platformStats{}, fmt.Errorf("listen: %w", err)
	}
	server := &fasthttp.Server{Handler: p.serve, NoDefaultServerHeader: true, NoDefaultDate: true, MaxRequestBodySize: 1 << 20}
	say("http://" + inner.Addr().String())
	go func() {
		<-ctx.Done()
		_ = inner.Close()
	}()
	if err := server.Serve(&countingListener{inner, &p.conns}); err != nil && ctx.Err() == nil {
		return platformStats{}, fmt.Errorf("serve: %w", err)
	}
	return p.stats(), nil
}

type countingListener struct {
	net.Listener
	n *atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

func (p *platform) serve(ctx *fasthttp.RequestCtx) {
	path := ctx.URI().Path()
	if string(path) == pathSend { // the compiler makes no copy for this
		p.round.Load().send(ctx, &p.msgID)
		return
	}
	ctx.SetContentType("application/json; charset=utf-8")
	switch string(path) {
	case pathToken:
		ctx.SetBodyString(`{"access_token":"` + accessToken + `","expires_in":7200}`)
	case pathFollowers:
		ctx.SetBody(p.round.Load().page(ctx.QueryArgs().Peek("next_openid")))
	case pathInfo:
		ctx.SetBody(p.round.Load().info(ctx.PostBody()))
	case pathTags:
		ctx.SetBody(p.round.Load().tags())
	case pathTagged:
		ctx.SetBody(p.round.Load().tagged(ctx.PostBody()))
	case pathBlacklist:
		ctx.SetBodyString(`{"total":0,"count":0,"next_openid":""}`)
	case pathBlocked:
		ctx.SetBodyString(`{"errcode":0,"errmsg":"ok","msginfo":[]}`)
	case pathTemplates:
		ctx.SetBodyString(`{"template_list":[{"template_id":"` + templateID + `","title":"通知","primary_industry":"","deputy_industry":"",` +
			`"content":"{{thing1.DATA}}\n{{time2.DATA}}\n{{keyword3.DATA}}","example":""}]}`)
	case pathQuota:
		ctx.SetBodyString(`{"errcode":0,"errmsg":"ok","quota":{"daily_limit":100000000,"used":0,"remain":100000000}}`)
	case pathNotice:
		ctx.SetBodyString(`{"errcode":0,"errmsg":"ok"}`)
	case pathSet:
		var set platformSettings
		if err := json.Unmarshal(ctx.PostBody(), &set); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadRequest)
			return
		}
		p.set(set)
	case pathStats:
		raw, err := json.Marshal(p.stats())
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
			return
		}
		ctx.SetBody(raw)
	default:
		ctx.Error("not found", fasthttp.StatusNotFound)
	}
}

func (p *platform) set(set platformSettings) {
	p.round.Store(&round{
		platformSettings: set, reached: make([]atomic.Bool, set.Followers),
		conns: p.conns.Load(), cpu: cpuSeconds(), pages: map[int][]byte{},
	})
}

func (p *platform) stats() platformStats {
	r := p.round.Load()
	stats := platformStats{
		Sends: r.sends.Load(), Twice: r.twice.Load(), Refused: r.refused.Load(), First: r.first.Load(), Last: r.last.Load(),
		Held:  float64(r.held.Load()) / 1e9 / float64(max(r.sends.Load(), 1)),
		Conns: p.conns.Load() - r.conns, CPU: cpuSeconds() - r.cpu,
	}
	for person := range r.reached {
		if r.reached[person].Load() {
			stats.Reached[person%classes]++
		}
	}
	return stats
}

// send takes a message: the token, the recipient and the template have to be
// right, and who gets it a second time is counted.
func (r *round) send(ctx *fasthttp.RequestCtx, msgID *atomic.Int64) {
	now := time.Now().UnixNano()
	if r.first.Load() == 0 {
		r.first.CompareAndSwap(0, now)
	}
	body := ctx.PostBody()
	person := personOf(stringAfter(body, `"touser":"`), r.Followers)
	if person < 0 || string(ctx.QueryArgs().Peek("access_token")) != accessToken ||
		string(stringAfter(body, `"template_id":"`)) != templateID ||
		r.Numbered && !bytes.Contains(body, []byte(numbered(person))) {
		r.refused.Add(1)
		ctx.SetBodyString(`{"errcode":40003,"errmsg":"invalid openid rid: 65609427-54c9eae0-289148d7"}`)
		return
	}
	if r.reached[person].Swap(true) {
		r.twice.Add(1)
	}
	r.sends.Add(1)
	id := firstMsgID + msgID.Add(1)
	if r.Latency > 0 {
		<-time.After(r.Latency)
		answered := time.Now().UnixNano()
		r.held.Add(answered - now)
		now = answered
	}
	r.last.Store(now)
	answer := append(make([]byte, 0, 64), `{"errcode":0,"errmsg":"ok","msgid":`...)
	answer = append(strconv.AppendInt(answer, id, 10), '}')
	ctx.SetContentType("application/json; charset=utf-8")
	ctx.Response.SetBodyRaw(answer)
}

// stringAfter returns the JSON string, of those without escapes, that follows
// name in body.
func stringAfter(body []byte, name string) []byte {
	i := bytes.Index(body, []byte(name))
	if i < 0 {
		return nil
	}
	body = body[i+len(name):]
	if end := bytes.IndexByte(body, '"'); end >= 0 {
		return body[:end]
	}
	return nil
}

// page returns the followers that come after one, each page made once.
func (r *round) page(next []byte) []byte {
	from := personOf(next, r.Followers) + 1
	r.mu.Lock()
	defer r.mu.Unlock()
	if page, ok := r.pages[from]; ok {
		return page
	}
	page := r.list(from, func(int) bool { return true })
	r.pages[from] = page
	return page
}

// list makes a page of the people from a number on who belong to a group.
func (r *round) list(from int, in func(person int) bool) []byte {
	n := r.Followers
	var openIDs []string
	for i := from; i < n && len(openIDs) < pageSize; i++ {
		if in(i) {
			openIDs = append(openIDs, string(appendOpenID(nil, i)))
		}
	}
	count := len(openIDs)
	if count == 0 {
		return fmt.Appendf(nil, `{"total":%d,"count":0,"next_openid":""}`, n)
	}
	return fmt.Appendf(nil, `{"total":%d,"count":%d,"data":{"openid":["%s"]},"next_openid":"%s"}`,
		n, count, strings.Join(openIDs, `","`), openIDs[count-1])
}

// tags lists the tags with how many have them.
func (r *round) tags() []byte {
	var list []string
	for id, name := range tagNames {
		list = append(list, fmt.Sprintf(`{"id":%d,"name":"%s","count":%d}`, firstTag+id, name, sizeOf(groupOf(name), r.Followers)))
	}
	return []byte(`{"tags":[` + strings.Join(list, ",") + `]}`)
}

// tagged returns the people with a tag who come after one.
func (r *round) tagged(body []byte) []byte {
	var asked struct {
		TagID int    `json:"tagid"`
		Next  string `json:"next_openid"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || asked.TagID < firstTag || asked.TagID >= firstTag+len(tagNames) {
		return []byte(`{"errcode":45159,"errmsg":"invalid tag"}`)
	}
	in := groupOf(tagNames[asked.TagID-firstTag])
	return r.list(personOf([]byte(asked.Next), r.Followers)+1, func(person int) bool { return in[person%classes] })
}
