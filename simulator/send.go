package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// sendRequest is the body of a template send. What is not used is not decoded.
type sendRequest struct {
	ToUser      string          `json:"touser"`
	TemplateID  string          `json:"template_id"`
	URL         string          `json:"url"`
	MiniProgram json.RawMessage `json:"miniprogram"`
	ClientMsgID string          `json:"client_msg_id"`
	Data        json.RawMessage `json:"data"`

	payload uint64 // the number of its content, once that was found good
}

// templateSend serves POST /cgi-bin/message/template/send (WeChat: sendTemplateMessage docs).
func (s *Simulator) templateSend(w http.ResponseWriter, r *http.Request) {
	body := s.body(r)
	defer body.free()

	var m sendRequest
	malformed := !readJSON(body.bytes, &m)
	probe := !malformed && m.ToUser == "" && m.TemplateID == ""
	if probe {
		s.tally.probes.Add(1)
	} else {
		number := s.tally.enter(s.opts.Now())
		defer s.tally.leave()
		if !s.letIn(r.Context(), number) {
			cut(w)
			return
		}
	}
	plan := s.faults.Load()
	id, known := uint32(0), false
	var chance rng
	if !malformed {
		id, known = s.people.id(m.ToUser)
	}
	if known {
		chance = newRNG(s.opts.Seed, uint64(id), uint64(s.ledger.try(id)))
	} else {
		chance = newRNG(s.opts.Seed, s.calls.Add(1))
	}

	if !s.wait(plan.Latency / 2) {
		cut(w)
		return
	}
	if s.strikeBefore(w, &chance, &plan.Faults) {
		return
	}
	if code, detail := s.judge(r, body.bytes, malformed, &m, &chance, plan); code != 0 {
		s.wait(plan.Latency - plan.Latency/2)
		if !probe {
			s.tally.code(code)
		}
		s.writeRefusal(w, code, detail)
		return
	}
	s.accept(r.Context(), w, id, &m, &chance, plan)
}

// strikes decides whether a fault of that rate happens, and counts it.
func (s *Simulator) strikes(chance *rng, rate float64, count *int64) bool {
	if !chance.chance(rate) {
		return false
	}
	s.tally.add(count)
	return true
}

// strikeBefore lets a fault of the connection happen before anything is looked at, and tells whether one did.
func (s *Simulator) strikeBefore(w http.ResponseWriter, chance *rng, f *Faults) bool {
	switch {
	case s.strikes(chance, f.Cut, &s.tally.faults.Cut):
		cut(w)
	case s.strikes(chance, f.BadGateway, &s.tally.faults.BadGateway):
		writeHTML(w, http.StatusBadGateway)
	default:
		return false
	}
	return true
}

// judge checks a send in the platform's order: token, quota, JSON, recipient, template, links, data. It gives 0 for a send
// that is to be accepted, else the error code and, where it is not the usual one, its text.
func (s *Simulator) judge(r *http.Request, body []byte, malformed bool, m *sendRequest, chance *rng, plan *faultPlan) (code int, detail string) {
	if r.Method != http.MethodPost {
		return 43002, ""
	}
	now := s.opts.Now()
	if chance.chance(plan.TokenRevoked) {
		s.tokens.revoke(now, 40001)
	}
	if chance.chance(plan.TokenExpired) {
		s.tokens.revoke(now, 42001)
	}
	if code := s.tokens.check(r.URL.Query().Get("access_token"), now); code != 0 {
		return code, ""
	}
	if code := s.quotas[pathSend].take(now, s.limit(pathSend)); code != 0 {
		return code, ""
	}
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return 44002, ""
	case malformed:
		return 47001, ""
	}
	s.people.sending.Store(true)
	if id, known := s.people.id(m.ToUser); !known && !wellFormed(m.ToUser) {
		return 40003, ""
	} else if !known || !s.people.reachable(id) {
		return 43004, ""
	} else if s.marks.blacklisted(id) {
		return 43019, ""
	}
	for _, c := range plan.codes {
		if chance.chance(c.rate) {
			return c.code, ""
		}
	}
	if _, exists := s.templates.keys[m.TemplateID]; !exists {
		return 40037, ""
	}
	if code, detail := s.checkData(m); code != 0 {
		return code, detail
	}
	if chance.chance(plan.SystemError) {
		return -1, ""
	}
	return 0, ""
}

// checkData checks the values of a send and where it leads, and remembers those that are good, so that the next equal ones cost nothing.
func (s *Simulator) checkData(m *sendRequest) (code int, detail string) {
	raw := s.ledger.texts.raw(m)
	var good bool
	if m.payload, good = s.ledger.texts.known(raw); good {
		return 0, ""
	}
	// Before the data or after it: unconfirmed.
	if code := s.checkLinks(m); code != 0 {
		return code, ""
	}
	var data map[string]DataField
	if len(m.Data) > 0 && json.Unmarshal(m.Data, &data) != nil {
		return 47001, ""
	}
	if len(data) == 0 {
		return 47003, "argument invalid! data is empty"
	}
	if key := s.templates.fault(m.TemplateID, data); key != "" {
		return 47003, "argument invalid! data." + key + ".value invalid"
	}
	if s.opts.CutLongThings {
		cutThings(data)
	}
	m.payload = s.ledger.texts.add(raw, Content{TemplateID: m.TemplateID, URL: m.URL, MiniProgram: m.MiniProgram, Data: data})
	return 0, ""
}

// accept takes a message into the ledger, sees to its receipt and answers, unless a fault takes the answer away.
func (s *Simulator) accept(ctx context.Context, w http.ResponseWriter, id uint32, m *sendRequest, chance *rng, plan *faultPlan) {
	receipts := s.receipts.Load()
	now := s.opts.Now()
	rec := record{
		id: id, msgID: s.msgIDs.Add(1), clientID: m.ClientMsgID, payload: m.payload,
		at: now, window: s.opts.ClientMsgIDWindow, status: s.outcome(id, chance, receipts),
	}
	msgID, repeated := s.ledger.accept(rec)
	if !repeated {
		if s.opts.OnMessage != nil {
			s.opts.OnMessage(Message{
				OpenID: m.ToUser, At: now, MsgID: msgID, ClientMsgID: m.ClientMsgID,
				Receipt: rec.status.String(), Content: s.ledger.texts.content(rec.payload),
			})
		}
		s.reportUnlessIntercepted(m, rec, chance, receipts)
	}
	late := plan.Latency - plan.Latency/2
	if s.strikes(chance, plan.Slow, &s.tally.faults.Slow) {
		late += plan.SlowFor
	}
	if !s.mayAnswer(ctx) {
		cut(w)
		return
	}
	if !s.wait(late) || chance.chance(plan.CutAccepted) {
		s.tally.add(&s.tally.faults.CutAccepted)
		cut(w)
		return
	}
	if repeated {
		switch s.opts.DuplicateAnswer {
		case DuplicateError:
			s.refuse(w, s.opts.DuplicateCode, "")
			return
		case DuplicateNew:
			msgID = rec.msgID
		}
	}
	s.answerAccepted(w, msgID, chance, plan)
}

// reportUnlessIntercepted sees to the receipt of a message that was accepted.
func (s *Simulator) reportUnlessIntercepted(m *sendRequest, rec record, chance *rng, receipts *Receipts) {
	how, struck := s.intercepts.strike(m, rec)
	switch {
	case !struck:
	case how.Failed:
		rec.status = statusSystemFailed
	default:
		return
	}
	s.report(rec, chance, receipts)
}

// answerAccepted answers a message that was accepted: with its msgid, or with one of the faults that leave the caller
// in doubt.
func (s *Simulator) answerAccepted(w http.ResponseWriter, msgID int64, chance *rng, plan *faultPlan) {
	switch {
	case s.strikes(chance, plan.SystemErrorAccepted, &s.tally.faults.SystemErrorAccepted):
		s.refuse(w, -1, "")
	case s.strikes(chance, plan.HTML, &s.tally.faults.HTML):
		writeHTML(w, http.StatusOK)
	case s.strikes(chance, plan.Empty, &s.tally.faults.Empty):
		writeJSON(w, nil)
	case s.strikes(chance, plan.TextCode, &s.tally.faults.TextCode):
		writeJSON(w, fmt.Appendf(nil, `{"errcode":"0","errmsg":"ok","msgid":%d}`, msgID))
	default:
		s.tally.code(0)
		writeJSON(w, fmt.Appendf(nil, `{"errcode":0,"errmsg":"ok","msgid":%d}`, msgID))
	}
}

// faultPlan is Faults, ready for use.
type faultPlan struct {
	Faults
	codes []codeRate // sorted, so that a seed gives the same refusals
}

type codeRate struct {
	code int
	rate float64
}

func newFaultPlan(f Faults) *faultPlan {
	plan := &faultPlan{Faults: f}
	for _, code := range slices.Sorted(maps.Keys(f.Codes)) {
		plan.codes = append(plan.codes, codeRate{code, f.Codes[code]})
	}
	return plan
}

// wait pauses, and gives false if the simulator is closing.
func (s *Simulator) wait(d time.Duration) bool {
	return s.ctx.Err() == nil && (d <= 0 || s.waitFor(s.ctx, d) == nil)
}

// waitFor pauses, and gives an error if ctx ends or the simulator is closing.
func (s *Simulator) waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
