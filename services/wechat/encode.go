package wechat

import (
	"fmt"
	"strings"
)

// encodeMessage returns the message as the JSON that template/send wants:
// UTF-8 as it is, since the platform refuses \u escapes in places, and no
// miniprogram object unless there is one.
func encodeMessage(m Message) []byte {
	dst := appendPair(make([]byte, 0, sizeOf(m)), `{"touser":`, m.ToUser)
	dst = appendPair(dst, `,"template_id":`, m.TemplateID)
	if m.URL != "" {
		dst = appendPair(dst, `,"url":`, m.URL)
	}
	if m.MiniProgram != nil {
		dst = appendPair(dst, `,"miniprogram":{"appid":`, m.MiniProgram.AppID)
		if m.MiniProgram.PagePath != "" {
			dst = appendPair(dst, `,"pagepath":`, m.MiniProgram.PagePath)
		}
		dst = append(dst, '}')
	}
	if m.ClientMsgID != "" {
		dst = appendPair(dst, `,"client_msg_id":`, m.ClientMsgID)
	}
	dst = append(dst, `,"data":{`...)
	for i, f := range m.Data {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f.Key)
		dst = appendPair(dst, `:{"value":`, f.Value)
		if f.Color != "" {
			dst = appendPair(dst, `,"color":`, f.Color)
		}
		dst = append(dst, '}')
	}
	return append(dst, "}}"...)
}

// sizeOf is about how long the message gets, so that it is allocated once.
func sizeOf(m Message) int {
	n := 192 + len(m.ToUser) + len(m.TemplateID) + len(m.URL) + len(m.ClientMsgID)
	for _, f := range m.Data {
		n += 32 + len(f.Key) + len(f.Value) + len(f.Color)
	}
	return n
}

func appendPair(dst []byte, name, value string) []byte {
	return appendString(append(dst, name...), value)
}

// escapes are what JSON itself demands.
var escapes = func() *strings.Replacer {
	pairs := []string{`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`}
	for c := range rune(' ') {
		pairs = append(pairs, string(c), fmt.Sprintf(`\u%04x`, c))
	}
	return strings.NewReplacer(pairs...)
}()

// appendString appends a JSON string. Only what JSON itself demands is
// escaped; bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(append(dst, '"'), escapes.Replace(strings.ToValidUTF8(s, "\uFFFD"))...)
	return append(dst, '"')
}
