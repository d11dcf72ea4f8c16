package handlers

import (
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"time"
)

// success is the answer that asks the platform to say nothing to the person. It
// stays plain in safe mode too (WeChat: passive reply docs).
const success = "success"

// renderReply returns the body that answers m with text.
func renderReply(m *received, text string, now time.Time) ([]byte, error) {
	reply := wireText{Content: cdata(text), WireHead: WireHead{
		ToUserName: m.FromUserName, FromUserName: m.ToUserName, CreateTime: jsonInt(now.Unix()), MsgType: "text",
	}}
	if m.asJSON {
		return json.Marshal(reply)
	}
	return xml.Marshal(reply)
}

// body returns the response that answers m with text, encrypted if the account
// is in safe mode, and its content type.
func (c *Callback) body(m *received, text string) (body []byte, contentType string, err error) {
	contentType = "application/xml; charset=utf-8"
	if m.asJSON {
		contentType = "application/json; charset=utf-8"
	}
	now := c.cfg.Now()
	if body, err = renderReply(m, text, now); err != nil {
		return nil, "", fmt.Errorf("render reply: %w", err)
	}
	if c.cfg.AESKey == "" {
		return body, contentType, nil
	}
	s := stamp{random: make([]byte, 16), time: now.Unix(), nonce: rand.Text()[:12]}
	_, _ = rand.Read(s.random) // it never fails
	body, err = encrypt(body, c.cfg.AppID, c.cfg.Token, c.cfg.AESKey, s, m.asJSON)
	return body, contentType, err
}
