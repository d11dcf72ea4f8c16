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
	encrypted, _, err := findEncrypted(body)
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
	encrypted, _, err := findEncrypted(body)
	return err == nil && encrypted != ""
}

// findEncrypted returns what stands in Encrypt, in XML or JSON (WeChat: message
// encryption docs), or found as false. Anybody may have sent the body, so it is
// read once from front to back and no tree is built. That the rest of it makes
// sense is not checked: msg_signature covers Encrypt alone.
func findEncrypted(body []byte) (encrypted string, found bool, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	switch {
	case len(body) == 0:
		return "", false, errEmptyBody
	case body[0] == '{':
		return findInJSON(body)
	case body[0] == '<':
		return findInXML(body)
	default:
		return "", false, errNeither
	}
}

// findInXML looks for the element below the root. Text in CDATA is passed over:
// in compatible mode it is what a person wrote, who may write <Encrypt>.
func findInXML(body []byte) (encrypted string, found bool, err error) {
	depth := 0
	for {
		start := bytes.IndexByte(body, '<')
		if start < 0 {
			if depth != 0 {
				return "", false, errBrokenXML
			}
			return "", false, nil
		}
		body = body[start:]
		tag, rest, ok := cutTag(body)
		if !ok {
			return "", false, errBrokenXML
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
func encryptedText(body []byte) (encrypted string, found bool, err error) {
	text, _, ok := bytes.Cut(body, []byte("</Encrypt>"))
	if !ok {
		return "", false, errBrokenXML
	}
	text = bytes.TrimSpace(text)
	if inner, ok := bytes.CutPrefix(text, []byte("<![CDATA[")); ok {
		if text, ok = bytes.CutSuffix(inner, []byte("]]>")); !ok {
			return "", false, errBrokenXML
		}
	}
	return string(text), true, nil
}

// findInJSON looks for the field of the outer object.
func findInJSON(body []byte) (encrypted string, found bool, err error) {
	depth := 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := endOfString(body[i:])
			if end == 0 {
				return "", false, errBrokenJSON
			}
			text := body[i : i+end]
			i += end - 1
			if depth != 1 || !bytes.Equal(text, []byte(`"Encrypt"`)) {
				continue
			}
			value, ok := bytes.CutPrefix(bytes.TrimLeft(body[i+1:], " \t\r\n"), []byte(":"))
			if !ok {
				continue // a value that reads Encrypt
			}
			value = bytes.TrimLeft(value, " \t\r\n")
			if end = endOfString(value); end == 0 || json.Unmarshal(value[:end], &encrypted) != nil {
				return "", false, errBrokenJSON
			}
			return encrypted, true, nil
		}
	}
	if depth != 0 {
		return "", false, errBrokenJSON
	}
	return "", false, nil
}

// endOfString returns how long the JSON string at the front is; 0 if there is none
// or it does not end.
func endOfString(body []byte) int {
	if len(body) == 0 || body[0] != '"' {
		return 0
	}
	for i := 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}
