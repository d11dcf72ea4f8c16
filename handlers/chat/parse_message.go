package chat

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"wechat-broadcast/models"
)

// What may follow the audience of a broadcast: whom it leaves out, the message, words
// that say how, and the time.

// flag is a word that says how a broadcast goes out.
type flag struct {
	words []string // in English, in Chinese
	set   func(*Command)
}

// flags are all of them. The message file takes none of the words for a message's name.
var flags = []flag{
	{[]string{"again", "再发"}, func(cmd *Command) { cmd.Again = true }},
	{[]string{"canary", "试发"}, func(cmd *Command) { cmd.Canary = true }},
	{nowWords, func(cmd *Command) { cmd.Now = true }},
}

var nowWords = []string{"now", "现在"}

// flagOf returns the flag that a word is, nil if it is none.
func flagOf(w word) *flag {
	i := slices.IndexFunc(flags, func(f flag) bool { return slices.Contains(f.words, w.folded) })
	if i < 0 {
		return nil
	}
	return &flags[i]
}

// overrule reads the word with which a resume overrules the quiet hours.
func (cmd *Command) overrule(rest []word) []word {
	if cmd.Name != Resume || len(rest) == 0 || !slices.Contains(nowWords, rest[0].folded) {
		return rest
	}
	cmd.Now = true
	return rest[1:]
}

// message reads `[except KIND NAMES] [name] [flags] [at TIME]`.
func (cmd *Command) message(rest []word) {
	rest = cmd.except(cmd.at(words(unglued(raw(rest)))))
	if len(rest) > 0 && flagOf(rest[0]) == nil {
		rest = cmd.name(rest)
		cmd.Message, cmd.Arg = cmd.Arg, ""
	}
	cmd.extra(cmd.flags(rest))
	cmd.trial()
}

// flags reads flags and returns what follows.
func (cmd *Command) flags(rest []word) []word {
	for len(rest) > 0 && flagOf(rest[0]) != nil {
		flagOf(rest[0]).set(cmd)
		rest = rest[1:]
	}
	return rest
}

// trial makes what a broadcast to the asker or the test list can't have a fault.
func (cmd *Command) trial() {
	if cmd.Fault != "" || cmd.Name != BroadcastMe && cmd.Name != BroadcastTest {
		return
	}
	var odd []string
	if len(cmd.Except) > 0 {
		odd = append(odd, exceptWords...)
	}
	if cmd.Canary {
		odd = append(odd, flags[1].words...)
	}
	if cmd.Now {
		odd = append(odd, flags[2].words...)
	}
	if len(odd) > 0 {
		cmd.Fault, cmd.Words = FaultTrial, strings.Join(odd, " ")
	}
}

// unglued puts a space behind each name in quotation marks, where a Chinese line may have
// none.
func unglued(line string) string {
	var b strings.Builder
	for line != "" {
		_, end := nextQuoted(line)
		if end < 0 {
			break
		}
		b.WriteString(line[:end] + " ")
		line = line[end:]
	}
	return b.String() + line
}

// nextQuoted finds the next name in quotation marks, at the beginning of a word or behind
// a separator; begin is that of its mark, end is behind the last one, -1 for none.
func nextQuoted(line string) (begin, end int) {
	before := ' '
	for i, r := range line {
		if space(before) || separator(before) {
			for _, q := range quotes {
				inner, is := strings.CutPrefix(line[i:], q.begin)
				if n := strings.Index(inner, q.end); is && n >= 0 {
					return i, i + len(q.begin) + n + len(q.end)
				}
			}
		}
		before = r
	}
	return -1, -1
}

// unquoted tells of each word whether it stands outside quotation marks.
func unquoted(ws []word) []bool {
	line, outside := raw(ws), make([]bool, len(ws))
	var begin, end, at int // of the next name in quotation marks, and of the word
	for i, w := range ws {
		for end >= 0 && end <= at {
			b, e := nextQuoted(line[end:])
			if e < 0 {
				end = -1
				break
			}
			begin, end = end+b, end+e
		}
		outside[i] = end < 0 || at < begin
		at += len(w.raw) + 1
	}
	return outside
}

// at cuts `at TIME` off the end of a command on a message. What may stand before it may
// stand behind it, too.
func (cmd *Command) at(rest []word) (before []word) {
	outside := unquoted(rest)
	for i, w := range rest {
		glued, isAt := cutAt(w)
		if !isAt || !outside[i] {
			continue
		}
		moment := rest[i+1:]
		if glued.raw != "" {
			moment = slices.Insert(slices.Clone(moment), 0, glued)
		}
		before = slices.Clone(rest[:i])
		if j := slices.IndexFunc(moment, func(w word) bool { _, yes := cutSolid(w, exceptWords); return yes }); j >= 0 {
			before, moment = append(before, moment[j:]...), moment[:j]
		}
		for n := len(moment); n > 0 && flagOf(moment[n-1]) != nil; n = len(moment) {
			before, moment = append(before, moment[n-1]), moment[:n-1]
		}
		cmd.time(moment)
		return before
	}
	return rest
}

// exceptWords begin the groups that a broadcast leaves out, and kindWords say what a group
// is: in English, in Chinese.
var (
	exceptWords = []string{"except", "不含"}
	kindWords   = map[models.GroupKind][]string{
		models.GroupTopic: {"topic", "主题"},
		models.GroupTag:   {"tag", "标签"},
		models.GroupList:  {"list", "名单"},
	}
)

// except takes `except KIND NAMES`, once or several times, out of a command on a message.
func (cmd *Command) except(rest []word) []word {
	for i := 0; i < len(rest); {
		glued, is := cutSolid(rest[i], exceptWords)
		if !is || !unquoted(rest)[i] {
			i++
			continue
		}
		before, after := rest[:i:i], rest[i+1:]
		if glued.raw != "" {
			after = slices.Insert(slices.Clone(after), 0, glued)
		}
		kind, after := cutKind(after)
		if kind == "" {
			if cmd.Fault == "" {
				cmd.Fault, cmd.Words = FaultExcept, raw(after)
			}
			return before
		}
		var names []string
		names, after = cmd.names(after)
		for _, name := range names {
			cmd.Except = append(cmd.Except, models.Group{Kind: kind, Name: name})
		}
		rest = append(before, after...)
	}
	return rest
}

// cutKind reads what a group is, empty if the first word does not say it.
func cutKind(rest []word) (models.GroupKind, []word) {
	if len(rest) == 0 {
		return "", nil
	}
	for _, kind := range []models.GroupKind{models.GroupTopic, models.GroupTag, models.GroupList} {
		glued, is := cutSolid(rest[0], kindWords[kind])
		switch {
		case is && glued.raw != "":
			return kind, slices.Insert(slices.Clone(rest[1:]), 0, glued)
		case is:
			return kind, rest[1:]
		}
	}
	return "", rest
}

// cutSolid tells whether a word is one of some, or begins with a Chinese one of them, and
// returns what is glued to it.
func cutSolid(w word, words []string) (glued word, ok bool) {
	if slices.Contains(words, w.folded) {
		return word{}, true
	}
	for _, s := range words {
		if rest, begins := strings.CutPrefix(w.folded, s); begins && s[0] >= utf8.RuneSelf {
			return word{raw: string([]rune(w.raw)[utf8.RuneCountInString(s):]), folded: rest}, true
		}
	}
	return word{}, false
}

// separator tells whether r parts the names of several groups.
func separator(r rune) bool {
	return r == ',' || r == '，' || r == '、' || r == '､' || r == '﹐' || r == '﹑'
}

// names reads one name or several with separators between them, each once, and returns
// what follows.
func (cmd *Command) names(rest []word) (names []string, after []word) {
	line := raw(rest)
	for {
		line = strings.TrimLeftFunc(line, func(r rune) bool { return space(r) || separator(r) })
		if line == "" {
			break
		}
		name := ""
		if beginsQuoted(word{raw: line}) {
			if rest = cmd.name(words(line)); cmd.Fault != "" {
				return nil, nil
			}
			name, cmd.Arg, line = cmd.Arg, "", raw(rest)
		} else {
			end := strings.IndexFunc(line, func(r rune) bool { return space(r) || separator(r) })
			if end < 0 {
				end = len(line)
			}
			name, line = line[:end], line[end:]
		}
		if !slices.ContainsFunc(names, func(n string) bool { return strings.Map(fold, n) == strings.Map(fold, name) }) {
			names = append(names, name)
		}
		line = strings.TrimLeftFunc(line, space)
		if first, _ := utf8.DecodeRuneInString(line); !separator(first) {
			break
		}
	}
	if len(names) == 0 && cmd.Fault == "" {
		cmd.Fault = FaultNoGroup
	}
	return names, words(line)
}

func beginsQuoted(w word) bool {
	return slices.ContainsFunc(quotes, func(q quote) bool { return strings.HasPrefix(w.raw, q.begin) })
}

// atWords begin the time of a command.
var atWords = []string{"at", "定时"}

// cutAt tells whether a word begins a time, and returns what is glued to it: in Chinese
// the time may follow without a space, if it looks like one.
func cutAt(w word) (glued word, ok bool) {
	if slices.Contains(atWords, w.folded) {
		return word{}, true
	}
	for _, at := range atWords {
		rest, begins := strings.CutPrefix(w.folded, at)
		if begins && at[0] >= utf8.RuneSelf && timeLike.MatchString(rest) {
			runes := []rune(w.raw)
			return word{raw: string(runes[utf8.RuneCountInString(at):]), folded: rest}, true
		}
	}
	return word{}, false
}

// timeLike matches how a time begins in Chinese.
var timeLike = regexp.MustCompile(`^(\d|昨|前天|今|明|后天|大后天|周|星期|礼拜|上午|下午|早|中午|晚|凌晨)`)
