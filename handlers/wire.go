package handlers

import "encoding/xml"

// The platform's XML and JSON (WeChat: receiving messages, passive reply and message
// encryption docs). The SDK has such types beside its client, whose caches and
// their databases would come with them.

// WireHead are the fields of messages, events and replies. It is exported because
// encoding/xml sets no XMLName of an embedded type that is not.
type WireHead struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	ToUserName   cdata    `xml:"ToUserName"`
	FromUserName cdata    `xml:"FromUserName"`
	CreateTime   jsonInt  `xml:"CreateTime"`
	MsgType      string   `xml:"MsgType"`
	Event        string   `xml:"Event,omitempty" json:"Event,omitempty"`
}

// wireMessage are the fields of a message or event that are acted on.
type wireMessage struct {
	WireHead
	MsgID         jsonInt  `xml:"MsgId" json:"MsgId"`
	TemplateMsgID jsonInt  `xml:"MsgID" json:"MsgID"` // in receipts
	Content       jsonText `xml:"Content"`
	EventKey      jsonText `xml:"EventKey"`
	Status        jsonText `xml:"Status"`
}

// wireText is a reply in words.
type wireText struct {
	WireHead
	Content cdata `xml:"Content"`
}

// wireEncrypted is a reply that is encrypted, also in JSON.
type wireEncrypted struct {
	XMLName      struct{} `xml:"xml" json:"-"`
	EncryptedMsg string   `xml:"Encrypt" json:"Encrypt"`
	MsgSignature string   `xml:"MsgSignature" json:"MsgSignature"`
	Timestamp    int64    `xml:"TimeStamp" json:"TimeStamp"`
	Nonce        string   `xml:"Nonce" json:"Nonce"`
}

// cdata is text that is written as CDATA.
type cdata string

// MarshalXML implements xml.Marshaler.
func (c cdata) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Text string `xml:",cdata"`
	}{string(c)}, start)
}
