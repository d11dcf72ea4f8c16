package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// control serves the simulator's own API under /_sim/ (see the package's README). It answers JSON; a fault of the
// caller is 400 with {"error": …}.
func (s *Simulator) control(w http.ResponseWriter, r *http.Request) {
	answer, err := s.command(r)
	if err != nil {
		status := http.StatusBadRequest
		switch {
		case errors.Is(err, errNoCommand):
			status = http.StatusNotFound
		case errors.Is(err, ErrFaulty):
			status = http.StatusBadGateway
		}
		w.Header()["Content-Type"] = jsonType
		w.WriteHeader(status)
		answer = map[string]string{"error": err.Error()}
	}
	writeValue(w, answer)
}

var errNoCommand = errors.New("the simulator has no such command")

// ok is the answer to a command that has nothing to tell.
type ok struct {
	OK bool `json:"ok"`
}

// command does what a request to /_sim/ asks for and gives the answer.
func (s *Simulator) command(r *http.Request) (any, error) {
	query := r.URL.Query()
	switch r.Method + " " + r.URL.Path {
	case "GET /_sim/stats":
		return s.Stats(), nil
	case "GET /_sim/ledger":
		return s.ledgerOf(query.Get("openid"))
	case "GET /_sim/received":
		low, err1 := number(query.Get("min"), 1)
		high, err2 := number(query.Get("max"), -1)
		limit, err3 := number(query.Get("limit"), 0)
		return s.Received(low, high, limit), errors.Join(err1, err2, err3)
	case "GET /_sim/missing":
		limit, err := number(query.Get("limit"), 0)
		return s.Missing(limit), err
	case "GET /_sim/notices":
		return append([]Notice{}, s.Notices(query.Get("openid"))...), nil
	case "POST /_sim/reset":
		s.Reset()
		return ok{true}, nil
	case "POST /_sim/revoke-token":
		s.RevokeTokens()
		return ok{true}, nil
	case "POST /_sim/expire-token":
		s.ExpireTokens()
		return ok{true}, nil
	case "POST /_sim/release":
		s.ReleaseAnswers()
		return ok{true}, nil
	case "POST /_sim/verify":
		return ok{true}, s.Verify(r.Context())
	case "GET /_sim/faults":
		return s.Faults(), nil
	case "GET /_sim/limits":
		return *s.limits.Load(), nil
	case "GET /_sim/receipts":
		return *s.receipts.Load(), nil
	default:
		return s.commandWithBody(r)
	}
}

// commandWithBody does the commands that come with a JSON object.
func (s *Simulator) commandWithBody(r *http.Request) (any, error) {
	switch r.Method + " " + r.URL.Path {
	case "POST /_sim/faults":
		faults := s.Faults()
		codes := faults.Codes
		faults.Codes = nil
		if err := s.decode(r, &faults); err != nil {
			return nil, err
		}
		if faults.Codes == nil {
			faults.Codes = codes
		}
		return faults, s.SetFaults(faults)
	case "POST /_sim/limits":
		limits := *s.limits.Load()
		if err := s.decode(r, &limits); err != nil {
			return nil, err
		}
		s.SetLimits(limits)
		return limits, nil
	case "POST /_sim/receipts":
		receipts := *s.receipts.Load()
		if err := s.decode(r, &receipts); err != nil {
			return nil, err
		}
		return receipts, s.SetReceipts(receipts)
	case "POST /_sim/say":
		return s.sayCommand(r)
	case "POST /_sim/follow", "POST /_sim/unfollow":
		var ask struct {
			OpenID string `json:"openid"`
		}
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		if r.URL.Path == "/_sim/follow" {
			return ok{true}, s.Follow(r.Context(), ask.OpenID)
		}
		return ok{true}, s.Unfollow(r.Context(), ask.OpenID)
	case "POST /_sim/remark":
		var ask struct {
			OpenID string `json:"openid"`
			Remark string `json:"remark"`
		}
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		return ok{true}, s.Remark(ask.OpenID, ask.Remark)
	case "POST /_sim/callback":
		var ask struct {
			URL string `json:"url"`
		}
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		return ok{true}, s.SetCallback(ask.URL)
	case "POST /_sim/quota":
		var ask struct {
			Path string `json:"path"`
			Used int    `json:"used"`
		}
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		return ok{true}, s.UseQuota(ask.Path, ask.Used)
	case "POST /_sim/hold":
		var ask struct {
			After int `json:"after"`
		}
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		s.HoldAnswers(ask.After)
		return ok{true}, nil
	case "POST /_sim/down":
		return s.downCommand(r) //nolint:contextcheck // being down outlasts the request that asked for it
	default:
		return nil, errNoCommand
	}
}

func (s *Simulator) ledgerOf(openID string) (any, error) {
	if _, known := s.people.id(openID); !known {
		return nil, errors.New("nobody with this OpenID ever followed")
	}
	received, tries := s.Ledger(openID)
	return struct {
		OpenID   string    `json:"openid"`
		Tries    int       `json:"tries"`
		Messages []Message `json:"messages"`
	}{openID, tries, append([]Message{}, received...)}, nil
}

// sayCommand lets a follower say something, in several copies at once if asked to.
func (s *Simulator) sayCommand(r *http.Request) (any, error) {
	var ask struct {
		OpenID string `json:"openid"`
		Text   string `json:"text"`
		Copies int    `json:"copies"`
		MsgID  int64  `json:"msgid,string"`
	}
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	if ask.Copies < 0 || ask.Copies > 1000 {
		return nil, errors.New("copies must be 1 to 1000")
	}
	if ask.MsgID == 0 {
		ask.MsgID = s.userMsgIDs.Add(1)
	}
	replies, err := s.SayAs(r.Context(), ask.OpenID, ask.Text, max(1, ask.Copies), ask.MsgID)
	if err != nil {
		return nil, err
	}
	return struct {
		Reply   string   `json:"reply"`
		Replies []string `json:"replies"`
		MsgID   int64    `json:"msgid,string"`
	}{replies[0], replies, ask.MsgID}, nil
}

// downCommand takes the platform away for a time. The answer is given first, the going down waits for it a moment.
func (s *Simulator) downCommand(r *http.Request) (any, error) {
	ask := struct {
		For string `json:"for"`
	}{For: "10s"}
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	length, err := time.ParseDuration(ask.For)
	if err != nil || length <= 0 {
		return nil, errors.New(`"for" must be a duration such as "20s"`)
	}
	s.work.Go(func() {
		if !s.wait(50 * time.Millisecond) {
			return
		}
		s.Down()
		s.wait(length)
		if err := s.Up(); err != nil && s.ctx.Err() == nil {
			s.opts.Logger.Error("come up again", "error", err)
		}
	})
	return ok{true}, nil
}

// decode reads the JSON object of a command into v; fields that it does not name keep their value.
func (s *Simulator) decode(r *http.Request, v any) error {
	body := s.body(r)
	defer body.free()
	if len(bytes.TrimSpace(body.bytes)) == 0 {
		return nil
	}
	return strict("command", body.bytes, v)
}

func number(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("read number: %w", err)
	}
	return n, nil
}

// writeValue answers a value as JSON, with what it says readable as it is.
func writeValue(w http.ResponseWriter, v any) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		buf.Reset()
		_, _ = fmt.Fprintf(&buf, `{"error":%q}`, err.Error())
	}
	writeJSON(w, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))) // the encoder ends with one, the platform's answers do not
}

// The times of Faults and Receipts are written as "1.5s" in JSON. Each shadows its fields by texts.

type plainFaults Faults

type faultsJSON struct {
	*plainFaults
	Latency *span `json:"latency"`
	SlowFor *span `json:"slow_for"`
}

// MarshalJSON writes durations as text, such as "3s".
func (f Faults) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultsJSON{(*plainFaults)(&f), (*span)(&f.Latency), (*span)(&f.SlowFor)})
}

// UnmarshalJSON reads what MarshalJSON writes; fields that are not named stay as they are.
func (f *Faults) UnmarshalJSON(text []byte) error {
	return strict("settings", text, &faultsJSON{(*plainFaults)(f), (*span)(&f.Latency), (*span)(&f.SlowFor)})
}

type plainReceipts Receipts

type receiptsJSON struct {
	*plainReceipts
	DelayMin *span `json:"delay_min"`
	DelayMax *span `json:"delay_max"`
}

// MarshalJSON writes durations as text, such as "3s".
func (r Receipts) MarshalJSON() ([]byte, error) {
	return json.Marshal(receiptsJSON{(*plainReceipts)(&r), (*span)(&r.DelayMin), (*span)(&r.DelayMax)})
}

// UnmarshalJSON reads what MarshalJSON writes; fields that are not named stay as they are.
func (r *Receipts) UnmarshalJSON(text []byte) error {
	return strict("settings", text, &receiptsJSON{(*plainReceipts)(r), (*span)(&r.DelayMin), (*span)(&r.DelayMax)})
}

func strict(what string, text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// span is a duration that is text in JSON.
type span time.Duration

// MarshalText writes a duration as time.Duration does.
func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// UnmarshalText reads a duration such as "1.5s".
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("read duration: %w", err)
	}
	*s = span(d)
	return nil
}
