package models

import (
	"regexp"
	"strings"
)

// maxOpenID is the longest OpenID that the schema holds, in bytes.
const maxOpenID = 128

// ValidOpenID tells whether s has the shape of an OpenID: 1 to 128 bytes of
// visible ASCII. WeChat's are 28 characters, but nowhere is that promised.
func ValidOpenID(s string) bool {
	return s != "" && len(s) <= maxOpenID && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// minOpenID is shorter than any OpenID that was seen: those have 28 characters.
const minOpenID = 20

// typed is what an OpenID that a person typed consists of.
var typed = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// LikeOpenID tells whether what somebody typed, or has in a file, has the form of an OpenID.
func LikeOpenID(s string) bool {
	return len(s) >= minOpenID && typed.MatchString(s) && ValidOpenID(s)
}

// askedByToken begins what stands for a token of the HTTP API where the OpenID of an admin
// stands else. It has a space, as no OpenID has.
const askedByToken = "token "

// MaskOpenID returns an OpenID as a log may show it: its first four and last
// three characters, enough to find a person again and too little to write to
// them. What is too short to hide anything is hidden whole. What stands for a token of the
// HTTP API is nobody's, and stays as it is.
func MaskOpenID(s string) string {
	if strings.HasPrefix(s, askedByToken) {
		return s
	}
	r := []rune(s)
	if len(r) < 12 {
		return "…"
	}
	return string(r[:4]) + "…" + string(r[len(r)-3:])
}
