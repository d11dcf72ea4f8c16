package simulator

import (
	"bytes"
	"context"
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
	run, known := s.commands[r.Method+" "+r.URL.Path]
	if !known {
		run = func(*http.Request) (any, error) { return nil, errNoCommand }
	}
	answer, err := run(r)
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
type command func(r *http.Request) (any, error)

// newCommands are the commands by method and path.
func (s *Simulator) newCommands() map[string]command {
	type person struct{ OpenID string }
	type usage struct {
		Path string
		Used int
	}
	return map[string]command{
		"GET /_sim/stats":  show(s.Stats),
		"GET /_sim/ledger": s.ledgerOf,
		"GET /_sim/received": func(r *http.Request) (any, error) {
			low, err1 := number(r, "min", 1)
			high, err2 := number(r, "max", -1)
			limit, err3 := number(r, "limit", 0)
			return s.Received(low, high, limit), errors.Join(err1, err2, err3)
		},
		"GET /_sim/missing": func(r *http.Request) (any, error) {
			limit, err := number(r, "limit", 0)
			return s.Missing(limit), err
		},
		"GET /_sim/notices": func(r *http.Request) (any, error) {
			return append([]Notice{}, s.Notices(r.URL.Query().Get("openid"))...), nil
		},
		"POST /_sim/reset":        do(s.Reset),
		"POST /_sim/revoke-token": do(s.RevokeTokens),
		"POST /_sim/expire-token": do(s.ExpireTokens),
		"POST /_sim/release":      do(s.ReleaseAnswers),
		"POST /_sim/verify":       func(r *http.Request) (any, error) { return ok{true}, s.Verify(r.Context()) },
		"GET /_sim/faults":        show(s.Faults),
		"GET /_sim/limits":        show(func() Limits { return *s.limits.Load() }),
		"GET /_sim/receipts":      show(func() Receipts { return *s.receipts.Load() }),
		"POST /_sim/faults":       s.faultsCommand,
		"POST /_sim/limits": func(r *http.Request) (any, error) {
			return change(s, r, *s.limits.Load(), func(l Limits) error { s.SetLimits(l); return nil })
		},
		"POST /_sim/receipts": func(r *http.Request) (any, error) { return change(s, r, *s.receipts.Load(), s.SetReceipts) },
		"POST /_sim/say":      s.sayCommand,
		"POST /_sim/send":     s.sendCommand,
		"POST /_sim/click":    s.clickCommand,
		"POST /_sim/scan":     s.scanCommand,
		"POST /_sim/follow":   with(s, func(ctx context.Context, ask person) error { return s.Follow(ctx, ask.OpenID) }),
		"POST /_sim/unfollow": with(s, func(ctx context.Context, ask person) error { return s.Unfollow(ctx, ask.OpenID) }),
		"POST /_sim/remark": with(s, func(_ context.Context, ask struct{ OpenID, Remark string }) error {
			return s.Remark(ask.OpenID, ask.Remark)
		}),
		"GET /_sim/tags": show(s.Tags),
		"POST /_sim/tag": s.tagCommand,
		"POST /_sim/blacklist": with(s, func(_ context.Context, ask struct{ Add, Remove []string }) error {
			return errors.Join(s.Blacklist(true, ask.Add...), s.Blacklist(false, ask.Remove...))
		}),
		"POST /_sim/intercept": with(s, func(_ context.Context, ask struct {
			TemplateID string `json:"template_id"`
			Intercepting
		},
		) error {
			s.Intercept(ask.TemplateID, ask.Intercepting)
			return nil
		}),
		"POST /_sim/callback": with(s, func(_ context.Context, ask struct{ URL string }) error { return s.SetCallback(ask.URL) }),
		"POST /_sim/quota":    with(s, func(_ context.Context, ask usage) error { return s.UseQuota(ask.Path, ask.Used) }),
		"POST /_sim/hold":     with(s, func(_ context.Context, ask struct{ After int }) error { s.HoldAnswers(ask.After); return nil }),
		"POST /_sim/down":     s.downCommand,
	}
}

// show is a command that tells what is.
func show[T any](get func() T) command {
	return func(*http.Request) (any, error) { return get(), nil }
}

// do is a command that takes nothing and has nothing to tell.
func do(act func()) command {
	return func(*http.Request) (any, error) { act(); return ok{true}, nil }
}

// with is a command that comes with a JSON object.
func with[T any](s *Simulator, act func(ctx context.Context, ask T) error) command {
	return func(r *http.Request) (any, error) {
		var ask T
		if err := s.decode(r, &ask); err != nil {
			return nil, err
		}
		return ok{true}, act(r.Context(), ask)
	}
}

// change sets what a request names of the settings that are in force, and tells what they are then.
func change[T any](s *Simulator, r *http.Request, settings T, set func(T) error) (any, error) {
	if err := s.decode(r, &settings); err != nil {
		return nil, err
	}
	return settings, set(settings)
}

// faultsCommand changes faults. The codes are replaced as a whole.
func (s *Simulator) faultsCommand(r *http.Request) (any, error) {
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
}

func (s *Simulator) ledgerOf(r *http.Request) (any, error) {
	openID := r.URL.Query().Get("openid")
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

// number reads a number of the query.
func number(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
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
