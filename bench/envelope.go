package main

import (
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/message"
	"github.com/silenceper/wechat/v2/util"
)

// The account that is served.
const (
	appID         = "wxd0a1b2c3d4e5f607"
	appSecret     = "0123456789abcdef0123456789abcdef"
	callbackToken = "benchtokenbenchtoken"
	callbackKey   = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
)

// original is the account as its followers' messages name it.
const original = "gh_7f083739789a"

// envelope is how the platform posts to an account's callback: signed with the token and, in
// safe mode, encrypted.
type envelope struct {
	App, Token string
	Key        string // "" outside safe mode
}

// safeMode is the envelope of the account that is served.
var safeMode = envelope{App: appID, Token: callbackToken, Key: callbackKey}

// wrap returns the query and the body of a post that carries a person's message.
func (e envelope) wrap(openID string, msg []byte) (query, body string, err error) {
	now, nonce := strconv.FormatInt(time.Now().Unix(), 10), rand.Text()[:12]
	query = "?signature=" + util.Signature(e.Token, now, nonce) + "&timestamp=" + now + "&nonce=" + nonce + "&openid=" + openID
	if e.Key == "" {
		return query, string(msg), nil
	}
	sealed, err := util.EncryptMsg([]byte(rand.Text()[:16]), msg, e.App, e.Key)
	if err != nil {
		return "", "", fmt.Errorf("encrypt a message: %w", err)
	}
	query += "&encrypt_type=aes&msg_signature=" + util.Signature(e.Token, now, nonce, string(sealed))
	return query, "<xml><ToUserName><![CDATA[" + original + "]]></ToUserName><Encrypt><![CDATA[" + string(sealed) + "]]></Encrypt></xml>", nil
}

// open returns what a reply says.
func (e envelope) open(reply []byte) (string, error) {
	if e.Key == "" {
		return string(reply), nil
	}
	var sealed message.EncryptedXMLMsg
	if err := xml.Unmarshal(reply, &sealed); err != nil || sealed.EncryptedMsg == "" {
		return "", errors.Join(fmt.Errorf("a reply is not encrypted: %.200q", reply), err)
	}
	_, plain, err := util.DecryptMsg(e.App, sealed.EncryptedMsg, e.Key)
	if err != nil {
		return "", fmt.Errorf("decrypt a reply: %w", err)
	}
	return string(plain), nil
}

// textOf is a text that a person sends.
func textOf(openID, text string, number int64) []byte {
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA["+original+"]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content><MsgId>%d</MsgId></xml>",
		openID, time.Now().Unix(), text, number)
}

// receiptOf is the receipt of a message that was delivered to a person.
func receiptOf(openID string, msgID int64) []byte {
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA["+original+"]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName>"+
		"<CreateTime>%d</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>"+
		"<MsgID>%d</MsgID><Status><![CDATA[success]]></Status></xml>", openID, time.Now().Unix(), msgID)
}
