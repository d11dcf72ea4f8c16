package people

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"wechat-broadcast/models"
	"wechat-broadcast/services/message"
)

// openIDNames are what a column with OpenIDs is called, in lower case and without spaces,
// hyphens and underscores; the surest first.
var openIDNames = []string{
	"openid", "wxopenid", "weixinopenid", "wechatopenid", "useropenid", "mpopenid", "gzhopenid", "fansopenid", "微信openid", "用户openid",
	"wxid", "weixinid", "wechatid", "fromusername", "fromuser", "touser",
}

// openIDColumn returns the column that is called like one with OpenIDs, or -1.
func openIDColumn(names []string) int {
	folded := make([]string, len(names))
	for i, name := range names {
		folded[i] = strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(width.Fold.String(strings.TrimSpace(name))))
	}
	for _, name := range openIDNames {
		if i := slices.Index(folded, name); i >= 0 {
			return i
		}
	}
	return -1
}

// isOpenID tells whether a column is called openid and nothing else.
func isOpenID(name string) bool {
	return strings.EqualFold(strings.TrimSpace(width.Fold.String(name)), "openid")
}

// usual is the form that all OpenIDs have that were seen: what is no OpenID has it hardly
// ever. A UnionID has it too.
var usual = regexp.MustCompile(`^o[A-Za-z0-9_-]{27}$`)

// formColumn returns the first of the cells that has the usual form of an OpenID, or -1.
// names are those of the columns; none if they are not known.
func formColumn(names, cells []string) int {
	for i, cell := range cells {
		if i < len(names) && strings.Contains(strings.ToLower(names[i]), "union") {
			continue
		}
		if usual.MatchString(Plain(strings.TrimSpace(cell))) {
			return i
		}
	}
	return -1
}

// firstColumn tells whether a row without a header has its OpenID where one belongs: in the
// first column. Numbers of orders and parcels have digits alone.
func firstColumn(cells []string) bool {
	cell := Plain(strings.TrimSpace(cells[0]))
	return models.LikeOpenID(cell) && strings.ContainsFunc(cell, unicode.IsLetter)
}

// isHeader tells whether a row is one of names, of which one stands over OpenIDs. A row with
// a slip in its OpenID must not pass for one: the person would be lost.
func isHeader(cells []string, openID int) bool {
	for i, cell := range cells {
		name := strings.TrimSpace(cell)
		digits := strings.ContainsFunc(name, unicode.IsDigit)
		if !message.IsFieldName(name) || digits && i == openID || models.LikeOpenID(name) || slices.Contains(cells[:i], cell) {
			return false
		}
	}
	return len(strings.TrimSpace(cells[openID])) < 15
}

var unnamable = regexp.MustCompile(`[^\p{L}\p{Nd}_-]`)

// fieldOf returns the field for a column of a dump, whose name nobody can easily change: the
// name, or one like it that {NAME} can stand for.
func fieldOf(column string) string {
	name := unnamable.ReplaceAllString(width.Fold.String(strings.TrimSpace(column)), "_")
	if r := []rune(name); len(r) > 60 {
		name = string(r[:60])
	}
	if message.IsFieldName(name) {
		return name
	}
	if message.IsFieldName(name + "_") { // date and time stand for the start of a broadcast
		return name + "_"
	}
	return "_" + name
}
