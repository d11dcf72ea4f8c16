package simulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var refusal = regexp.MustCompile(`^.+ rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)

func TestSendChecksInOrder(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1000, Refusing: 1, TemplateIDs: []string{"mine"}})
	token := mustToken(t, s)
	stranger := "o" + strings.Repeat("Z", 27)
	notice := func(field, value string) string {
		return fmt.Sprintf(`{"touser":%q,"template_id":%q,"data":{"thing1":{"value":"a"},"time2":{"value":"09:00"},%q:{"value":"%s"}}}`, s.Follower(0), noticeID, field, value)
	}
	linked := func(url, miniProgram string) string {
		return fmt.Sprintf(`{"touser":%q,"template_id":%q,"url":%q,"miniprogram":%s,"data":%s}`, s.Follower(0), noticeID, url, miniProgram, noticeData)
	}
	for _, tt := range []struct {
		name, token, body string
		want              int
		text              string
	}{
		{"no token and nothing else", "", "", 41001, ""},
		{"wrong token before broken JSON", strings.Repeat("x", 150), "{", 40001, ""},
		{"empty body", token, "", 44002, ""},
		{"broken JSON", token, `{"touser":`, 47001, ""},
		{"JSON of another shape", token, `[1]`, 47001, ""},
		{"touser before template_id", token, `{"touser":"x"}`, 40003, ""},
		{"stranger", token, message(stranger, ""), 43004, ""},
		{"refusing follower", token, message(s.Follower(500), ""), 43004, ""},
		{"template_id before data", token, `{"touser":"` + s.Follower(0) + `","template_id":"none"}`, 40037, ""},
		{"no data", token, `{"touser":"` + s.Follower(0) + `","template_id":"` + noticeID + `"}`, 47003, "argument invalid! data is empty"},
		{"empty data", token, `{"touser":"` + s.Follower(0) + `","template_id":"` + noticeID + `","data":{}}`, 47003, "argument invalid! data is empty"},
		{"GBK instead of UTF-8", token, notice("thing1", "\xc8\xba\xb7\xa2"), 47001, ""},
		{"url of 2,049 bytes", token, linked("https://example.com/"+strings.Repeat("a", 2029), `{}`), 40039, "invalid url size"},
		{"url that is a script", token, linked("javascript:alert(1)", `{}`), 45051, ""},
		{"url without a host", token, linked("https://", `{}`), 45051, ""},
		{"url that is none", token, linked("example.com/a", `{}`), 45051, ""},
		{"mini program that is not linked", token, linked("https://example.com", `{"appid":"wxffffffffffffffff","pagepath":"index"}`), 40013, ""},
		{"page of no mini program", token, linked("", `{"appid":"","pagepath":"index"}`), 40013, ""},
		{"mini program of another shape", token, linked("", `"wx1"`), 47001, ""},
		{"data of another shape", token, `{"touser":"` + s.Follower(0) + `","template_id":"` + noticeID + `","data":[]}`, 47001, ""},
		{"long thing", token, notice("thing1", strings.Repeat("长", 21)), 47003, "argument invalid! data.thing1.value invalid"},
		{"bad time", token, notice("time2", "soon"), 47003, "argument invalid! data.time2.value invalid"},
		{"blank thing", token, notice("thing1", " "), 47003, "argument invalid! data.thing1.value invalid"},
		{"missing field", token, `{"touser":"` + s.Follower(0) + `","template_id":"` + noticeID + `","data":{"thing1":{"value":"a"}}}`, 47003, "argument invalid! data.time2.value invalid"},
		{"good", token, message(s.Follower(0), ""), 0, "ok"},
		{"url of 2,048 bytes", token, linked("http://example.com/"+strings.Repeat("a", 2029), `null`), 0, "ok"},
		{"mini program of the examples", token, linked("", `{"appid":"wx0123456789abcdef","pagepath":"pages/loans?from=7"}`), 0, "ok"},
		{"older template with colour", token, `{"touser":"` + s.Follower(1) + `","template_id":"mine","topcolor":"#FF0000","data":{"first":{"value":"","color":"#173177"}}}`, 0, "ok"},
	} {
		got := send(t, s, tt.token, tt.body)
		if got.Code != tt.want {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
		if tt.want != 0 && !refusal.MatchString(got.Text) || !strings.HasPrefix(got.Text, tt.text) {
			t.Errorf("%s: errmsg is %q", tt.name, got.Text)
		}
		if digits := len(strconv.FormatInt(got.MsgID, 10)); tt.want == 0 && digits != 19 {
			t.Errorf("%s: the msgid has %d digits, want 19", tt.name, digits)
		}
	}
	var a answer
	mustCall(t, s, http.MethodGet, pathSend+"?access_token="+token, "", &a)
	if a.Code != 43002 {
		t.Errorf("GET answers %d, want 43002", a.Code)
	}
}

func TestValueRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		key  string
		good []string
		bad  []string
	}{
		{"thing1", []string{"图书馆周三闭馆", strings.Repeat("字", 20)}, []string{"", strings.Repeat("字", 21)}},
		{"character_string2", []string{"A-1 #2", strings.Repeat("9", 32)}, []string{"订单1", strings.Repeat("9", 33)}},
		{"time3", []string{"09:00", "2026年11月24日 09:00", "2026-11-24 09:00:30", "09:00~10:00"}, []string{"soon", "明天"}},
		{"date4", []string{"2026年11月24日", "2026-11-24"}, []string{"tomorrow"}},
		{"phrase5", []string{"已完成"}, []string{"已经全部完成", "done"}},
		{"number6", []string{"12", "-1.5"}, []string{"1e9", "十", strings.Repeat("1", 33)}},
		{"letter7", []string{"abc"}, []string{"a1", strings.Repeat("a", 33)}},
		{"symbol8", []string{"+-*"}, []string{"a", "++++++"}},
		{"amount9", []string{"¥100.00", "100元", "1"}, []string{"一百", "12345678901", "1.234"}},
		{"phone_number10", []string{"+86-0766-66888866"}, []string{"call me", strings.Repeat("1", 18)}},
		{"car_number11", []string{"粤A8Z888挂"}, []string{"粤A8Z888挂粤A"}},
		{"name12", []string{"张三", "John Smith Junior"}, []string{"这个名字实在是太长了啊", strings.Repeat("a", 21)}},
		{"first", []string{"", strings.Repeat("字", 300)}, nil},
		{"keyword1", []string{""}, nil},
		{"const13", []string{"anything"}, nil},
	} {
		tpl := newTemplates(Options{Templates: []Template{{ID: "T", Content: "x：{{" + tt.key + ".DATA}}"}}})
		for _, value := range tt.good {
			if got := tpl.fault("T", map[string]DataField{tt.key: {Value: value}}); got != "" {
				t.Errorf("%s: %q is refused", tt.key, value)
			}
		}
		for _, value := range tt.bad {
			if got := tpl.fault("T", map[string]DataField{tt.key: {Value: value}}); got != tt.key {
				t.Errorf("%s: %q is taken", tt.key, value)
			}
		}
	}
}

func TestCutLongThings(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1, CutLongThings: true})
	body := strings.Replace(message(s.Follower(0), ""), "图书馆周三闭馆", strings.Repeat("长", 25), 1)
	if got := send(t, s, mustToken(t, s), body); got.Code != 0 {
		t.Fatalf("answers %+v", got)
	}
	received, _ := s.Ledger(s.Follower(0))
	if got, want := received[0].Content.Data["thing1"].Value, strings.Repeat("长", 20)+"…"; got != want {
		t.Errorf("received %q, want %q", got, want)
	}
}

func TestClientMsgID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer     string
		code       int
		sameMsgID  bool
		otherMsgID bool
	}{
		{DuplicateSame, 0, true, false},
		{DuplicateNew, 0, false, true},
		{DuplicateError, 45065, false, false},
	} {
		t.Run(tt.answer, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s := mustStart(t, Options{Followers: 10, DuplicateAnswer: tt.answer, DuplicateCode: 45065, Now: c.Now})
			token := mustToken(t, s)
			first := send(t, s, token, message(s.Follower(0), "b7-1"))
			other := send(t, s, token, message(s.Follower(1), "b7-1"))
			if first.Code != 0 || other.Code != 0 || first.MsgID == other.MsgID {
				t.Fatalf("first sends: %+v, %+v", first, other)
			}
			c.advance(10*time.Minute - time.Second)
			again := send(t, s, token, message(s.Follower(0), "b7-1"))
			if again.Code != tt.code || (again.MsgID == first.MsgID) != tt.sameMsgID || (again.MsgID != 0 && again.MsgID != first.MsgID) != tt.otherMsgID {
				t.Errorf("the repeated send answers %+v", again)
			}
			if received, tries := s.Ledger(s.Follower(0)); len(received) != 1 || tries != 2 {
				t.Errorf("received %d, tried %d; want 1, 2", len(received), tries)
			}
			if st := s.Stats(); st.Accepted != 2 || st.Repeated != 1 || st.Reached != 2 || st.Twice != 0 || st.MoreThanOne != 0 {
				t.Errorf("within the window: %+v", st)
			}
			c.advance(time.Second)
			late := send(t, s, token, message(s.Follower(0), "b7-1"))
			if late.Code != 0 || late.MsgID == first.MsgID {
				t.Errorf("after the window: %+v", late)
			}
			if st := s.Stats(); st.Twice != 1 || st.TwiceByID != 1 || st.MoreThanOne != 1 || st.Accepted != 3 || st.Reached != 2 {
				t.Errorf("after the window: %+v", st)
			}
		})
	}
}

func TestTwiceIsByContent(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 10})
	token := mustToken(t, s)
	openID := s.Follower(0)
	send(t, s, token, message(openID, "1"))
	other := strings.Replace(message(openID, "2"), "周三", "周四", 1)
	send(t, s, token, other)
	if st := s.Stats(); st.Twice != 0 || st.MoreThanOne != 1 {
		t.Errorf("two broadcasts: twice %d, more than one %d; want 0, 1", st.Twice, st.MoreThanOne)
	}
	// The same in another order of keys is the same to a follower, and a third copy counts no second time.
	reordered := fmt.Sprintf(`{"touser":%q,"template_id":%q,"data":{"keyword3":{"value":"请相互转告"},"time2":{"value":"2026年11月24日 09:00"},"thing1":{"value":"图书馆周三闭馆"}}}`, openID, noticeID)
	send(t, s, token, reordered)
	send(t, s, token, reordered)
	if st := s.Stats(); st.Twice != 1 || st.MoreThanOne != 1 || st.TwiceByID != 0 {
		t.Errorf("the same again: %+v", st)
	}
	received, tries := s.Ledger(openID)
	if len(received) != 4 || tries != 4 || received[1].ClientMsgID != "2" || received[1].Content.Data["thing1"].Value != "图书馆周四闭馆" {
		t.Errorf("ledger: %d tries, %+v", tries, received)
	}
	s.Reset()
	if st := s.Stats(); st.Accepted != 0 || st.Calls != 0 || st.Twice != 0 || len(st.Codes) != 0 {
		t.Errorf("after a reset: %+v", st)
	}
	if received, tries := s.Ledger(openID); len(received) != 0 || tries != 0 {
		t.Error("the ledger outlives a reset")
	}
}

func TestSendLimitOfASecond(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Followers: 10, Now: c.Now})
	s.SetLimits(Limits{SendSecond: 2})
	token := mustToken(t, s)
	var codes []int
	for i := range 5 {
		codes = append(codes, send(t, s, token, message(s.Follower(i), "")).Code)
		if i == 2 {
			c.advance(time.Second)
		}
	}
	if diff := cmp.Diff([]int{0, 0, 45011, 0, 0}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
}

func TestSendLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := mustStart(t, Options{Followers: 10, Limits: Limits{SendDaily: 5, SendMinute: 3}, Now: c.Now})
	token := mustToken(t, s)
	var codes []int
	for i := range 6 {
		codes = append(codes, send(t, s, token, message(s.Follower(i), "")).Code)
		if i == 3 {
			c.advance(time.Minute)
		}
	}
	if diff := cmp.Diff([]int{0, 0, 0, 45011, 0, 0}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	c.advance(time.Minute)
	if got := send(t, s, token, message(s.Follower(7), "")).Code; got != 45009 {
		t.Errorf("the sixth of five a day answers %d, want 45009", got)
	}
	quota := func() (used, remain int) {
		var a struct {
			Quota struct {
				Limit  int `json:"daily_limit"`
				Used   int `json:"used"`
				Remain int `json:"remain"`
			} `json:"quota"`
			Rate struct {
				Calls   int `json:"call_count"`
				Seconds int `json:"refresh_second"`
			} `json:"rate_limit"`
		}
		mustCall(t, s, http.MethodPost, pathQuotaGet+"?access_token="+token, `{"cgi_path":"/cgi-bin/message/template/send"}`, &a)
		if a.Quota.Limit != 5 || a.Rate.Calls != 3 || a.Rate.Seconds != 60 {
			t.Errorf("quota/get: %+v", a)
		}
		return a.Quota.Used, a.Quota.Remain
	}
	if used, remain := quota(); used != 5 || remain != 0 {
		t.Errorf("used %d, remain %d; want 5, 0", used, remain)
	}
	// Beijing's midnight, not that of UTC, begins the new day: the clock started at 09:00 there.
	c.advance(15 * time.Hour)
	token = mustToken(t, s)
	if used, remain := quota(); used != 0 || remain != 5 {
		t.Errorf("the next day: used %d, remain %d; want 0, 5", used, remain)
	}
}

func TestClearQuota(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 3, Limits: Limits{SendDaily: 1}})
	token := mustToken(t, s)
	for i := range clearsPerMonth + 1 {
		send(t, s, token, message(s.Follower(0), ""))
		if got := send(t, s, token, message(s.Follower(1), "")).Code; got != 45009 {
			t.Fatalf("round %d: over the limit answers %d", i, got)
		}
		var a answer
		mustCall(t, s, http.MethodPost, pathClearQuota+"?access_token="+token, `{"appid":"`+s.opts.AppID+`"}`, &a)
		if want := map[bool]int{true: 48006}[i == clearsPerMonth]; a.Code != want {
			t.Errorf("clear %d answers %d, want %d", i+1, a.Code, want)
		}
	}
}

func TestQuotaGet(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Limits: Limits{SendSecond: 50, UserGetDaily: 100}})
	token := mustToken(t, s)
	for _, tt := range []struct {
		path                         string
		code, limit, calls, duration int
	}{
		{"/cgi-bin/message/template/send", 0, unlimited, 50, 1},
		{"/cgi-bin/user/get", 0, 100, unlimited, 60},
		{"/cgi-bin/stable_token", 0, 500_000, 10_000, 60},
		{"/cgi-bin/message/mass/sendall", 0, 100, 60, 60}, // known, though not simulated
		{"/wxa/sec/queryblocktmplmsg", 0, unlimited, unlimited, 60},
		{"cgi-bin/user/get", 76003, 0, 0, 0},
		{"https://api.weixin.qq.com/cgi-bin/user/get", 76003, 0, 0, 0},
		{"", 76003, 0, 0, 0},
		{"/cgi-bin/user/gets", 76021, 0, 0, 0},
		{"/cgi-bin/user/get/", 76021, 0, 0, 0},
		{"/api.weixin.qq.com/cgi-bin/user/get", 76021, 0, 0, 0},
		{"/sns/userinfo", 76022, 0, 0, 0},
	} {
		var a struct {
			Code  int `json:"errcode"`
			Quota struct {
				Limit int `json:"daily_limit"`
			}
			Rate struct {
				Calls   int `json:"call_count"`
				Seconds int `json:"refresh_second"`
			} `json:"rate_limit"`
		}
		mustCall(t, s, http.MethodPost, pathQuotaGet+"?access_token="+token, fmt.Sprintf(`{"cgi_path":%q}`, tt.path), &a)
		if a.Code != tt.code || a.Quota.Limit != tt.limit || a.Rate.Calls != tt.calls || a.Rate.Seconds != tt.duration {
			t.Errorf("%q: %+v, want %+v", tt.path, a, tt)
		}
	}
}

// A body that is not UTF-8 is refused by every API that takes one.
func TestBodiesAreUTF8(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{Followers: 1})
	token := "?access_token=" + mustToken(t, s)
	for path, body := range map[string]string{
		pathCustom:        `{"touser":"` + s.Follower(0) + `","msgtype":"text","text":{"content":"%s"}}`,
		pathUserInfoBatch: `{"user_list":[{"openid":"` + s.Follower(0) + `","lang":"%s"}]}`,
		pathQuotaGet:      `{"cgi_path":"/cgi-bin/user/get","note":"%s"}`,
		pathClearQuota:    `{"appid":"` + s.opts.AppID + `","note":"%s"}`,
		pathStableToken:   strings.Replace(stableBody(s, false), "{", `{"note":"%s",`, 1),
	} {
		for text, want := range map[string]bool{"\xc8\xba\xb7\xa2": true, "群发": false} {
			var a answer
			mustCall(t, s, http.MethodPost, path+token, fmt.Sprintf(body, text), &a)
			if (a.Code == 47001) != want {
				t.Errorf("%s with %q answers %+v", path, text, a)
			}
		}
	}
}

func TestTemplateList(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{TemplateIDs: []string{"mine"}})
	var a struct {
		Code *int       `json:"errcode"`
		List []Template `json:"template_list"`
	}
	mustCall(t, s, http.MethodGet, pathTemplates+"?access_token="+mustToken(t, s), "", &a)
	if a.Code != nil || len(a.List) != len(builtIn)+1 || a.List[0].ID != noticeID || !strings.Contains(a.List[0].Content, "{{thing1.DATA}}\n") {
		t.Errorf("templates: %+v", a)
	}
	_, got := call(t, s, http.MethodGet, pathTemplates+"?access_token="+mustToken(t, s), "")
	if text := string(got); !strings.HasSuffix(text, "}]}") {
		t.Errorf("the answer ends with %q", text[max(0, len(text)-10):])
	}
	for _, body := range []string{"", "{}"} {
		if _, posted := call(t, s, http.MethodPost, pathTemplates+"?access_token="+mustToken(t, s), body); string(posted) != string(got) {
			t.Errorf("POST of %q answers %s", body, posted)
		}
	}
	var refused answer
	mustCall(t, s, http.MethodPost, pathCallbackIP+"?access_token="+mustToken(t, s), "{}", &refused)
	if refused.Code != 43001 {
		t.Errorf("POST to what takes GET alone answers %d, want 43001", refused.Code)
	}
}

func TestConcurrentSends(t *testing.T) {
	t.Parallel()
	const followers, workers = 2000, 16
	s := mustStart(t, Options{Followers: followers, Refusing: 20, Faults: Faults{Latency: time.Millisecond}})
	token := mustToken(t, s)
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			for i := range followers {
				if i%4 == worker%4 { // each follower is tried four times at once
					send(t, s, token, message(s.Follower(i), "b1"))
				}
			}
		})
	}
	wg.Wait()
	st := s.Stats()
	if st.Reached != followers-20 || st.Accepted != st.Reached || st.Twice != 0 || st.MoreThanOne != 0 || st.Calls != followers*4 {
		t.Errorf("stats: %+v", st)
	}
	if int(st.Reached) != st.Reachable || len(s.Missing(0)) != 0 {
		t.Errorf("reached %d of %d, missing %d", st.Reached, st.Reachable, len(s.Missing(0)))
	}
	if st.MaxInFlight < 2 || st.MaxInFlight > workers || st.InFlight != 0 {
		t.Errorf("in flight: at most %d, now %d", st.MaxInFlight, st.InFlight)
	}
	if st.Codes["0"] != (followers-20)*4 || st.Codes["43004"] != 80 || st.TriedOver2 != followers {
		t.Errorf("codes %v, tried more than twice %d", st.Codes, st.TriedOver2)
	}
	calls := 0
	for _, second := range st.Seconds {
		calls += second.Calls
	}
	if calls != followers*4 {
		t.Errorf("the seconds hold %d calls", calls)
	}
}

func FuzzTemplateSend(f *testing.F) {
	s, err := New(Options{Followers: 10})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	token := mustToken(f, s)
	f.Add([]byte(message(s.Follower(0), "x")))
	f.Add([]byte(`{"touser":1}`))
	f.Add([]byte(`{"touser":"` + s.Follower(0) + `","template_id":"` + noticeID + `","data":{"thing1":null}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, pathSend+"?access_token="+token, strings.NewReader(string(body))))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"errcode":`) {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
