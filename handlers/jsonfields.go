package handlers

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// jsonHead are the fields of a message in JSON that every kind has.
type jsonHead struct {
	ToUserName   string
	FromUserName string
	CreateTime   jsonInt
	MsgType      string
	Event        string
}

// jsonFields are the fields that are acted on.
type jsonFields struct {
	jsonHead
	Content  jsonText
	EventKey jsonText
	Status   jsonText
	MsgID    jsonInt `json:"MsgId"`
	// ReceiptID is what a receipt is about.
	ReceiptID jsonInt `json:"MsgID"`
}

func (f *jsonHead) to(m *received) {
	m.wireMessage = wireMessage{
		WireHead: WireHead{
			ToUserName:   cdata(f.ToUserName),
			FromUserName: cdata(f.FromUserName),
			CreateTime:   int64(f.CreateTime),
			MsgType:      f.MsgType,
		},
		Event: f.Event,
	}
}

func (f *jsonFields) to(m *received) {
	f.jsonHead.to(m)
	m.Content, m.EventKey, m.Status = string(f.Content), string(f.EventKey), string(f.Status)
	m.MsgID, m.TemplateMsgID = int64(f.MsgID), int64(f.ReceiptID)
}

// jsonText is a string, or a number as it was written. The platform's JSON has
// numbers in quotes and without (wechat-platform-more.md §13.4).
type jsonText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *jsonText) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(t))
	case '{', '[', 't', 'f':
		return errors.New("neither text nor number")
	case 'n':
		*t = ""
	default:
		*t = jsonText(raw)
	}
	return nil
}

// jsonInt is an integer of 64 bits, in quotes or without; an empty text is 0.
type jsonInt int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *jsonInt) UnmarshalJSON(raw []byte) error {
	var text jsonText
	if err := text.UnmarshalJSON(raw); err != nil {
		return err
	}
	digits := strings.TrimSpace(string(text))
	if digits == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	*n = jsonInt(v)
	return err
}
