package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"wechat-broadcast/models"
)

func TestAccessLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ask  func(a *account)
		want []string
	}{
		{"text", func(a *account) { a.push(textMsg("hi", 1)) }, []string{
			"level=INFO", "msg=request", "method=POST", "path=/wechat", "status=200", "took=", "bytes=", "ip=192.0.2.1",
			"kind=text", "openid=" + models.MaskOpenID(testSender),
		}},
		{"event that is not acted on", func(a *account) { a.push(eventMsg("debug_demo", "")) }, []string{
			"level=INFO", "kind=other", `reason="event debug_demo is not acted on"`,
		}},
		{"receipt", func(a *account) { a.push(receiptMsg) }, []string{"level=DEBUG", "kind=receipt", "status=200"}},
		{"receipt that fails", func(a *account) {
			a.receipt = func(context.Context, int64, string) error { return errors.New("database is away") }
			a.push(receiptMsg)
		}, []string{"level=ERROR", "kind=receipt", "status=500"}},
		{"refused", func(a *account) { a.post(nil, "") }, []string{"level=WARN", "status=403", `reason="wrong signature"`}},
		{"unknown route", func(a *account) { a.do("GET", "/nowhere?key=secret", nil) }, []string{
			"level=INFO", "path=/nowhere", "status=404",
		}},
		{"health", func(a *account) { a.do("GET", "/healthz", nil) }, []string{"level=DEBUG", "path=/healthz"}},
		{"readiness", func(a *account) { a.do("GET", "/readyz", nil) }, []string{"level=DEBUG", "path=/readyz"}},
		{"metrics", func(a *account) { a.do("GET", "/metrics", nil) }, []string{"level=DEBUG", "path=/metrics"}},
	} {
		a := newAccount(t)
		tt.ask(a)
		log := a.log.String()
		if strings.Count(log, "\n") != 1 {
			t.Errorf("%s: want one line: %s", tt.name, log)
		}
		for _, want := range tt.want {
			if !strings.Contains(log, want) {
				t.Errorf("%s: no %s in %s", tt.name, want, log)
			}
		}
	}
}

// No request, failing or not, puts a secret into the log or the answer.
func TestLogsAndAnswersTellNoSecret(t *testing.T) {
	t.Parallel()
	for mode, edit := range map[string]func(*setup){"plain": func(*setup) {}, "safe": safe} {
		const content = "WhatThePersonWrote"
		a := newAccount(t, edit, stored(newStore(t)), func(c *setup) {
			text := c.text
			c.text = func(ctx context.Context, in incoming) (outgoing, error) {
				switch in.text {
				case "fail":
					return outgoing{}, errors.New("find " + in.openID)
				case "panic":
					panic(in.openID)
				case "long":
					return outgoing{text: strings.Repeat("x", 3000)}, nil
				}
				_, err := text(ctx, in)
				return outgoing{text: "ok"}, err
			}
			c.receipt = func(context.Context, int64, string) error {
				return errors.New("record receipt of " + testSender)
			}
		})
		secrets := []string{testToken, testAESKey, testSender, content, "a8eedb185eb2fecf"}
		keep := func(q map[string][]string) {
			for _, key := range []string{"signature", "msg_signature", "nonce"} {
				if v := q[key]; len(v) > 0 {
					secrets = append(secrets, v[0])
				}
			}
		}
		var answers strings.Builder
		msgs := []string{
			textMsg(content, 1), textMsg("fail", 2), textMsg("panic", 3), textMsg("long", 4), receiptMsg,
			eventMsg("subscribe", ""), eventMsg("debug_demo", "<X>"+content+"</X>"), xmlMsg("image", content),
		}
		for _, bad := range badBodies() {
			msgs = append(msgs, bad.body)
		}
		for _, msg := range msgs {
			q := a.query(testNow)
			plain := q
			keep(q)
			rec := a.post(q, msg)
			q, encrypted := a.encrypted(testNow, msg, testAppID)
			keep(q)
			if rec2 := a.post(q, encryptedBody(encrypted)); rec2.Code >= 400 {
				answers.WriteString(rec2.Body.String())
			}
			// Stale, forged and replayed requests.
			old := a.query(testNow.Add(-fresh * 2))
			keep(old)
			for _, q := range []map[string][]string{old, plain, {"signature": plain["msg_signature"]}} {
				answers.WriteString(a.post(q, msg+" ").Body.String())
			}
			if rec.Code >= 400 {
				answers.WriteString(rec.Body.String())
			}
		}
		q := a.query(testNow)
		keep(q)
		a.do(http.MethodGet, "/wechat?"+q.Encode()+"&echostr=1", nil)
		answers.WriteString(a.do(http.MethodGet, "/metrics", nil).Body.String())
		for _, secret := range secrets {
			if strings.Contains(a.log.String(), secret) {
				t.Errorf("%s: the log tells %q", mode, secret)
			}
			// Only a reply names a person: the one that it is for.
			if strings.Contains(strings.ReplaceAll(answers.String(), "<ToUserName><![CDATA["+testSender, ""), secret) {
				t.Errorf("%s: an answer tells %q", mode, secret)
			}
		}
	}
}
