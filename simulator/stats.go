package simulator

import (
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Message is a template message that a follower received.
type Message struct {
	OpenID      string    `json:"openid"`
	At          time.Time `json:"at"`
	MsgID       int64     `json:"msgid,string"`
	ClientMsgID string    `json:"client_msg_id,omitempty"`
	// Receipt is the status that the receipt reports.
	Receipt string `json:"receipt"`
	// Content is what it said; empty of the messages beyond the 50,000 different contents that are kept.
	Content Content `json:"content"`
}

// Stats are the totals since the start or the last reset.
type Stats struct {
	Followers int `json:"followers"` // who follow now
	Reachable int `json:"reachable"` // of them, those to whom sends are accepted

	Calls       int64          `json:"calls"`         // of template/send, but for Probes
	Probes      int64          `json:"probes"`        // template/send calls for nobody: no recipient, no template
	Accepted    int64          `json:"accepted"`      // messages accepted, repeated ones not counted
	Repeated    int64          `json:"repeated"`      // calls that were recognised by their client_msg_id
	Reached     int64          `json:"reached"`       // followers to whom at least one message was accepted
	Twice       int64          `json:"twice"`         // followers who received the same template and data more than once
	TwiceByID   int64          `json:"twice_by_id"`   // followers who received one client_msg_id more than once, the window over
	MoreThanOne int64          `json:"more_than_one"` // followers who received more than one message
	Tried       int64          `json:"tried"`         // followers to whom a send was tried
	TriedOver2  int64          `json:"tried_over_2"`  // … more than twice
	InFlight    int64          `json:"in_flight"`     // template/send calls now under way
	MaxInFlight int64          `json:"max_in_flight"`
	Held        int64          `json:"held"`  // answers that are kept back now
	Codes       map[string]int `json:"codes"` // answers of all APIs by errcode
	Faults      FaultCounts    `json:"faults"`
	Seconds     []Second       `json:"seconds"` // template/send calls by second
	Tokens      TokenCounts    `json:"tokens"`
	Pages       int64          `json:"pages"` // user/get calls
	Receipts    ReceiptCounts  `json:"receipts"`
	Notices     map[string]int `json:"notices"` // customer-service messages by OpenID
}

// Second is how many template/send calls arrived in one second.
type Second struct {
	Unix  int64 `json:"unix"`
	Calls int   `json:"calls"`
}

// TokenCounts are the tokens handed out by each API.
type TokenCounts struct {
	Plain  int64 `json:"plain"`
	Stable int64 `json:"stable"`
	Forced int64 `json:"forced"` // of Stable, those asked for with force_refresh
}

// FaultCounts are the faults that struck without an errcode of their own.
type FaultCounts struct {
	Cut                 int64 `json:"cut"`
	CutAccepted         int64 `json:"cut_accepted"`
	BadGateway          int64 `json:"bad_gateway"`
	Slow                int64 `json:"slow"`
	SystemErrorAccepted int64 `json:"system_error_accepted"`
	HTML                int64 `json:"html"`
	Empty               int64 `json:"empty"`
	TextCode            int64 `json:"text_code"`
}

// ReceiptCounts are what became of the receipts.
type ReceiptCounts struct {
	Pending  int   `json:"pending"`  // waiting for their time, or under way
	Sent     int64 `json:"sent"`     // requests made, repeated tries included
	Acked    int64 `json:"acked"`    // answered in time with 200
	Refused  int64 `json:"refused"`  // answered otherwise, or not at all
	Slow     int64 `json:"slow"`     // of Refused, those that ran into the time limit
	GivenUp  int64 `json:"given_up"` // not answered three times
	Early    int64 `json:"early"`    // sent before the send was answered
	Repeated int64 `json:"repeated"` // due to come twice
	Lost     int64 `json:"lost"`     // never sent
	// How long the callback took to answer, in milliseconds; the percentiles are rounded up to a power of two.
	MaxMS int64 `json:"max_ms"`
	P50MS int64 `json:"p50_ms"`
	P99MS int64 `json:"p99_ms"`
}

type tally struct {
	calls, probes, inFlight, maxInFlight, pages atomic.Int64

	mu       sync.Mutex
	codes    map[int]int
	seconds  map[int64]int
	tokens   TokenCounts
	faults   FaultCounts
	receipts ReceiptCounts
	took     [24]int64 // answers of the callback by the bits of their milliseconds
}

func newTally() *tally {
	return &tally{codes: make(map[int]int), seconds: make(map[int64]int)}
}

// enter counts a call that begins, and gives its number. leave counts its end.
func (t *tally) enter(now time.Time) (number int64) {
	number = t.calls.Add(1)
	flying := t.inFlight.Add(1)
	for most := t.maxInFlight.Load(); flying > most && !t.maxInFlight.CompareAndSwap(most, flying); {
		most = t.maxInFlight.Load()
	}
	t.mu.Lock()
	t.seconds[now.Unix()]++
	t.mu.Unlock()
	return number
}

func (t *tally) leave() { t.inFlight.Add(-1) }

func (t *tally) code(code int) {
	t.mu.Lock()
	t.codes[code]++
	t.mu.Unlock()
}

// add counts one more in a field of tokens, faults or receipts.
func (t *tally) add(counter *int64) {
	t.mu.Lock()
	*counter++
	t.mu.Unlock()
}

// answered counts a receipt that was posted.
func (t *tally) answered(took time.Duration, ok, late bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.receipts.Sent++
	if ok {
		t.receipts.Acked++
	} else {
		t.receipts.Refused++
	}
	if !ok && late {
		t.receipts.Slow++
	}
	ms := took.Milliseconds()
	t.receipts.MaxMS = max(t.receipts.MaxMS, ms)
	t.took[min(bits.Len64(uint64(ms)), len(t.took)-1)]++ //nolint:gosec // not negative
}

// percentile is the time within which the share of the callback's answers came. The caller holds mu.
func (t *tally) percentile(share float64) int64 {
	var total, sum int64
	for _, n := range t.took {
		total += n
	}
	for exponent, n := range t.took {
		if sum += n; n > 0 && float64(sum) >= share*float64(total) {
			return 1 << exponent
		}
	}
	return 0
}

func (t *tally) reset() {
	t.calls.Store(0)
	t.probes.Store(0)
	t.pages.Store(0)
	t.maxInFlight.Store(t.inFlight.Load())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codes, t.seconds = make(map[int]int), make(map[int64]int)
	t.tokens, t.faults, t.receipts, t.took = TokenCounts{}, FaultCounts{}, ReceiptCounts{}, [24]int64{}
}

// Stats gives the totals. It looks at every follower, so asking for it is not free with a million of them.
func (s *Simulator) Stats() Stats {
	t, l := s.tally, &s.ledger
	st := Stats{
		Followers: s.people.total(), Calls: t.calls.Load(), Probes: t.probes.Load(), Accepted: l.accepted.Load(), Repeated: l.repeatedAsked.Load(),
		Reached: l.reached.Load(), Twice: l.samePayload.Load(), TwiceByID: l.sameClientID.Load(), MoreThanOne: l.moreThanOnce.Load(),
		Tried: l.tried.Load(), TriedOver2: l.triedOverTwo.Load(), InFlight: t.inFlight.Load(), MaxInFlight: t.maxInFlight.Load(), Held: s.heldAnswers(),
		Pages: t.pages.Load(), Notices: s.windows.counts(), Codes: make(map[string]int),
	}
	for id := range s.people.size() {
		if s.people.reachable(id) {
			st.Reachable++
		}
	}
	pending := s.outbox.pending()
	t.mu.Lock()
	defer t.mu.Unlock()
	for code, n := range t.codes {
		st.Codes[strconv.Itoa(code)] = n
	}
	st.Seconds = make([]Second, 0, len(t.seconds))
	for _, unix := range slices.Sorted(maps.Keys(t.seconds)) {
		st.Seconds = append(st.Seconds, Second{unix, t.seconds[unix]})
	}
	st.Tokens, st.Faults, st.Receipts = t.tokens, t.faults, t.receipts
	st.Receipts.Pending = pending
	st.Receipts.P50MS, st.Receipts.P99MS = t.percentile(0.5), t.percentile(0.99)
	return st
}

// Count is how many messages one follower received and how many sends tried to reach them.
type Count struct {
	OpenID   string `json:"openid"`
	Received int    `json:"received"`
	Tries    int    `json:"tries"`
}

// Received lists those who received from low to high messages, high below 0 being no bound, in the order of the
// follower list and at most limit of them, a limit of 0 being none.
func (s *Simulator) Received(low, high, limit int) []Count {
	return s.counts(limit, func(_ uint32, received int) bool { return received >= low && (high < 0 || received <= high) })
}

// Missing lists those who follow, would be sent to without a refusal, and received nothing; at most limit of them.
func (s *Simulator) Missing(limit int) []Count {
	return s.counts(limit, func(id uint32, received int) bool { return received == 0 && s.people.reachable(id) })
}

func (s *Simulator) counts(limit int, wanted func(id uint32, received int) bool) []Count {
	list := []Count{}
	for id := range s.people.size() {
		if received, tries := s.ledger.counts(id); wanted(id, received) {
			list = append(list, Count{s.people.openID(id), received, tries})
			if len(list) == limit {
				break
			}
		}
	}
	return list
}

// Ledger gives the messages that a follower received, oldest first, and how many sends tried to reach them.
func (s *Simulator) Ledger(openID string) (received []Message, tries int) {
	id, known := s.people.id(openID)
	if !known {
		return nil, 0
	}
	_, tries = s.ledger.counts(id)
	return s.ledger.received(id, openID), tries
}

// Reset forgets what was received, tried and counted, client_msg_ids included. Followers, tokens, quotas and receipts
// under way stay.
func (s *Simulator) Reset() {
	s.ledger.reset()
	s.tally.reset()
	s.windows.mu.Lock()
	clear(s.windows.notices)
	s.windows.mu.Unlock()
}
