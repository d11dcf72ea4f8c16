package wechat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// APIError is the platform's refusal of a call. Msg is its errmsg on one
// line, at most 200 runes, free of secrets.
type APIError struct {
	Code int
	Msg  string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("errcode %d: %s", e.Code, e.Msg)
}

// reply is what every answer may carry.
type reply struct {
	Code number `json:"errcode"`
	Msg  text   `json:"errmsg"`
}

// number is an integer that may come as a JSON number or string, exact up to
// 64 bits.
type number struct {
	value int64
	set   bool
}

// UnmarshalJSON takes null for absent and refuses what is no integer.
func (n *number) UnmarshalJSON(raw []byte) error {
	*n = number{}
	if string(raw) == "null" {
		return nil
	}
	raw = bytes.TrimSpace(bytes.Trim(raw, `"`))
	v, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return fmt.Errorf("parse integer: %w", err)
	}
	*n = number{value: v, set: true}
	return nil
}

// code is the number as an errcode. The platform's have 32 bits and so has the
// database's column: one beyond them, which means nothing, becomes the nearest.
func (n number) code() int { return int(min(max(n.value, math.MinInt32), math.MaxInt32)) }

// lenient is a number for which anything else counts as absent: a message
// that was accepted stays accepted when its msgid can't be read.
type lenient struct{ number }

// UnmarshalJSON never fails.
func (n *lenient) UnmarshalJSON(raw []byte) error {
	if err := n.number.UnmarshalJSON(raw); err != nil {
		n.number = number{}
	}
	return nil
}

// text is a string; any other JSON value is kept as it stands.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, (*string)(t)) != nil {
		*t = text(raw)
	}
	return nil
}
