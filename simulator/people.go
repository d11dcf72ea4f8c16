package simulator

import (
	"sync"
	"sync/atomic"
)

// class is how a generated follower takes template messages.
type class uint8

const (
	classNormal   class = iota
	classRefusing       // listed, but every send answers 43004
	classBlocking       // sends are accepted, the receipt says failed:user block
	classLeaving        // leaves at the moment of the first send
)

// people are those who follow the account, or once did. Each has an id: the generated ones their number, then the
// admins, then whoever followed later. What is kept in memory is only what differs from the register.
type people struct {
	register
	generated uint32 // how many are made by the register
	special   [3]int // refusing, blocking, leaving

	sending atomic.Bool // the first send was made: the leaving ones have left

	mu    sync.RWMutex
	named []string          // those not from the register; ids from generated upward
	ids   map[string]uint32 // of named
	moved map[uint32]bool   // who followed (true) or left (false) since the start
	// blocked are those who block the account since the start, blocks how many:
	// usually none, and then nobody looks them up.
	blocked map[uint32]bool
	blocks  atomic.Int64
	remarks map[uint32]string // what the account calls people
	scenes  map[uint32]string // the QR codes by which people came
}

func newPeople(o Options) *people {
	p := &people{
		register: newRegister(o.AppID, o.Seed),
		special:  [3]int{o.Refusing, o.Blocking, o.Left},
		ids:      make(map[string]uint32),
		moved:    make(map[uint32]bool),
		blocked:  make(map[uint32]bool),
		remarks:  make(map[uint32]string),
		scenes:   make(map[uint32]string),
	}
	p.generated = uint32(max(0, o.Followers-len(o.Admin))) //nolint:gosec // Validate bounds it
	for _, openID := range o.Admin {
		if _, known := p.id(openID); !known {
			p.addNamed(openID)
		}
	}
	return p
}

// addNamed gives an id to an OpenID that is not from the register. The caller holds mu or is alone.
func (p *people) addNamed(openID string) uint32 {
	id := p.generated + uint32(len(p.named)) //nolint:gosec // bounded by memory
	p.named = append(p.named, openID)
	p.ids[openID] = id
	return id
}

// id finds the id of anyone who ever followed.
func (p *people) id(openID string) (uint32, bool) {
	if number, ok := p.number(openID); ok && number < p.generated {
		return number, true
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	id, ok := p.ids[openID]
	return id, ok
}

func (p *people) openID(id uint32) string {
	if id < p.generated {
		return string(p.append(make([]byte, 0, openIDLength), id))
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.named[id-p.generated]
}

func (p *people) size() uint32 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.generated + uint32(len(p.named)) //nolint:gosec // bounded by memory
}

// class tells how a follower takes messages. The special ones are spread evenly over the list, each in the middle of
// its stretch, and the kinds are mixed.
func (p *people) class(id uint32) class {
	total := p.special[0] + p.special[1] + p.special[2]
	if total == 0 || id >= p.generated {
		return classNormal
	}
	n, count := uint64(p.generated), uint64(total) //nolint:gosec // Validate bounds it
	slot := uint64(id) * count / n
	if (2*slot+1)*n/(2*count) != uint64(id) {
		return classNormal
	}
	kind := int(slot * spreadStep(count) % count) //nolint:gosec // below count
	switch {
	case kind < p.special[0]:
		return classRefusing
	case kind < p.special[0]+p.special[1]:
		return classBlocking
	default:
		return classLeaving
	}
}

// spreadStep is a step near the golden section of n that visits all of 0..n-1, so that neighbours differ in kind.
func spreadStep(n uint64) uint64 {
	step := n*618/1000 + 1
	for gcd(step, n) != 1 {
		step++
	}
	return step
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (p *people) follows(id uint32) bool {
	if moved, known := p.movement(id); known {
		return moved
	}
	return !p.sending.Load() || p.class(id) != classLeaving
}

// reachable tells whether a send to id would be accepted.
func (p *people) reachable(id uint32) bool {
	kind := p.class(id)
	if moved, known := p.movement(id); known {
		return moved && kind != classRefusing
	}
	return kind == classNormal || kind == classBlocking
}

// movement tells whether id followed (true) or left (false) since the start, if either.
func (p *people) movement(id uint32) (follows, known bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	follows, known = p.moved[id]
	return follows, known
}

func (p *people) total() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	total := int(p.generated) + len(p.named)
	left := p.sending.Load()
	if left {
		total -= p.special[2]
	}
	for id, follows := range p.moved {
		before := !left || p.class(id) != classLeaving
		switch {
		case before && !follows:
			total--
		case !before && follows:
			total++
		}
	}
	return total
}

// move lets someone follow or leave, and gives their id.
func (p *people) move(openID string, follows bool) uint32 {
	id, known := p.id(openID)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !known {
		if id, known = p.ids[openID]; !known {
			id = p.addNamed(openID)
		}
	}
	p.moved[id] = follows
	return id
}

// blocking tells whether id takes no messages of the account.
func (p *people) blocking(id uint32) bool {
	if p.class(id) == classBlocking {
		return true
	}
	if p.blocks.Load() == 0 {
		return false
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.blocked[id]
}

func (p *people) remark(id uint32) string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.remarks[id]
}

// block lets someone block the account, or no longer.
func (p *people) block(id uint32, blocks bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if blocks {
		p.blocked[id] = true
	} else {
		delete(p.blocked, id)
	}
	p.blocks.Store(int64(len(p.blocked)))
}
