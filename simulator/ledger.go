package simulator

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	shardCount = 64
	chunkSize  = 4096
	// lookBack is how many of a follower's messages are searched for an earlier client_msg_id or payload.
	lookBack = 256
)

// ledger is what each follower received and how often each was tried. It is kept small enough for millions of
// messages: an entry is 48 bytes and its client_msg_id, and equal payloads are kept once.
type ledger struct {
	shards [shardCount]shard
	texts  payloads

	accepted      atomic.Int64
	reached       atomic.Int64
	moreThanOnce  atomic.Int64
	samePayload   atomic.Int64
	sameClientID  atomic.Int64
	tried         atomic.Int64
	triedOverTwo  atomic.Int64
	repeatedAsked atomic.Int64
}

type shard struct {
	mu     sync.Mutex
	chunks []*[chunkSize]entry
	used   uint32
	people []person // by id / shardCount
}

// person is the state of one follower in the ledger.
type person struct {
	last     uint32 // the number of the last entry, from 1; 0 is none
	received uint32
	tries    uint16
	flags    uint8
}

const (
	twicePayload  = 1 << iota // received the same payload again
	twiceClientID             // received under the same client_msg_id again
)

// entry is one message that one follower received.
type entry struct {
	clientID string
	at       int64 // Unix nanoseconds
	msgID    int64
	payload  uint64 // see payloads
	before   uint32 // the follower's entry before this one, as in person.last
	status   status
}

// record is a message on its way into the ledger.
type record struct {
	id       uint32
	msgID    int64
	clientID string
	payload  uint64
	at       time.Time
	window   time.Duration // of client_msg_id
	status   status
}

// lock gives a follower's state and its shard, which is locked until the caller unlocks it.
func (l *ledger) lock(id uint32) (*shard, *person) {
	sh, slot := &l.shards[id%shardCount], int(id/shardCount)
	sh.mu.Lock()
	if short := slot + 1 - len(sh.people); short > 0 {
		sh.people = append(sh.people, make([]person, short)...)
	}
	return sh, &sh.people[slot]
}

func (sh *shard) entry(number uint32) *entry {
	return &sh.chunks[(number-1)/chunkSize][(number-1)%chunkSize]
}

// try counts a send to a follower and gives its number, from 1.
func (l *ledger) try(id uint32) uint16 {
	sh, p := l.lock(id)
	defer sh.mu.Unlock()
	if p.tries < 1<<16-1 {
		p.tries++
	}
	switch p.tries {
	case 1:
		l.tried.Add(1)
	case 3:
		l.triedOverTwo.Add(1)
	}
	return p.tries
}

// accept enters a message. If the follower already received one with this client_msg_id within the window, nothing
// is entered and that one's msgid is given.
func (l *ledger) accept(r record) (msgID int64, repeated bool) {
	sh, p := l.lock(r.id)
	defer sh.mu.Unlock()
	now, flags := r.at.UnixNano(), p.flags
	for number, looked := p.last, 0; number != 0 && looked < lookBack; looked++ {
		e := sh.entry(number)
		if r.clientID != "" && e.clientID == r.clientID {
			if time.Duration(now-e.at) < r.window {
				l.repeatedAsked.Add(1)
				return e.msgID, true
			}
			flags |= twiceClientID
		}
		if e.payload == r.payload {
			flags |= twicePayload
		}
		number = e.before
	}
	l.count(p, flags)
	if sh.used%chunkSize == 0 {
		sh.chunks = append(sh.chunks, new([chunkSize]entry))
	}
	sh.used++
	*sh.entry(sh.used) = entry{clientID: r.clientID, at: now, msgID: r.msgID, payload: r.payload, before: p.last, status: r.status}
	p.last = sh.used
	return r.msgID, false
}

// count brings the totals up to date with one more message for p.
func (l *ledger) count(p *person, flags uint8) {
	l.accepted.Add(1)
	switch p.received {
	case 0:
		l.reached.Add(1)
	case 1:
		l.moreThanOnce.Add(1)
	}
	if flags&^p.flags&twicePayload != 0 {
		l.samePayload.Add(1)
	}
	if flags&^p.flags&twiceClientID != 0 {
		l.sameClientID.Add(1)
	}
	p.received++
	p.flags = flags
}

// counts gives how many messages a follower received and how many sends tried to reach them.
func (l *ledger) counts(id uint32) (received, tries int) {
	sh, p := l.lock(id)
	defer sh.mu.Unlock()
	return int(p.received), int(p.tries)
}

// received gives a follower's messages, oldest first.
func (l *ledger) received(id uint32, openID string) []Message {
	sh, p := l.lock(id)
	defer sh.mu.Unlock()
	list := make([]Message, p.received)
	for number, i := p.last, len(list)-1; i >= 0; i-- {
		e := sh.entry(number)
		list[i] = Message{
			OpenID: openID, At: time.Unix(0, e.at).UTC(), MsgID: e.msgID, ClientMsgID: e.clientID,
			Receipt: e.status.String(), Content: l.texts.content(e.payload),
		}
		number = e.before
	}
	return list
}

// reset forgets everything, tries included.
func (l *ledger) reset() {
	for i := range l.shards {
		sh := &l.shards[i]
		sh.mu.Lock()
		sh.chunks, sh.used, sh.people = nil, 0, nil
		sh.mu.Unlock()
	}
	for _, n := range []*atomic.Int64{
		&l.accepted, &l.reached, &l.moreThanOnce, &l.samePayload, &l.sameClientID, &l.tried, &l.triedOverTwo, &l.repeatedAsked,
	} {
		n.Store(0)
	}
}
