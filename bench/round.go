package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// round is what the platform's end knows since it was last set.
type round struct {
	platformSettings
	sends, repeated, twice, refused, first, last, held atomic.Int64
	people                                             []person
	reached                                            [classes]atomic.Int64
	conns                                              int64 // opened before
	cpu                                                float64
	reporter                                           atomic.Pointer[reporter] // nil while no receipts are posted
	pages                                              *pages
}

// pages are those of the list of followers, each made once.
type pages struct {
	mu   sync.Mutex
	from map[int][]byte // by the number of the first person
}

// person is who can be sent to.
type person struct {
	message atomic.Uint32 // of which client_msg_id the last one was, as a hash that is not 0
	msgID   atomic.Uint32 // of it, counted from firstMsgID
}

var seed = maphash.MakeSeed()

// buffers are for the bodies of requests.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// newRound begins a round, with the pages of the one before if they are the same.
func newRound(set platformSettings, conns int64, before *round) *round {
	r := &round{platformSettings: set, people: make([]person, set.Followers), conns: conns, cpu: cpuSeconds()}
	if before != nil && before.Followers == set.Followers {
		r.pages = before.pages
	} else {
		r.pages = &pages{from: map[int][]byte{}}
	}
	return r
}

func (r *round) stats() platformStats {
	stats := platformStats{
		Sends: r.sends.Load(), Repeated: r.repeated.Load(), Twice: r.twice.Load(), Refused: r.refused.Load(),
		First: r.first.Load(), Last: r.last.Load(),
		Held: float64(r.held.Load()) / 1e9 / float64(max(r.sends.Load(), 1)), CPU: cpuSeconds() - r.cpu,
	}
	for class := range stats.Reached {
		stats.Reached[class] = r.reached[class].Load()
	}
	if reports := r.reporter.Load(); reports != nil {
		stats.Reports = reports.stats()
	}
	return stats
}

const (
	sendQuery = "access_token=" + accessToken
	invalid   = `{"errcode":40003,"errmsg":"invalid openid rid: 65609427-54c9eae0-289148d7"}`
)

// send checks a message, notes who is reached, and appends the answer to one.
func (r *round) send(req *http.Request, body []byte, msgID *atomic.Uint32, answer []byte) []byte {
	now := time.Now().UnixNano()
	if r.first.Load() == 0 {
		r.first.CompareAndSwap(0, now)
	}
	person := personOf(stringAfter(body, `"touser":"`), r.Followers)
	if person < 0 || req.URL.RawQuery != sendQuery || string(stringAfter(body, `"template_id":"`)) != templateID ||
		r.Numbered && !bytes.Contains(body, []byte(numbered(person))) {
		r.refused.Add(1)
		return append(answer, invalid...)
	}
	id := r.accept(person, stringAfter(body, `"client_msg_id":"`), msgID)
	if r.Latency > 0 {
		<-time.After(r.Latency)
		answered := time.Now().UnixNano()
		r.held.Add(answered - now)
		now = answered
	}
	r.last.Store(now)
	answer = append(answer, `{"errcode":0,"errmsg":"ok","msgid":`...)
	return append(strconv.AppendInt(answer, id, 10), '}')
}

// accept notes a message to a person and returns its msgid. A client_msg_id that the person
// had last makes no second message.
func (r *round) accept(i int, clientMsgID []byte, msgID *atomic.Uint32) int64 {
	message, to := uint32(maphash.Bytes(seed, clientMsgID))|1, &r.people[i] //nolint:gosec // half of the hash is enough
	switch last := to.message.Swap(message); {
	case last == message && len(clientMsgID) > 0:
		r.repeated.Add(1)
		return firstMsgID + int64(to.msgID.Load())
	case last != 0:
		r.twice.Add(1)
	default:
		r.reached[i%classes].Add(1)
	}
	r.sends.Add(1)
	number := msgID.Add(1)
	to.msgID.Store(number)
	id := firstMsgID + int64(number)
	if reports := r.reporter.Load(); reports != nil {
		reports.add(i, id)
	}
	return id
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

// page returns the followers that come after one.
func (r *round) page(next []byte) []byte {
	from := personOf(next, r.Followers) + 1
	everyone := func(int) bool { return true }
	if r.Unkept {
		return r.list(from, everyone)
	}
	r.pages.mu.Lock()
	defer r.pages.mu.Unlock()
	if page, ok := r.pages.from[from]; ok {
		return page
	}
	page := r.list(from, everyone)
	r.pages.from[from] = page
	return page
}

// list makes a page of the people from a number on who belong to a group.
func (r *round) list(from int, in func(person int) bool) []byte {
	n := r.Followers
	openIDs := make([]string, 0, pageSize)
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
