package main

import (
	"encoding/base64"
	"encoding/binary"
)

// People are numbered from 0. Their OpenIDs look like the platform's: 28
// characters of which an account's share the first, and in no order.

const openIDPrefix = "oBench"

// scatter is odd, so that multiplying by it shuffles the 64-bit numbers, and
// gather undoes it.
const (
	scatter = 0x9e3779b97f4a7c15
	gather  = 0xf1de83e19937733d
)

func appendOpenID(dst []byte, i int) []byte {
	var raw [16]byte
	x := uint64(i) * scatter //nolint:gosec // it wraps on purpose
	binary.BigEndian.PutUint64(raw[:8], x)
	binary.BigEndian.PutUint64(raw[8:], x*scatter)
	dst = append(dst, openIDPrefix...)
	return base64.RawURLEncoding.AppendEncode(dst, raw[:])
}

func openIDOf(i int) string { return string(appendOpenID(nil, i)) }

// openIDLen is how long an OpenID is.
const openIDLen = len(openIDPrefix) + 22

// personOf returns the number of the person with an OpenID, -1 if there is none
// below n.
func personOf(openID []byte, n int) int {
	if len(openID) != openIDLen || string(openID[:len(openIDPrefix)]) != openIDPrefix {
		return -1
	}
	var raw [16]byte
	if _, err := base64.RawURLEncoding.Decode(raw[:], openID[len(openIDPrefix):]); err != nil {
		return -1
	}
	i := binary.BigEndian.Uint64(raw[:8]) * gather
	if i >= uint64(n) { //nolint:gosec // n is not negative
		return -1
	}
	return int(i) //nolint:gosec // below n
}
