package people

import (
	"strings"

	"wechat-broadcast/models"
	"wechat-broadcast/zone"
)

// formulas are the characters with which a spreadsheet lets a formula begin.
const formulas = "=+-@\t\r\n|%"

// Cell makes a value harmless to a spreadsheet, which would take some for a formula: such a
// value gets a ' in front. Plain takes it away again, so a value that has one already gets
// another.
func Cell(value string) string {
	if begin := strings.TrimLeft(value, "' "); begin != "" && strings.ContainsRune(formulas, rune(begin[0])) {
		return "'" + value
	}
	return value
}

// Plain returns the value that Cell made harmless.
func Plain(cell string) string {
	if value, quoted := strings.CutPrefix(cell, "'"); quoted && Cell(value) != value {
		return value
	}
	return cell
}

// exportTime is RFC 3339 with milliseconds: two words of one person may come within a
// second.
const exportTime = "2006-01-02T15:04:05.000Z07:00"

// Moment is a moment in Beijing time as an export has it; empty for none.
func Moment(at models.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone.Beijing).Format(exportTime)
}
