package handlers

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// maxDepth is how deep a body's XML may nest; the platform's goes five levels.
const maxDepth = 16

// received is a message or event as the platform sent it, decoded and checked.
type received struct {
	wireMessage
	kind string
	// asJSON is true if the account's data format is JSON; the reply must be too.
	asJSON bool

	// The request as it came, for the account's existing server. via is true if this
	// program had handed it on.
	body                              []byte
	urlOpenID, contentType, userAgent string
	via                               bool
}

// decode reads the XML or JSON of a message (WeChat: receiving messages docs)
// and checks that it has the fields that its kind needs. An error says in a few
// words what is wrong and holds nothing of the body.
func decode(body []byte) (*received, error) {
	var m received
	var err error
	if m.asJSON, err = read(body, &m.wireMessage); err != nil {
		// An event that is not acted on may have fields of other types than the
		// struct's. That is no reason to refuse it.
		m.wireMessage = wireMessage{}
		if _, again := read(body, &m.WireHead); again != nil || !slices.Contains([]string{kindOther, kindClick, kindScan}, kindOf(&m.WireHead)) {
			return nil, err
		}
	}
	m.kind = kindOf(&m.WireHead)
	return &m, m.check()
}

func kindOf(m *WireHead) string {
	switch strings.ToLower(m.MsgType) {
	case "text":
		return kindText
	case "event":
		switch strings.ToLower(m.Event) {
		case "subscribe":
			return kindSubscribe
		case "unsubscribe":
			return kindUnsubscribe
		case "click":
			return kindClick
		case "scan":
			return kindScan
		case strings.ToLower(wechat.TemplateMessages{}.ReceiptEvent()):
			return kindReceipt
		}
	}
	return kindOther
}

func (m *received) check() error {
	switch {
	case m.FromUserName == "":
		return errors.New("no FromUserName")
	case !models.ValidOpenID(m.openID()):
		return errors.New("FromUserName is no OpenID")
	case m.MsgType == "":
		return errors.New("no MsgType")
	case m.isEvent() && m.Event == "":
		return errors.New("no Event")
	case m.kind == kindText && m.ToUserName == "":
		return errors.New("no ToUserName") // there would be nobody to reply as
	case m.kind == kindReceipt && m.receiptID() <= 0:
		return errors.New("no MsgID")
	case m.kind == kindReceipt && m.Status == "":
		return errors.New("no Status")
	}
	return nil
}

func (m *received) openID() string { return string(m.FromUserName) }

func (m *received) isEvent() bool { return strings.EqualFold(m.MsgType, "event") }

// words are what the chat reads: what a person wrote, or the key of what they tapped
// in the menu, which acts like that text, or the scene of the QR code that they scanned,
// empty if there was none (WeChat: QR code and menu event docs).
func (m *received) words() string {
	switch m.kind {
	case kindClick, kindScan:
		return string(m.EventKey)
	case kindSubscribe:
		scene, coded := strings.CutPrefix(string(m.EventKey), "qrscene_")
		if !coded {
			return ""
		}
		return scene
	default:
		return string(m.Content)
	}
}

// what names a message that is not acted on.
func (m *received) what() string {
	if m.isEvent() {
		return "event " + cut(m.Event, 40)
	}
	return "message type " + cut(m.MsgType, 40)
}

// receiptID is the msgid that a receipt is about. Its tag is MsgID where a
// message's is MsgId.
func (m *received) receiptID() int64 { return int64(cmp.Or(m.TemplateMsgID, m.MsgID)) }

// at is when the platform says that it happened, or now if it does not say.
func (m *received) at(now time.Time) time.Time {
	if m.CreateTime <= 0 {
		return now
	}
	return time.Unix(int64(m.CreateTime), 0)
}

// key names a message: all deliveries of it have the same key, and no other
// message has (WeChat: receiving messages docs: by MsgId, events by FromUserName
// and CreateTime). A MsgId counts within its sender.
func (m *received) key() string {
	switch {
	case m.kind == kindReceipt:
		return fmt.Sprintf("r:%s:%d:%s", m.openID(), m.receiptID(), digest(string(m.Status)))
	case m.isEvent():
		return fmt.Sprintf("e:%s:%d:%s:%s", m.openID(), m.CreateTime, m.kind, digest(string(m.EventKey)))
	case m.MsgID != 0:
		return fmt.Sprintf("m:%s:%d", m.openID(), m.MsgID)
	case m.kind == kindText:
		return fmt.Sprintf("t:%s:%d:%s", m.openID(), m.CreateTime, digest(string(m.Content)))
	default:
		return fmt.Sprintf("o:%s:%d:%s", m.openID(), m.CreateTime, digest(m.MsgType))
	}
}

// digest stands for s in a key, whatever its length and letters.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// read reads XML into v, or JSON if body begins like it.
func read(body []byte, v any) (asJSON bool, err error) {
	if !utf8.Valid(body) {
		return false, errors.New("not UTF-8")
	}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return false, errEmptyBody
	case body[0] == '{':
		if json.Unmarshal(body, v) != nil {
			return true, errBrokenJSON
		}
		return true, nil
	case body[0] == '<':
		return false, unmarshalXML(body, v)
	default:
		return false, errNeither
	}
}

func unmarshalXML(body []byte, v any) error {
	guard := &xmlGuard{raw: xml.NewDecoder(bytes.NewReader(body))} //nolint:gosec // it only fills fields of ours, and the guard bounds it
	dec := xml.NewTokenDecoder(guard)
	err := dec.Decode(v)
	for err == nil {
		var tok xml.Token
		if tok, err = dec.Token(); err != nil {
			break
		}
		switch t := tok.(type) {
		case xml.Comment:
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				err = errTrailing
			}
		default:
			err = errTrailing
		}
	}
	switch {
	case errors.Is(err, io.EOF) && guard.closed():
		return nil
	case guard.fault != nil:
		return guard.fault
	case errors.Is(err, errTrailing):
		return err
	default:
		// The decoder's words may quote the body.
		return errBrokenXML
	}
}

// What is wrong with a body.
var (
	errEmptyBody  = errors.New("empty body")
	errNeither    = errors.New("neither XML nor JSON")
	errBrokenXML  = errors.New("broken XML")
	errBrokenJSON = errors.New("broken JSON")
	errTrailing   = errors.New("something after the XML")
)

// xmlGuard hands out the tokens of an XML text as long as they are of the plain
// sort that the platform sends.
type xmlGuard struct {
	raw   *xml.Decoder
	depth int
	begun bool
	fault error
}

// Token implements xml.TokenReader.
func (g *xmlGuard) Token() (xml.Token, error) {
	tok, err := g.raw.RawToken()
	if err != nil {
		return tok, err
	}
	switch tok.(type) {
	case xml.StartElement:
		g.begun = true
		if g.depth++; g.depth > maxDepth {
			g.fault = errors.New("XML nested too deep")
		}
	case xml.EndElement:
		g.depth--
	case xml.Directive:
		g.fault = errors.New("XML with a DOCTYPE")
	}
	if g.fault != nil {
		return nil, g.fault // a token beside it would have the decoder overlook it
	}
	return tok, nil
}

// closed tells whether an element was begun and each was ended.
func (g *xmlGuard) closed() bool { return g.begun && g.depth == 0 }
