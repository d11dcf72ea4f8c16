package simulator

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

const (
	// callbackTries is how often a message is sent in all until it is answered (WeChat: receiving messages docs).
	callbackTries = 3
	// replyLength is the longest text reply, in bytes of UTF-8; above it followers see the fault prompt instead.
	replyLength = 2047
	// answerLimit bounds what is read of an answer, in bytes.
	answerLimit = 1 << 20
)

// ErrFaulty is the error of a callback that was answered with something else than the platform understands, or not at
// all; the follower then reads 该公众号提供的服务出现故障，请稍后再试.
var ErrFaulty = errors.New("该公众号提供的服务出现故障，请稍后再试")

// push is one callback to be posted. The same push always makes the same request.
type push struct {
	openID string
	fields string // the XML after CreateTime
	stamp  int64  // Unix seconds
	nonce  string
	salt   [16]byte
}

// newPush is a push of now with a nonce of its own.
func (s *Simulator) newPush(openID, fields string) push {
	chance := newRNG(s.opts.Seed, s.calls.Add(1), uint64(s.opts.Now().UnixNano()))
	p := push{
		openID: openID, fields: fields, stamp: s.opts.Now().Unix(),
		nonce: strconv.FormatUint(chance.next()%1e10, 10),
	}
	binary.BigEndian.PutUint64(p.salt[:8], chance.next())
	binary.BigEndian.PutUint64(p.salt[8:], chance.next())
	return p
}

// request makes the request of a push: signature and, by mode, encryption (WeChat: message push encryption docs).
func (s *Simulator) request(ctx context.Context, p push) (*http.Request, error) {
	target, query, err := s.target(p)
	if err != nil {
		return nil, err
	}
	stamp := query.Get("timestamp")
	query.Set("openid", p.openID)

	head := "<ToUserName><![CDATA[" + s.opts.OriginalID + "]]></ToUserName>"
	open := head + "<FromUserName>" + cdata(p.openID) + "</FromUserName><CreateTime>" + stamp + "</CreateTime>" + p.fields
	body := open
	if s.opts.Mode != ModePlain {
		sealed := s.seal.close(p.salt, []byte("<xml>"+open+"</xml>"))
		query.Set("encrypt_type", "aes")
		query.Set("msg_signature", sign(s.opts.Token, stamp, p.nonce, sealed))
		if s.opts.Mode == ModeSafe {
			body = head
		}
		body += "<Encrypt><![CDATA[" + sealed + "]]></Encrypt>"
	}
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader("<xml>"+body+"</xml>"))
	if err != nil {
		return nil, fmt.Errorf("make callback: %w", err)
	}
	req.Header.Set("Content-Type", "text/xml")
	req.Header.Set("User-Agent", "Mozilla/4.0")
	return req, nil
}

// target is the callback's URL, and its query with a push's signature.
func (s *Simulator) target(p push) (*url.URL, url.Values, error) {
	target, err := url.Parse(*s.callback.Load())
	if err != nil || target.Host == "" {
		return nil, nil, errors.New("no callback URL is set")
	}
	stamp := strconv.FormatInt(p.stamp, 10)
	query := target.Query()
	query.Set("signature", sign(s.opts.Token, stamp, p.nonce))
	query.Set("timestamp", stamp)
	query.Set("nonce", p.nonce)
	return target, query, nil
}

// post sends a push once and gives the answer's body. An answer that is late or not 200 is an error.
func (s *Simulator) post(ctx context.Context, p push) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.CallbackTimeout)
	defer cancel()
	req, err := s.request(ctx, p)
	if err != nil {
		return nil, err
	}
	return s.roundTrip(req)
}

func (s *Simulator) roundTrip(req *http.Request) ([]byte, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the signed URL
		}
		return nil, fmt.Errorf("call back: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("call back: status %d", resp.StatusCode)
	}
	return body, nil
}

// tell sends a push until it is answered, at most three times, and gives the text of the reply.
func (s *Simulator) tell(ctx context.Context, p push) (string, error) {
	for try := 1; ; try++ {
		answer, err := s.post(ctx, p)
		if err == nil {
			return s.readReply(answer, p.openID)
		}
		if try == callbackTries || ctx.Err() != nil {
			return "", fmt.Errorf("%w: %w", ErrFaulty, err)
		}
		if err := s.waitFor(ctx, s.opts.CallbackRetry); err != nil {
			return "", fmt.Errorf("%w: %w", ErrFaulty, err)
		}
		if s.opts.ResignRetries {
			again := s.newPush(p.openID, p.fields)
			p.nonce, p.salt = again.nonce, again.salt
		}
	}
}

// tellEvent tells the callback that someone followed or left. Without a callback URL there is nobody to tell.
func (s *Simulator) tellEvent(ctx context.Context, openID, event string) error {
	if *s.callback.Load() == "" {
		return nil
	}
	fields := "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + event + "]]></Event><EventKey><![CDATA[]]></EventKey>"
	reply, err := s.tell(ctx, s.newPush(openID, fields))
	if reply != "" && s.opts.OnNotice != nil {
		s.opts.OnNotice(Notice{OpenID: openID, Text: reply, At: s.opts.Now()})
	}
	return err
}

// Say sends a text message of a follower to the callback, as often as the platform does until it is answered, and
// gives the text of the reply: "" if there is none. The error is ErrFaulty if the follower would see the fault prompt.
func (s *Simulator) Say(ctx context.Context, openID, text string) (string, error) {
	replies, err := s.SayCopies(ctx, openID, text, 1)
	if err != nil {
		return "", err
	}
	return replies[0], nil
}

// SayCopies delivers one text message several times at the same moment, as the platform may when answers are slow, and
// gives each copy's reply.
func (s *Simulator) SayCopies(ctx context.Context, openID, text string, copies int) ([]string, error) {
	return s.SayAs(ctx, openID, text, copies, s.userMsgIDs.Add(1))
}

// SayAs is SayCopies for a message with a given MsgId, so that one can be delivered again later.
func (s *Simulator) SayAs(ctx context.Context, openID, text string, copies int, msgID int64) ([]string, error) {
	if !plain(openID) {
		return nil, errOpenID
	}
	if id, known := s.people.id(openID); known {
		s.windows.spoke(id, s.opts.Now())
	}
	p := s.newPush(openID, fmt.Sprintf("<MsgType><![CDATA[text]]></MsgType><Content>%s</Content><MsgId>%d</MsgId>", cdata(text), msgID))
	replies, faults := make([]string, copies), make([]error, copies)
	var told sync.WaitGroup
	for i := range copies {
		told.Go(func() { replies[i], faults[i] = s.tell(ctx, p) })
	}
	told.Wait()
	return replies, errors.Join(faults...)
}

// Verify asks the callback for its echo, as the platform does when the URL is entered, and checks it.
func (s *Simulator) Verify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.CallbackTimeout)
	defer cancel()
	p := s.newPush("", "")
	target, query, err := s.target(p)
	if err != nil {
		return err
	}
	echo := strconv.FormatUint(binary.BigEndian.Uint64(p.salt[:8]), 10)
	query.Set("echostr", echo)
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return fmt.Errorf("make verification: %w", err)
	}
	body, err := s.roundTrip(req)
	if err != nil {
		return err
	}
	if string(body) != echo {
		return errors.New("the callback did not answer the echostr")
	}
	return nil
}

// reply is a passive reply, plain or sealed.
type reply struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string
	Encrypt      string
	MsgSignature string
	TimeStamp    string
	Nonce        string
}

// readReply reads the answer to a message from openID: nothing and "success" are no reply, anything else must be a
// well-made one, sealed in safe mode.
func (s *Simulator) readReply(answer []byte, openID string) (string, error) {
	fault := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("%w: %w", ErrFaulty, fmt.Errorf(format, args...))
	}
	if text := bytes.TrimSpace(answer); len(text) == 0 || string(text) == "success" {
		return "", nil
	}
	var r reply
	if err := xml.Unmarshal(answer, &r); err != nil {
		return fault("the reply is not XML: %w", err)
	}
	if r.Encrypt != "" {
		if s.seal == nil {
			return fault("the reply is encrypted, the account is in plain mode")
		}
		if !signed(r.MsgSignature, s.opts.Token, r.TimeStamp, r.Nonce, r.Encrypt) {
			return fault("the signature of the reply is wrong")
		}
		inner, err := s.seal.open(r.Encrypt)
		if err != nil {
			return fault("open reply: %w", err)
		}
		r = reply{}
		if err := xml.Unmarshal(inner, &r); err != nil {
			return fault("the sealed reply is not XML: %w", err)
		}
	} else if s.opts.Mode == ModeSafe {
		return fault("the reply is in clear text, the account is in safe mode")
	}
	switch {
	case r.ToUserName != openID:
		return fault("the reply is to somebody else")
	case r.FromUserName != s.opts.OriginalID:
		return fault("the reply is not from the account")
	case r.CreateTime <= 0 || r.MsgType == "":
		return fault("the reply lacks CreateTime or MsgType")
	case r.MsgType != "text":
		return "[" + r.MsgType + "]", nil
	case r.Content == "":
		return fault("the reply is empty")
	case len(r.Content) > replyLength:
		return fault("the reply has %d bytes, %d are allowed", len(r.Content), replyLength)
	}
	return r.Content, nil
}

// cdata quotes a text for XML.
func cdata(text string) string {
	return "<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>"
}
