package handlers

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"

	"github.com/silenceper/wechat/v2/util"
)

// signed tells whether signature is the platform's over the token and parts
// (WeChat: server config docs; the message encryption docs for four parts). It
// takes the same time however much of it is right.
func signed(signature, token string, parts ...string) bool {
	want := util.Signature(append(parts, token)...)
	return subtle.ConstantTimeCompare([]byte(signature), []byte(want)) == 1
}

// errOtherApp says that a message was encrypted for another account.
var errOtherApp = errors.New("encrypted for another appid")

// decrypt decrypts a message and makes sure that it is for appID (WeChat:
// message encryption docs). It returns errOtherApp if it is not.
func decrypt(encrypted, appID, aesKey string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil || len(key) != 32 {
		return nil, errors.New("decode AES key: it is not 43 characters of base64")
	}
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		return nil, errors.New("decode message: it is not base64")
	}
	_, msg, forApp, err := util.AESDecryptMsg(raw, key)
	if err != nil {
		// The SDK's words tell of padding and lengths, which would help a forger.
		return nil, errors.New("decrypt message: it does not fit the AES key")
	}
	if string(forApp) != appID {
		return nil, errOtherApp
	}
	return msg, nil
}

// stamp is what makes an encrypted reply unlike every other.
type stamp struct {
	random []byte // 16 bytes
	time   int64  // Unix seconds
	nonce  string
}

// encrypt encrypts and signs a reply (WeChat: message encryption docs).
func encrypt(reply []byte, appID, token, aesKey string, s stamp, asJSON bool) ([]byte, error) {
	encrypted, err := util.EncryptMsg(s.random, reply, appID, aesKey)
	if err != nil {
		return nil, fmt.Errorf("encrypt reply: %w", err)
	}
	envelope := wireEncrypted{
		EncryptedMsg: string(encrypted),
		MsgSignature: util.Signature(token, fmt.Sprint(s.time), s.nonce, string(encrypted)),
		Timestamp:    s.time,
		Nonce:        s.nonce,
	}
	if asJSON {
		return json.Marshal(envelope)
	}
	return xml.Marshal(envelope)
}
