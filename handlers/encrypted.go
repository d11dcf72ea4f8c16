package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
)

// open returns the decrypted message of an encrypted body. The plain fields that
// a body of the compatible mode has besides are ignored.
func (c *Callback) open(q url.Values, body []byte) ([]byte, error) {
	encrypted, err := findEncrypted(body)
	if err != nil {
		return nil, malformed(err.Error())
	}
	// An empty part would leave msg_signature equal to a plain push's signature.
	if encrypted == "" {
		return nil, forbidden("not encrypted, and a key is set")
	}
	if !signed(q.Get("msg_signature"), c.cfg.Token, q.Get("timestamp"), q.Get("nonce"), encrypted) {
		return nil, forbidden("wrong msg_signature")
	}
	plain, err := decrypt(encrypted, c.cfg.AppID, c.cfg.AESKey)
	switch {
	case errors.Is(err, errOtherApp):
		return nil, forbidden(err.Error())
	case err != nil:
		return nil, malformed(err.Error())
	}
	return plain, nil
}

// needsKey tells whether body is encrypted although no key is set.
func (c *Callback) needsKey(body []byte) bool {
	if c.cfg.AESKey != "" {
		return false
	}
	encrypted, err := findEncrypted(body)
	return err == nil && encrypted != ""
}

// findEncrypted returns what stands in Encrypt, in XML or JSON (WeChat: message
// encryption docs); empty if it is not there. Anybody may have sent the body, so no
// tree is built. That the rest of it makes sense is not checked: msg_signature
// covers Encrypt alone.
func findEncrypted(body []byte) (encrypted string, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return "", errEmptyBody
	case body[0] == '{':
		var envelope struct{ Encrypt string }
		if json.Unmarshal(body, &envelope) != nil {
			return "", errBrokenJSON
		}
		return envelope.Encrypt, nil
	case body[0] == '<':
		return findInXML(body)
	default:
		return "", errNeither
	}
}

// findInXML looks for the element below the root. Text in CDATA is passed over:
// in compatible mode it is what a person wrote, who may write <Encrypt>.
func findInXML(body []byte) (encrypted string, err error) {
	depth := 0
	for {
		start := bytes.IndexByte(body, '<')
		if start < 0 {
			if depth != 0 {
				return "", errBrokenXML
			}
			return "", nil
		}
		body = body[start:]
		tag, rest, ok := cutTag(body)
		if !ok {
			return "", errBrokenXML
		}
		switch {
		case tag[1] == '!' || tag[1] == '?': // a comment, CDATA, a declaration
		case tag[1] == '/':
			depth--
		case tag[len(tag)-2] == '/':
		case depth == 1 && bytes.Equal(tag, []byte("<Encrypt>")):
			return encryptedText(rest)
		default:
			depth++
		}
		body = rest
	}
}

// cutTag cuts the tag, comment or CDATA that body begins with off it.
func cutTag(body []byte) (tag, rest []byte, ok bool) {
	end := ">"
	switch {
	case bytes.HasPrefix(body, []byte("<![CDATA[")):
		end = "]]>"
	case bytes.HasPrefix(body, []byte("<!--")):
		end = "-->"
	}
	i := bytes.Index(body, []byte(end))
	if i < 0 || i+len(end) < len("<a>") {
		return nil, nil, false
	}
	return body[:i+len(end)], body[i+len(end):], true
}

// encryptedText reads what follows <Encrypt>.
func encryptedText(body []byte) (encrypted string, err error) {
	text, _, ok := bytes.Cut(body, []byte("</Encrypt>"))
	if !ok {
		return "", errBrokenXML
	}
	text = bytes.TrimSpace(text)
	if inner, ok := bytes.CutPrefix(text, []byte("<![CDATA[")); ok {
		if text, ok = bytes.CutSuffix(inner, []byte("]]>")); !ok {
			return "", errBrokenXML
		}
	}
	return string(text), nil
}
