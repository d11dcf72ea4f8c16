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

// head is the head of a reply to m.
func (m *received) head(now time.Time, msgType string) WireHead {
	return WireHead{
		ToUserName: m.FromUserName, FromUserName: m.ToUserName, CreateTime: jsonInt(now.Unix()), MsgType: msgType,
	}
}

// inWords is the reply to m in words.
func (m *received) inWords(text string, now time.Time) wireText {
	return wireText{Content: cdata(text), WireHead: m.head(now, "text")}
}

// render returns a reply in the format of m.
func render(m *received, reply any) ([]byte, error) {
	if m.asJSON {
		return json.Marshal(reply)
	}
	return xml.Marshal(reply)
}

func contentTypeOf(m *received) string {
	if m.asJSON {
		return "application/json; charset=utf-8"
	}
	return "application/xml; charset=utf-8"
}

// body returns the response that answers m with a reply, encrypted if the account is
// in safe mode, and its content type.
func (c *Callback) body(m *received, reply any) (body []byte, contentType string, err error) {
	contentType = contentTypeOf(m)
	if body, err = render(m, reply); err != nil {
		return nil, "", fmt.Errorf("render reply: %w", err)
	}
	if c.cfg.AESKey == "" {
		return body, contentType, nil
	}
	s := stamp{random: make([]byte, 16), time: c.cfg.Now().Unix(), nonce: rand.Text()[:12]}
	_, _ = rand.Read(s.random) // it never fails
	body, err = encrypt(body, c.cfg.AppID, c.cfg.Token, c.cfg.AESKey, s, m.asJSON)
	return body, contentType, err
}
