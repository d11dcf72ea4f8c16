package handlers

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"mime"
	"strings"
)

// wireAnswer are the fields of an answer that tell for whom it is.
type wireAnswer struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	ToUserName   string   `xml:"ToUserName"`
	FromUserName string   `xml:"FromUserName"`
	MsgType      string   `xml:"MsgType"`
}

// wireEnvelope is an encrypted answer.
type wireEnvelope struct {
	XMLName      xml.Name `xml:"xml" json:"-"`
	Encrypt      string   `xml:"Encrypt"`
	MsgSignature string   `xml:"MsgSignature"`
	TimeStamp    jsonText `xml:"TimeStamp"`
	Nonce        jsonText `xml:"Nonce"`
}

// checkType checks the Content-Type of an answer. The platform minds none, and PHP calls
// everything text/html unless told otherwise.
func checkType(header string) error {
	kind, _, err := mime.ParseMediaType(cmp.Or(header, "text/plain"))
	if err == nil && (strings.HasPrefix(kind, "text/") || kind == "application/xml" || kind == "application/json") {
		return nil
	}
	return errors.New("an answer that is neither XML nor JSON nor text by its Content-Type")
}

// judge tells whether the platform can take an answer of the existing server for the
// sender of m, and returns its content type: nothing, "success", or a message to this
// person in the account's format (WeChat: passive reply docs), encrypted with the
// account's key in safe mode. For anything else the person would read that the account
// is out of order, or somebody else's message.
func (r *relay) judge(m *received, body []byte) (contentType string, err error) {
	text := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(text) == 0 || string(text) == success {
		return "text/plain; charset=utf-8", nil
	}
	message := body
	if r.cfg.AESKey != "" {
		if message, err = r.opened(m, body); err != nil {
			return "", err
		}
	}
	var a wireAnswer
	asJSON, err := read(message, &a)
	switch {
	case err != nil:
		return "", err
	case asJSON != m.asJSON:
		return "", errOtherFormat
	case a.ToUserName != m.openID():
		return "", errors.New("an answer to somebody else")
	case a.FromUserName != string(m.ToUserName):
		return "", errors.New("an answer from another account")
	case a.MsgType == "":
		return "", errors.New("an answer without MsgType")
	}
	return contentTypeOf(m), nil
}

var errOtherFormat = errors.New("an answer in another format than the account's")

// opened returns the message of an encrypted answer.
func (r *relay) opened(m *received, body []byte) ([]byte, error) {
	var e wireEnvelope
	asJSON, err := read(body, &e)
	switch {
	case err != nil:
		return nil, err
	case asJSON != m.asJSON:
		return nil, errOtherFormat
	case e.Encrypt == "":
		return nil, errors.New("an answer in the clear, and the account is in safe mode")
	case !signed(e.MsgSignature, r.cfg.Token, string(e.TimeStamp), string(e.Nonce), e.Encrypt):
		return nil, errors.New("an answer with a wrong MsgSignature")
	}
	return decrypt(e.Encrypt, r.cfg.AppID, r.cfg.AESKey)
}
