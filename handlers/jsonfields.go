package handlers

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// jsonText is a string, or a number as it was written. The platform's JSON has
// numbers in quotes and without (wechat-platform-more.md §13.4).
type jsonText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *jsonText) UnmarshalJSON(raw []byte) error {
	switch raw[0] {
	case '"':
		return json.Unmarshal(raw, (*string)(t))
	case '{', '[', 't', 'f':
		return errors.New("neither text nor number")
	case 'n':
		*t = ""
	default:
		*t = jsonText(raw)
	}
	return nil
}

// jsonInt is an integer of 64 bits, in quotes or without; an empty text is 0.
type jsonInt int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *jsonInt) UnmarshalJSON(raw []byte) error {
	var text jsonText
	if err := text.UnmarshalJSON(raw); err != nil {
		return err
	}
	digits := strings.TrimSpace(string(text))
	if digits == "" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseInt(digits, 10, 64)
	*n = jsonInt(v)
	return err
}
