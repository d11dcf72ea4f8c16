package chat

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wechat-broadcast/models"
)

// except are groups of a kind.
func except(kind models.GroupKind, names ...string) (all []models.Group) {
	for _, name := range names {
		all = append(all, models.Group{Kind: kind, Name: name})
	}
	return all
}

func TestNamesOfGroups(t *testing.T) {
	t.Parallel()
	topic := func(change func(*Command), names ...string) Command {
		cmd := Command{Name: BroadcastTopic, Groups: names}
		if change != nil {
			change(&cmd)
		}
		return cmd
	}
	for _, tt := range []struct {
		text string
		want Command
	}{
		{"broadcast topic lectures", topic(nil, "lectures")},
		{"broadcast topic lectures,concerts", topic(nil, "lectures", "concerts")},
		{"broadcast topic lectures , concerts", topic(nil, "lectures", "concerts")},
		{"broadcast topic lectures, concerts notice", topic(func(c *Command) { c.Message = "notice" }, "lectures", "concerts")},
		{"群发主题 讲座、音乐会，展览", topic(nil, "讲座", "音乐会", "展览")},
		{"群发主题讲座，音乐会", topic(nil, "讲座", "音乐会")},
		{"群发主题　讲座 ，　音乐会　通知", topic(func(c *Command) { c.Message = "通知" }, "讲座", "音乐会")},
		{"broadcast topic lectures,Lectures,ＬＥＣＴＵＲＥＳ", topic(nil, "lectures")},
		{"broadcast topic “new music”,lectures", topic(nil, "new music", "lectures")},
		{"broadcast topic lectures,“new music”", topic(nil, "lectures", "new music")},
		{"群发主题讲座，“新 音乐”通知", topic(func(c *Command) { c.Message = "通知" }, "讲座", "新 音乐")},
		{"群发主题「新 音乐」，「老 音乐」 通知", topic(func(c *Command) { c.Message = "通知" }, "新 音乐", "老 音乐")},
		{"群发主题“a，b”", topic(nil, "a，b")},
		{"broadcast topic “meet at noon” at 09:00", topic(func(c *Command) { c.At = "09:00" }, "meet at noon")},
		{"broadcast topic “all except me” again", topic(func(c *Command) { c.Again = true }, "all except me")},
		{"broadcast topic a notice except topic “meet at noon” at 09:00", topic(func(c *Command) {
			c.Message, c.At, c.Except = "notice", "09:00", except(models.GroupTopic, "meet at noon")
		}, "a")},
		{"broadcast topic a “look at this” at 09:00", topic(func(c *Command) { c.Message, c.At = "look at this", "09:00" }, "a")},
		{"群发主题讲座，音乐会 不含标签员工 通知 定时明天9点", topic(func(c *Command) {
			c.Message, c.At, c.Except = "通知", "明天9点", except(models.GroupTag, "员工")
		}, "讲座", "音乐会")},
		{"群发主题“讲 座”不含标签“老 员工”，实习通知", topic(func(c *Command) {
			c.Except = except(models.GroupTag, "老 员工", "实习通知")
		}, "讲 座")},
		{"broadcast topic a except tag staff,old except list vips notice canary now at 09:00 again", topic(func(c *Command) {
			c.Except = append(except(models.GroupTag, "staff", "old"), except(models.GroupList, "vips")...)
			c.Message, c.Canary, c.Now, c.Again, c.At = "notice", true, true, true, "09:00"
		}, "a")},
		{"broadcast topic a at 09:00 except tag staff now", topic(func(c *Command) {
			c.At, c.Now, c.Except = "09:00", true, except(models.GroupTag, "staff")
		}, "a")},
		{"broadcast topic ，", topic(func(c *Command) { c.Groups, c.Fault = nil, FaultNoGroup })},
		{"broadcast topic “a", topic(func(c *Command) { c.Groups, c.Fault, c.Words = nil, FaultQuote, "“a" })},
		{"broadcast topic a except people b", topic(func(c *Command) { c.Fault, c.Words = FaultExcept, "people b" }, "a")},
	} {
		if diff := cmp.Diff(tt.want, Parse(tt.text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.text, diff)
		}
	}
}

// What goes to the asker or the test list goes to them at once, whatever the hour.
func TestATrialHasNoCanaryAndNoException(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"broadcast me notice canary", "broadcast test now", "broadcast test except tag staff", "发给自己 通知 试发", "群发测试 通知 现在",
		"群发测试 不含标签员工 通知", "broadcast test notice at 09:00 now",
	} {
		s := newStage(t, "zh")
		if cmd := Parse(text); cmd.Fault != FaultTrial {
			t.Errorf("%q: %+v", text, cmd)
		}
		wantAll(t, s.ask(t, admin, text), "没有执行", "去掉就可以")
		s.wantCalls(t)
	}
	for _, text := range []string{"broadcast me notice again", "broadcast test notice at 09:00"} {
		if cmd := Parse(text); cmd.Fault != "" {
			t.Errorf("%q: %+v", text, cmd)
		}
	}
}

// A refused repetition teaches all that was asked for.
func TestARepetitionToGroupsIsTaughtWhole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ language, asked, want string }{
		{"en", "broadcast topic lectures,“new music” except tag staff,old except list vips notice canary now at tomorrow 09:00\nthing1=x", "broadcast topic lectures,“new music” except tag staff,old except list vips notice again canary now at tomorrow 09:00\nthing1=x"},
		{"zh", "群发名单老读者 不含标签员工 通知 试发 定时明天9点", "群发名单 老读者 不含 标签 员工 通知 再发 试发 定时 明天9点"},
		{"en", "broadcast tag vip", "broadcast tag vip notice again"},
		{"en", "broadcast reached #3 notice except topic “a,b”", "broadcast reached #3 except topic “a,b” notice again"},
	} {
		s := newStage(t, tt.language)
		s.err = models.NewError(models.Conflict, models.ErrSameMessage, "ID", int64(7), "Name", "notice")
		if got := s.ask(t, admin, tt.asked); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s: got:\n%s", tt.asked, got)
		}
		want, taught := Parse(tt.asked), Parse(tt.want)
		want.Again, want.Message = true, taught.Message
		if diff := cmp.Diff(want, taught); diff != "" {
			t.Errorf("%q says something else (-asked +taught):\n%s", tt.want, diff)
		}
	}
}

// Any name of a group can be written so that it is read as that name, beside others and
// as an exception.
func FuzzNamesOfGroups(f *testing.F) {
	for _, name := range []string{"讲座", "new music", "at", "except tag x", "again", "a，b", "「x」", `"`, "“x", "定时9点", "不含标签", "#7", "list"} {
		f.Add(name, "other")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		names := []string{strings.Join(strings.FieldsFunc(first, space), " "), strings.Join(strings.FieldsFunc(second, space), " ")}
		for _, name := range names {
			if !utf8.ValidString(name) || name == "" || strings.ContainsFunc(name, lineBreak) || strings.TrimFunc(name, separator) == "" ||
				!slices.ContainsFunc(quotes, func(q quote) bool { return !strings.Contains(name, q.end) }) {
				t.Skip("no name")
			}
		}
		if strings.Map(fold, names[0]) == strings.Map(fold, names[1]) {
			names = names[:1]
		}
		for _, language := range []string{"en", "zh"} {
			composer := newComposer(t, language)
			cmd := Command{Name: BroadcastTag, Groups: names, Except: except(models.GroupList, names...), Message: "notice", Again: true, At: "9:00"}
			text := composer.write(cmd.Name, composer.arguments(cmd, ""))
			if diff := cmp.Diff(cmd, Parse(text)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", text, diff)
			}
		}
	})
}

// newComposer is that of a chat in a language.
func newComposer(t *testing.T, language string) *Composer {
	t.Helper()
	return newStage(t, language).Composer
}
