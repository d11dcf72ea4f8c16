package wechat

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOutcomeOfEachCode(t *testing.T) {
	t.Parallel()
	type want struct {
		Verdict Verdict
		Group   HaltGroup
		Gone    bool
		Maybe   bool
		After   time.Duration
	}
	refused := want{Verdict: Refused}
	gone := want{Verdict: Refused, Gone: true}
	later := want{Verdict: Later}
	busy := want{Verdict: Retry, Maybe: true}
	stale := want{Verdict: refresh}
	content := want{Verdict: Halt, Group: HaltContent}
	account := want{Verdict: Halt, Group: HaltAccount}
	credentials := want{Verdict: Halt, Group: HaltCredentials}

	wants := map[int]want{
		0:         {Verdict: Accepted},
		-1:        busy,
		268487002: busy,
		45011:     {Verdict: Slow, After: time.Minute},
		45009:     {Verdict: Hold},

		40001: stale, 40014: stale, 41001: stale, 42001: stale,

		40003: refused, 43019: refused, 43101: refused, 49003: refused,
		43004: gone, 50005: gone,

		40241: {Verdict: Later, After: time.Minute},
		43117: later, 45015: later, 45047: later, 48002: later,

		40036: {Verdict: Retry, Group: HaltContent},
		40037: {Verdict: Retry, Group: HaltContent},
		47003: {Verdict: Refused, Group: HaltContent},
		50002: {Verdict: Refused, Group: HaltAccount},

		40008: content, 40013: content, 40039: content, 40165: content, 40166: content,
		45012: content, 45013: content, 45014: content, 45051: content, 47001: content,

		40249: account, 43116: account, 45102: account, 45103: account, 45109: account, 48004: account,

		40002: credentials, 40125: credentials, 40164: credentials, 40243: credentials,
		41002: credentials, 41004: credentials, 45035: credentials, 48001: credentials,
		50001: credentials, 50004: credentials, 50007: credentials, 61004: credentials,
		89503: credentials, 89506: credentials, 89507: credentials,

		40264: {Verdict: Retry}, 89501: {Verdict: Retry},
	}
	for code, w := range wants {
		r := judge(fmt.Appendf(nil, `{"errcode":%d,"errmsg":"said","msgid":1}`, code))
		got := want{r.Verdict, r.Group, r.Gone, r.MaybeSent, r.RetryAfter}
		if diff := cmp.Diff(w, got); diff != "" {
			t.Errorf("code %d (-want +got):\n%s", code, diff)
		}
		if r.Code != code {
			t.Errorf("code %d came out as %d", code, r.Code)
		}
	}
	for code, o := range outcomes {
		if _, ok := wants[code]; !ok {
			t.Errorf("code %d is in the table and not in this test", code)
		}
		if o.source == "" {
			t.Errorf("code %d names no source", code)
		}
	}
}

func TestUnknownCodeIsTriedAgainAndSurelyNotSent(t *testing.T) {
	t.Parallel()
	got := judge([]byte(`{"errcode":99999,"errmsg":"new"}`))
	want := Result{Verdict: Retry, Code: 99999, Detail: "new"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	strange := Result{Verdict: Retry, MaybeSent: true, Detail: "the answer is not the platform's JSON"}
	tests := map[string]struct {
		raw  string
		want Result
	}{
		"success":              {`{"errcode":0,"errmsg":"ok","msgid":200228332}`, Result{Verdict: Accepted, MsgID: 200228332}},
		"19 digits":            {`{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`, Result{Verdict: Accepted, MsgID: 3557254367693750277}},
		"msgid as a string":    {`{"errcode":"0","errmsg":"ok","msgid":"3557254367693750277"}`, Result{Verdict: Accepted, MsgID: 3557254367693750277}},
		"no msgid":             {`{"errcode":0,"errmsg":"ok"}`, Result{Verdict: Accepted}},
		"unreadable msgid":     {`{"errcode":0,"msgid":{"a":1}}`, Result{Verdict: Accepted}},
		"msgid too large":      {`{"errcode":0,"msgid":99999999999999999999}`, Result{Verdict: Accepted}},
		"no errcode":           {`{"msgid":5}`, Result{Verdict: Accepted, MsgID: 5}},
		"errcode as a string":  {`{"errcode":"43004","errmsg":"require subscribe"}`, Result{Verdict: Refused, Gone: true, Code: 43004, Detail: "require subscribe"}},
		"negative as a string": {`{"errcode":"-1","errmsg":"system error"}`, Result{Verdict: Retry, MaybeSent: true, Code: -1, Detail: "system error"}},
		"errmsg no string":     {`{"errcode":40003,"errmsg":{"x":1}}`, Result{Verdict: Refused, Code: 40003, Detail: `{"x":1}`}},
		"HTML":                 {`<html><body>502 Bad Gateway</body></html>`, strange},
		"empty":                {``, strange},
		"null":                 {`null`, strange},
		"array":                {`[]`, strange},
		"empty object":         {`{}`, strange},
		"half":                 {`{"errcode":0,"msg`, strange},
		"errcode no number":    {`{"errcode":"busy","errmsg":"x"}`, strange},
		"null errcode":         {`{"errcode":null,"errmsg":"x"}`, strange},
		"two objects":          {`{"errcode":0}{"errcode":1}`, strange},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, judge([]byte(tt.raw))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzJudge(f *testing.F) {
	for _, s := range []string{`{"errcode":0,"errmsg":"ok","msgid":1}`, `{"errcode":"40001"}`, `<html>`, ``, `{"msgid":"x"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := judge(raw)
		switch r.Verdict {
		case Accepted:
			if r.Code != 0 || r.MaybeSent || r.Gone {
				t.Errorf("accepted with %+v", r)
			}
		case Refused, Retry, Later, Slow, Hold, Halt, refresh:
			if r.MsgID != 0 {
				t.Errorf("not accepted with a msgid: %+v", r)
			}
		default:
			t.Errorf("verdict %q", r.Verdict)
		}
		if r.Verdict == Halt && r.Group == "" {
			t.Errorf("halt without a group: %+v", r)
		}
	})
}

// What is read without taking the JSON apart must be what the JSON says.
func TestPlainAccepted(t *testing.T) {
	t.Parallel()
	tests := map[string]int64{
		`{"errcode":0,"errmsg":"ok","msgid":1}`:                    1,
		`{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`:  3557254367693750277,
		`{"errcode":0,"errmsg":"ok","msgid":9223372036854775807}`:  9223372036854775807,
		`{"errcode":0,"errmsg":"ok","msgid":9223372036854775808}`:  0,
		`{"errcode":0,"errmsg":"ok","msgid":9999999999999999999}`:  0,
		`{"errcode":0,"errmsg":"ok","msgid":10000000000000000000}`: 0,
		`{"errcode":0,"errmsg":"ok","msgid":0}`:                    0,
		`{"errcode":0,"errmsg":"ok","msgid":01}`:                   0,
		`{"errcode":0,"errmsg":"ok","msgid":-1}`:                   0,
		`{"errcode":0,"errmsg":"ok","msgid":1e3}`:                  0,
		`{"errcode":0,"errmsg":"ok","msgid":"12"}`:                 0,
		`{"errcode":0,"errmsg":"ok","msgid":}`:                     0,
		`{"errcode":0,"errmsg":"ok","msgid":12`:                    0,
		`{"errcode":0,"errmsg":"ok","msgid":12}}`:                  0,
		`{"errcode":0,"errmsg":"ok","msgid":12,"errcode":1}`:       0,
		`{"errcode":-1,"errmsg":"ok","msgid":12}`:                  0,
		``: 0,
	}
	for raw, want := range tests {
		if got, ok := plainAccepted([]byte(raw)); ok != (want != 0) || ok && got != want {
			t.Errorf("%s: %d, %v, want %d", raw, got, ok, want)
		}
	}
}

func FuzzPlainAccepted(f *testing.F) {
	f.Add([]byte(`{"errcode":0,"errmsg":"ok","msgid":3557254367693750277}`))
	f.Add([]byte(`{"errcode":0,"errmsg":"ok","msgid":9999999999999999999}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, ok := plainAccepted(raw)
		if !ok {
			return
		}
		var said struct {
			Code  int    `json:"errcode"`
			Msg   string `json:"errmsg"`
			MsgID int64  `json:"msgid"`
		}
		if err := json.Unmarshal(raw, &said); err != nil || said.Code != 0 || said.MsgID != got {
			t.Errorf("%q is read as msgid %d, JSON says %+v, %v", raw, got, said, err)
		}
	})
}
