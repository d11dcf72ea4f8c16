package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/glebarez/go-sqlite"
	mysqldriver "github.com/go-sql-driver/mysql"
	"gorm.io/gorm"
)

// What comes from outside is made to fit its column here: MySQL would refuse it,
// and with it every other row of the statement.

const (
	maxDetail = 255   // runes of deliveries.detail and receipts.detail
	maxReason = 1000  // runes of broadcasts.detail
	maxScene  = 255   // runes of recipients.scene
	maxRemark = 255   // runes of recipients.remark
	maxHeard  = 255   // runes of recipients.heard
	maxKey    = 191   // bytes of inbound.message_key and broadcasts.request_key, which are ASCII
	maxText   = 65535 // bytes of a TEXT
	maxTarget = 191   // runes of audit.target

	maxConsentText = 255 // runes of consents.text
)

// cut returns s as valid UTF-8 without NUL and of at most n runes.
func cut(s string, n int) string {
	s = clean(s)
	if firstRunes(s, n) == s {
		return s
	}
	return firstRunes(s, n-1) + "…"
}

// firstRunes is cut for a key of the platform's: nothing marks where it was cut.
func firstRunes(s string, n int) string {
	s = clean(s)
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n])
}

// cutBytes is cut for a column whose size counts in bytes.
func cutBytes(s string, n int) string {
	s = clean(s)
	if len(s) <= n {
		return s
	}
	const mark = "…"
	end := n - len(mark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// fitKey returns a key that fits its column. Of two long keys none may become the
// other's, so one that does not fit is replaced by its hash and not cut.
func fitKey(key string) string {
	if len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r == 0 || r >= utf8.RuneSelf }) {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// clampInt returns the nearest number to n that an INT column holds.
func clampInt(n int) int64 { return min(max(int64(n), math.MinInt32), math.MaxInt32) }

// refusal names an error by which the database refuses what a row holds: the same
// statement fails again however often it is tried. It is empty for any other, such
// as a lost connection, a deadlock or a full disk. The name has nothing of the row.
func refusal(err error) string {
	var (
		my   *mysqldriver.MySQLError
		lite *sqlite.Error
	)
	switch {
	case errors.As(err, &my):
		// Classes of SQLSTATE: 22 are data exceptions, 23 are constraints. MySQL has
		// these without a class of their own: 1265 data truncated, 1366 incorrect
		// value, 3819 a CHECK (MySQL 8 error reference, server errors).
		class := string(my.SQLState[:2])
		if class == "22" || class == "23" || my.Number == 1265 || my.Number == 1366 || my.Number == 3819 {
			return "MySQL " + strconv.Itoa(int(my.Number))
		}
	case errors.As(err, &lite):
		switch lite.Code() {
		case sqliteTooBig, sqliteMismatch, sqliteCheck, sqliteNotNull, sqliteUnique, sqlitePrimaryKey:
			return "SQLite " + strconv.Itoa(lite.Code())
		}
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return "a duplicate key"
	case errors.Is(err, mysqldriver.ErrPktTooLarge):
		return "MySQL max_allowed_packet"
	}
	return ""
}

// SQLite's result codes for what a row holds (sqlite.org/rescode.html).
const (
	sqliteTooBig     = 18
	sqliteMismatch   = 20
	sqliteCheck      = 275
	sqliteNotNull    = 1299
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

// storeApart stores rows, all at once if the database takes them so. If it
// refuses what one holds, it stores the halves, and so on: the others are stored,
// and alone gets the one that is refused by itself, with the name of the refusal.
// Any other error ends it; store may be called again for the same rows.
func storeApart[T any](rows []T, store func([]T) error, alone func(row T, refusal string) error) error {
	err := store(rows)
	why := refusal(err)
	switch {
	case why == "":
		return err
	case len(rows) == 1:
		return alone(rows[0], why)
	}
	half := len(rows) / 2
	if err := storeApart(rows[:half], store, alone); err != nil {
		return err
	}
	return storeApart(rows[half:], store, alone)
}
