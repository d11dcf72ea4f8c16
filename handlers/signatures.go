package handlers

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

const (
	// maxSeen is how many signatures are remembered at a time: about 80 MiB, and
	// 5,800 callbacks a second for the six minutes that each is remembered.
	maxSeen = 1 << 21
	// seenReserve is how many of them only messages and follow events may take, so
	// that a flood of receipts leaves room for the admins.
	seenReserve = maxSeen / 16
	// seenSlack is how much longer a signature is remembered than it is accepted,
	// since our clock may be set back a little.
	seenSlack = time.Minute
	// refusedBits is the size of a filter of refused signatures. With 400,000 in it
	// one other signature in a hundred is taken for a refused one.
	refusedBits = 1 << 22
)

// claim is a valid signature with the body that it came with.
type claim struct {
	// id is the signature, 20 bytes that nobody without the token can choose.
	id   [20]byte
	body bodySum
	// until is when the signature may be forgotten.
	until time.Time
	// receipt is true if the body is a receipt.
	receipt bool
}

type bodySum [16]byte

// newClaim returns the claim of a valid signature that was made at that time.
func newClaim(signature string, at time.Time, body []byte) claim {
	c := claim{until: at.Add(fresh + seenSlack)}
	_, _ = hex.Decode(c.id[:], []byte(signature)) // it was compared with 40 hexadecimal digits
	sum := sha256.Sum256(body)
	copy(c.body[:], sum[:])
	return c
}

// minute is the minute in which a claim may be forgotten, with all others of it.
func (c claim) minute() int64 { return c.until.Unix() / 60 }

// places are the bits of a filter that stand for the signature.
func (c claim) places() [4]uint32 {
	var p [4]uint32
	for i := range p {
		p[i] = binary.BigEndian.Uint32(c.id[4*i:]) % refusedBits
	}
	return p
}

// verdict is what is known of a claim.
type verdict int

const (
	claimNew   verdict = iota // the signature is not known
	claimSame                 // it came with this body before
	claimOther                // it belongs to another body
	claimFull                 // there is no room to remember it
)

// signatures remembers which body each signature came with for as long as the
// signature is accepted. In plain mode a signature does not cover the body, so
// whoever saw one callback could send any message in any person's name. For the
// same reason a message whose signature can't be remembered is refused.
type signatures struct {
	most, reserve int

	mu      sync.Mutex
	count   int
	minutes map[int64]*seenMinute
}

// seenMinute has the signatures that are forgotten in the same minute.
type seenMinute struct {
	bodies map[uint64]bodySum
	// refused is a filter of the signatures for which there was no room; nil if there
	// are none. Only a receipt is accepted with one of them, when the platform
	// repeats it.
	refused []uint64
}

func newSignatures(most, reserve int) *signatures {
	return &signatures{most: most, reserve: reserve, minutes: map[int64]*seenMinute{}}
}

// find tells what is known of a claim, and remembers nothing.
func (s *signatures) find(c claim, now time.Time) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.look(c, now)
}

// add remembers a claim unless its signature is known.
func (s *signatures) add(c claim, now time.Time) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.look(c, now); v != claimNew || c.until.Before(now) {
		return v
	}
	if s.count >= roomFor(c, s.most, s.reserve) {
		s.note(c)
		return claimFull
	}
	s.at(c).bodies[c.key()] = c.body
	s.count++
	return claimNew
}

// refuse remembers that there was no room for a claim.
func (s *signatures) refuse(c claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note(c)
}

// roomFor returns from how many stored signatures on c is refused.
func roomFor(c claim, most, reserve int) int {
	if c.receipt {
		return most - reserve
	}
	return most
}

// look is find for a caller that holds the lock. It also drops what has expired.
func (s *signatures) look(c claim, now time.Time) verdict {
	v := claimNew
	for minute, m := range s.minutes {
		if minute < now.Unix()/60 {
			s.count -= len(m.bodies)
			delete(s.minutes, minute)
			continue
		}
		if body, ok := m.bodies[c.key()]; ok {
			if body == c.body {
				return claimSame
			}
			return claimOther
		}
		if !c.receipt && m.wasRefused(c) {
			v = claimOther
		}
	}
	return v
}

func (s *signatures) at(c claim) *seenMinute {
	m := s.minutes[c.minute()]
	if m == nil {
		m = &seenMinute{bodies: map[uint64]bodySum{}}
		s.minutes[c.minute()] = m
	}
	return m
}

func (s *signatures) note(c claim) {
	m := s.at(c)
	if m.refused == nil {
		m.refused = make([]uint64, refusedBits/64)
	}
	for _, place := range c.places() {
		m.refused[place/64] |= 1 << (place % 64)
	}
}

func (m *seenMinute) wasRefused(c claim) bool {
	if m.refused == nil {
		return false
	}
	for _, place := range c.places() {
		if m.refused[place/64]&(1<<(place%64)) == 0 {
			return false
		}
	}
	return true
}

// key returns the part of the signature that is the key in bodies. Two genuine
// signatures share it once in 2^64; a forger can't choose it.
func (c claim) key() uint64 { return binary.BigEndian.Uint64(c.id[:]) }
