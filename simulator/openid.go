package simulator

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

const (
	openIDLength = 28
	// twinEvery is how often a generated OpenID is its neighbour's with the case of each letter swapped: numbers 1,
	// 51, 101 … are the twins of 0, 50, 100 … Whoever compares OpenIDs without regard to case mixes up two people.
	twinEvery = 50
)

// register makes the OpenIDs of an account's generated followers from their numbers and reads the numbers back, so
// that a million followers need no memory. An OpenID is six characters that all followers of an account share, and
// sixteen bytes in base64: a tag, and the number hidden by it.
type register struct {
	prefix string
	secret uint64
}

func newRegister(appID string, seed uint64) register {
	secret := newRNG(seed, uint64(len(appID)))
	for _, c := range []byte(appID) {
		secret = newRNG(secret.state, uint64(c))
	}
	account := binary.BigEndian.AppendUint64(nil, secret.next())
	return register{prefix: "o" + base64.RawURLEncoding.EncodeToString(account)[:5], secret: secret.next()}
}

// append adds the OpenID of a number to buf.
func (r register) append(buf []byte, number uint32) []byte {
	twin := number%twinEvery == 1
	if twin {
		number--
	}
	var raw [16]byte
	tag := mix64(uint64(number) ^ r.secret)
	binary.BigEndian.PutUint64(raw[:8], tag)
	binary.BigEndian.PutUint64(raw[8:], uint64(number)^mix64(tag^r.secret))
	buf = append(buf, r.prefix...)
	start := len(buf)
	buf = base64.RawURLEncoding.AppendEncode(buf, raw[:])
	if twin {
		swapCase(buf[start:])
	}
	return buf
}

// number reads an OpenID back; false if this register did not make it.
func (r register) number(openID string) (uint32, bool) {
	if len(openID) != openIDLength || !strings.HasPrefix(openID, r.prefix) {
		return 0, false
	}
	var suffix [openIDLength]byte
	tail := suffix[:copy(suffix[:], openID[len(r.prefix):])]
	if number, ok := r.decode(tail); ok && number%twinEvery != 1 {
		return number, r.same(number, openID)
	}
	swapCase(tail)
	number, ok := r.decode(tail)
	if !ok || number%twinEvery != 0 {
		return 0, false
	}
	return number + 1, r.same(number+1, openID)
}

func (r register) decode(tail []byte) (uint32, bool) {
	var raw [16]byte
	if n, err := base64.RawURLEncoding.Decode(raw[:], tail); err != nil || n != len(raw) {
		return 0, false
	}
	tag := binary.BigEndian.Uint64(raw[:8])
	number := binary.BigEndian.Uint64(raw[8:]) ^ mix64(tag^r.secret)
	if number > 1<<32-2 || mix64(number^r.secret) != tag {
		return 0, false
	}
	return uint32(number), true
}

func (r register) same(number uint32, openID string) bool {
	var buf [openIDLength]byte
	return string(r.append(buf[:0], number)) == openID
}

func swapCase(text []byte) {
	for i, c := range text {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			text[i] = c ^ 0x20
		}
	}
}

// wellFormed tells whether a text could be an OpenID of some account.
func wellFormed(openID string) bool {
	return len(openID) == openIDLength && openID[0] == 'o' && plain(openID)
}

// plain tells whether a text is made of the characters of OpenIDs, and not empty.
func plain(openID string) bool {
	return openID != "" && strings.Trim(openID, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
