package sqldump

import (
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
)

var errValue = errors.New("no value")

// value reads a value from its first token on: a text, a number, NULL or a literal in
// hexadecimal or binary, as text.
func (r *Reader) value(t token) (string, error) {
	sign := ""
	for t.is("-") || t.is("+") {
		if sign = t.text; sign == "+" {
			sign = ""
		}
		var err error
		if t, err = r.next(); err != nil {
			return "", err
		}
	}
	switch {
	case t.kind == text || t.kind == double:
		return r.joined(t.text)
	case t.kind != word:
		return "", errValue
	case t.keyword("NULL"):
		return "", nil
	case t.keyword("TRUE"):
		return "1", nil
	case t.keyword("FALSE"):
		return "0", nil
	case strings.HasPrefix(t.text, "0x"):
		return fromHex(t.text[2:])
	case strings.HasPrefix(t.text, "0b"):
		return fromBits(t.text[2:])
	case t.keyword("X", "B", "N"), strings.HasPrefix(t.text, "_"):
		return r.introduced(t.text)
	case strings.Trim(t.text, "0123456789.eE+-") == "":
		return sign + t.text, nil
	default:
		return "", errValue
	}
}

// joined returns a text with those that follow it: MySQL takes them for one.
func (r *Reader) joined(first string) (string, error) {
	for {
		t, err := r.next()
		if err != nil {
			return "", err
		}
		if t.kind != text {
			r.hold(t)
			return first, nil
		}
		if first += t.text; len(first) > maxText {
			first = first[:maxText]
		}
	}
}

// introduced reads the literal after X, B, N or the name of a character set, such as
// _binary.
func (r *Reader) introduced(by string) (string, error) {
	t, err := r.next()
	switch {
	case err != nil:
		return "", err
	case strings.EqualFold(by, "X") && t.kind == text:
		return fromHex(t.text)
	case strings.EqualFold(by, "B") && t.kind == text:
		return fromBits(t.text)
	case t.kind == text, t.kind == double && by[0] == '_':
		return r.joined(t.text)
	case by[0] == '_' && t.kind == word:
		return r.value(t)
	}
	return "", errValue
}

func fromHex(digits string) (string, error) {
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return "", errValue
	}
	return string(b), nil
}

// fromBits returns the number that bits stand for.
func fromBits(bits string) (string, error) {
	if len(bits) > 64 || strings.Trim(bits, "01") != "" {
		return "", errValue
	}
	n, _ := new(big.Int).SetString("0"+bits, 2)
	return n.String(), nil
}
