package handlers

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

const (
	// linkLasts is how long a link is valid.
	linkLasts = 7 * 24 * time.Hour
	// maxToken is longer than any token that Links makes.
	maxToken = 64

	macSize = 16 // bytes of the signature: 128 bits
)

// linkKind is what a link shows. It is the first byte of what is signed.
type linkKind byte

// The kinds of links.
const (
	linkBroadcast linkKind = 'b' // one broadcast
	linkHistory   linkKind = 'h' // the latest broadcasts
)

// link is what a token stands for.
type link struct {
	kind    linkKind
	id      int64 // of the broadcast; 0 for the history
	expires time.Time
}

// Links makes and reads the signed links to the pages. Whoever holds a link can
// read what it names until it expires, and do nothing else.
type Links struct {
	base string
	key  []byte
	now  func() time.Time
}

// NewLinks returns Links below a public address (without a slash at its end;
// empty if there is none), signed with a key that is derived from the account's
// secrets. now is the clock; nil means time.Now.
func NewLinks(base, appSecret, token string, now func() time.Time) (*Links, error) {
	if now == nil {
		now = time.Now
	}
	// With the secret's length in front no other pair makes the same bytes.
	secret := fmt.Sprintf("%d:%s%s", len(appSecret), appSecret, token)
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "wechat-broadcast: links to pages, 1", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive the key of links: %w", err)
	}
	return &Links{base: base, key: key, now: now}, nil
}

// Broadcast returns the address of a broadcast's page, good for seven days; ""
// without a public address.
func (l *Links) Broadcast(id int64) string {
	return l.address(link{linkBroadcast, id, l.now().Add(linkLasts)})
}

// History returns the address of the page with the latest broadcasts, good for
// seven days; "" without a public address.
func (l *Links) History() string {
	return l.address(link{linkHistory, 0, l.now().Add(linkLasts)})
}

func (l *Links) address(to link) string {
	if l.base == "" {
		return ""
	}
	return l.base + "/b/" + l.token(to)
}

func (l *Links) token(to link) string {
	text := []byte{byte(to.kind)}
	text = binary.AppendVarint(text, to.id)
	text = binary.AppendVarint(text, to.expires.Unix())
	return base64.RawURLEncoding.EncodeToString(append(text, l.mac(text)...))
}

func (l *Links) mac(text []byte) []byte {
	h := hmac.New(sha256.New, l.key)
	h.Write(text)
	return h.Sum(nil)[:macSize]
}

// verify returns what was signed of a token; ok is false if it was not signed by us, or
// was changed.
func (l *Links) verify(token string) (text []byte, ok bool) {
	// The decoder skips line breaks, so one link would have many tokens.
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= macSize {
		return nil, false
	}
	text, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	return text, hmac.Equal(mac, l.mac(text))
}

// made tells whether a token is of these Links, also if it has expired.
func (l *Links) made(token string) bool {
	_, ok := l.verify(token)
	return ok
}

// read returns what a token stands for; ok is false if it was not signed by us,
// was changed, or has expired.
func (l *Links) read(token string) (to link, ok bool) {
	text, ok := l.verify(token)
	if !ok {
		return link{}, false
	}
	kind, rest := linkKind(text[0]), text[1:]
	id, n := binary.Varint(rest)
	if n <= 0 {
		return link{}, false
	}
	expires, m := binary.Varint(rest[n:])
	if m <= 0 || n+m != len(rest) {
		return link{}, false
	}
	to = link{kind, id, time.Unix(expires, 0)}
	return to, l.now().Before(to.expires)
}
