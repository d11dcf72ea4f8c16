package simulator

import (
	"encoding/json"
	"hash/maphash"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// payloadsKept bounds how many different payloads are kept with their text; of more, the ledger knows that they were
// received and which are equal, but not what they said.
const payloadsKept = 50_000

// thingLength is how many characters a thing may have.
const thingLength = 20

// Template is a message template of the account. Content names the fields as the platform shows them:
// "订单号：{{character_string1.DATA}}\n时间：{{time4.DATA}}".
type Template struct {
	ID      string `json:"template_id"`
	Title   string `json:"title"`
	Primary string `json:"primary_industry"`
	Deputy  string `json:"deputy_industry"`
	Content string `json:"content"`
	Example string `json:"example"`
}

// builtIn are the templates that every account has.
var builtIn = []Template{
	{
		ID: "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY", Title: "通知提醒", Primary: "教育", Deputy: "图书馆",
		Content: "通知内容：{{thing1.DATA}}\n通知时间：{{time2.DATA}}\n备注：{{keyword3.DATA}}",
		Example: "通知内容：图书馆周三闭馆\n通知时间：2026年11月24日 09:00\n备注：请相互转告",
	},
	{
		ID: "Doclyl5uP7Aciu-qZ7mJNPtWkbkYnWBWVja26EGbNyk", Title: "订单支付成功通知", Primary: "IT科技", Deputy: "互联网|电子商务",
		Content: "订单号：{{character_string1.DATA}}\n时间：{{time4.DATA}}\n金额：{{amount5.DATA}}",
		Example: "订单号：20261124001\n时间：2026-11-24 09:00\n金额：¥100.00",
	},
	{
		ID: "OPENTM-b1rmpN9C3MIbOFEsQIGNmIb1pPdYd6hWd82", Title: "系统通知", Primary: "IT科技", Deputy: "IT软件与服务",
		Content: "{{first.DATA}}\n通知内容：{{keyword1.DATA}}\n通知时间：{{keyword2.DATA}}\n{{remark.DATA}}",
		Example: "您好\n通知内容：系统维护\n通知时间：今晚\n谢谢",
	},
}

// Content is what a template message says.
type Content struct {
	TemplateID  string               `json:"template_id"`
	URL         string               `json:"url,omitempty"`
	MiniProgram json.RawMessage      `json:"miniprogram,omitempty"`
	Data        map[string]DataField `json:"data"`
}

// DataField is the value of one template field. A colour is accepted and not shown.
type DataField struct {
	Value string `json:"value"`
	Color string `json:"color,omitempty"`
}

// payloads keep the different contents. A payload's number is a hash of its template and values, so that two
// messages that look the same to a follower have the same number; the text is looked up by it.
type payloads struct {
	seed maphash.Seed
	mu   sync.RWMutex
	seen map[uint64]uint64  // raw request text -> payload number, of contents that were found good
	kept map[uint64]Content // by payload number
}

func newPayloads() payloads {
	return payloads{seed: maphash.MakeSeed(), seen: make(map[uint64]uint64), kept: make(map[uint64]Content)}
}

// known gives the payload number of a raw content that was met before and found good.
func (p *payloads) known(raw uint64) (uint64, bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	number, ok := p.seen[raw]
	return number, ok
}

// raw hashes a content as it was sent.
func (p *payloads) raw(m *sendRequest) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	for _, part := range [...]string{m.TemplateID, m.URL} {
		_, _ = h.WriteString(part) // a maphash never fails
		_ = h.WriteByte(0)
	}
	_, _ = h.Write(m.MiniProgram)
	_, _ = h.Write(m.Data)
	return h.Sum64()
}

// add keeps a good content and gives its number.
func (p *payloads) add(raw uint64, c Content) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	_, _ = h.WriteString(c.TemplateID)
	for _, key := range slices.Sorted(maps.Keys(c.Data)) {
		for _, part := range [...]string{key, c.Data[key].Value} {
			_ = h.WriteByte(0)
			_, _ = h.WriteString(part)
		}
	}
	number := h.Sum64()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) < payloadsKept {
		p.seen[raw] = number
		p.kept[number] = c
	}
	return number
}

func (p *payloads) content(number uint64) Content {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.kept[number]
}

// templates are the templates that exist, by id, with the keys of their typed fields.
type templates struct {
	list      []Template
	keys      map[string][]string
	cutThings bool
}

var placeholder = regexp.MustCompile(`\{\{\s*([A-Za-z_]+\d*)\.DATA\s*\}\}`)

func newTemplates(o Options) templates {
	t := templates{keys: make(map[string][]string), cutThings: o.CutLongThings}
	if !o.NoBuiltIn {
		t.list = slices.Clone(builtIn)
	}
	t.list = append(t.list, o.Templates...)
	for _, id := range o.TemplateIDs {
		t.list = append(t.list, Template{ID: id, Title: "模板消息", Content: "{{first.DATA}}"})
	}
	for _, tpl := range t.list {
		t.keys[tpl.ID] = nil
		for _, match := range placeholder.FindAllStringSubmatch(tpl.Content, -1) {
			if _, typed := rules[kind(match[1])]; typed {
				t.keys[tpl.ID] = append(t.keys[tpl.ID], match[1])
			}
		}
	}
	return t
}

// fault names the first field whose value the platform refuses; "" if all are good. Fields of the older kinds (first,
// keyword1, remark) take anything (WeChat: template message docs and the rules of 2023).
func (t *templates) fault(templateID string, data map[string]DataField) string {
	keys := slices.AppendSeq(slices.Clone(t.keys[templateID]), maps.Keys(data))
	slices.Sort(keys)
	for _, key := range keys { // one that is there twice is as good the second time
		rule, typed := rules[kind(key)]
		if !typed {
			continue
		}
		value := data[key].Value
		if t.cutThings && kind(key) == "thing" && strings.TrimSpace(value) != "" {
			continue
		}
		if strings.TrimSpace(value) == "" || !rule(value) {
			return key
		}
	}
	return ""
}

// cutThings shortens things as a phone shows them.
func cutThings(data map[string]DataField) {
	for key, field := range data {
		if runes := []rune(field.Value); kind(key) == "thing" && len(runes) > thingLength {
			field.Value = string(runes[:thingLength]) + "…"
			data[key] = field
		}
	}
}

// kind is the type of a template key: its name without the number.
func kind(key string) string { return strings.TrimRight(key, "0123456789") }

var (
	timeValue   = regexp.MustCompile(`^[0-9年月日时分秒:：/.\-~ ]*[0-9][0-9年月日时分秒:：/.\-~ ]*$`)
	amountValue = regexp.MustCompile(`^[^0-9.]?[0-9]{1,10}(\.[0-9]{1,2})?元?$`)
	numberValue = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)
	phoneValue  = regexp.MustCompile(`^[0-9+\- ]{1,17}$`)
)

// rules are the values that typed fields take (WeChat: template message and subscription message parameter tables).
var rules = map[string]func(string) bool{
	"thing": func(v string) bool { return utf8.RuneCountInString(v) <= thingLength },
	"character_string": func(v string) bool {
		return len(v) <= 32 && all(v, func(r rune) bool { return r > 32 && r < 127 || r == ' ' })
	},
	"time":   timeValue.MatchString,
	"date":   timeValue.MatchString,
	"phrase": func(v string) bool { return utf8.RuneCountInString(v) <= 5 && all(v, isHan) },
	"number": func(v string) bool { return len(v) <= 32 && numberValue.MatchString(v) },
	"letter": func(v string) bool { return len(v) <= 32 && all(v, isLatin) },
	"symbol": func(v string) bool {
		return utf8.RuneCountInString(v) <= 5 && all(v, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	},
	"amount":       amountValue.MatchString,
	"phone_number": phoneValue.MatchString,
	"car_number":   func(v string) bool { return utf8.RuneCountInString(v) <= 8 },
	"name": func(v string) bool {
		return utf8.RuneCountInString(v) <= 10 || len(v) <= 20 && all(v, func(r rune) bool { return isLatin(r) || r == ' ' || r == '.' })
	},
}

func all(text string, is func(rune) bool) bool {
	return strings.IndexFunc(text, func(r rune) bool { return !is(r) }) < 0
}

func isHan(r rune) bool { return unicode.Is(unicode.Han, r) }

func isLatin(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
