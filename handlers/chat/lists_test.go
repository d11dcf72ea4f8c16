package chat

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"wechat-broadcast/lang"
	"wechat-broadcast/models"
	"wechat-broadcast/services/followers"
	"wechat-broadcast/services/lists"
	"wechat-broadcast/services/wechat"
)

// stageLists stands in for the lists.
type stageLists struct{ all []lists.Shown }

func (s *stageLists) All(context.Context) ([]lists.Shown, error) { return s.all, nil }

func (s *stageLists) Remove(_ context.Context, name string) (*models.List, error) {
	for i, l := range s.all {
		if strings.EqualFold(l.Name, name) {
			s.all = append(s.all[:i], s.all[i+1:]...)
			return &l.List, nil
		}
	}
	return nil, models.NewError(models.NotFound, models.ErrListUnknown, "Name", name)
}

func (s *stageLists) Publish(_ context.Context, name, by string, segment, replaces int64) (*models.ListInfo, *models.List, error) {
	for _, l := range s.all {
		if l.SegmentID != replaces && strings.EqualFold(l.Name, name) {
			return nil, nil, models.NewError(models.Conflict, models.ErrListChanged, "Name", name)
		}
	}
	made := models.ListInfo{List: models.List{Folded: name, Name: name, SegmentID: segment, ChangedBy: by}, Size: 7}
	s.all = []lists.Shown{{ListInfo: made}}
	return &made, nil, nil
}

func aList(name, by, fields string, size, follow int64) lists.Shown {
	return lists.Shown{
		ListInfo: models.ListInfo{
			List: models.List{Name: name, ChangedBy: by, ChangedAt: models.At(time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC))}, Size: size, Fields: fields,
		},
		Follow: follow, Counted: true,
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	wantAll(t, s.ask(t, admin, "名单"), "还没有名单", "wechat-broadcast import")
	s.groups.all = []lists.Shown{aList("老 读者", "", `["name","due"]`, 1234, 1200), aList("b", admin, "", 7, 0)}
	wantAll(t, s.ask(t, admin, "lists"), "共 2 份", "群发名单 “老 读者”", "「老 读者」1,234 人", "可发送 1,200", "字段 {name} {due}", "在服务器上导入",
		"「b」7 人，可发送 0（", "11-26 09:00", "你")
	wantAll(t, s.ask(t, admin, "名单 删除 老读者"), "没有名单「老读者」", "名单")
	wantAll(t, s.ask(t, admin, `名单 删除 "老 读者"`), "已删除名单「老 读者」")
	if len(s.groups.all) != 1 {
		t.Errorf("left: %v", s.groups.all)
	}
	s.groups.all[0].Counted = false
	if text := s.ask(t, admin, "lists"); strings.Contains(text, "可发送") {
		t.Errorf("a number that is not known: %s", text)
	}
}

// The reply says of each group why some are not sent to; what is 0 is left out.
func TestTheAudienceInNumbers(t *testing.T) {
	t.Parallel()
	list := models.Group{Kind: models.GroupList, Name: "老读者"}
	for name, c := range map[string]struct {
		parts      []models.Part
		want, lack []string
	}{
		"one with some who are not sent to": {
			[]models.Part{{Group: list, Known: true, Total: 1100, Away: 3, OptedOut: 2, Excepted: 5, Left: 1090}},
			[]string{"名单「老读者」1,100 人：未关注 3 · 已退订 2 · 不含 5 · 将发送 1,090"},
			[]string{"黑名单", "重复"},
		},
		"one of whom all are sent to": {[]models.Part{{Group: list, Known: true, Total: 9, Left: 9}}, nil, []string{"将发送"}},
		"several": {
			[]models.Part{{Group: list, Known: true, Total: 9, Left: 9}, {Group: models.Group{Kind: models.GroupTopic, Name: "讲座"}, Known: true, Total: 5, Blacklisted: 1, Repeated: 4}},
			[]string{"名单「老读者」9 人：将发送 9\n主题「讲座」5 人：黑名单 1 · 与前面重复 4 · 将发送 0"},
			nil,
		},
		"a tag that is not pulled": {[]models.Part{{Group: models.Group{Kind: models.GroupTag, Name: "x"}}, {Group: models.Group{Kind: models.GroupTag, Name: "y"}}}, nil, []string{"将发送"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "zh")
			s.asked.Broadcast = sample()
			s.asked.Broadcast.Audience = models.AudienceGroups
			s.asked.Parts = c.parts
			text := s.ask(t, admin, "群发名单 老读者")
			wantAll(t, text, c.want...)
			for _, none := range c.lack {
				if strings.Contains(text, none) {
					t.Errorf("%q in\n%s", none, text)
				}
			}
		})
	}
}

func TestLackingFields(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		s.err = models.NewError(models.Invalid, models.ErrFieldsLacking, "Name", "due", "Known", []string{"name"}, "Lacks", []models.Lack{
			{Field: "due", Count: 1200, OpenIDs: []string{"oAbc…123", "oAbd…124"}}, {Field: "到期", Count: 1, OpenIDs: []string{"oAbc…123"}},
		})
		wantAll(t, s.ask(t, admin, "broadcast list old due"), "due", "{name}", "{due}", "1,200", "oAbc…123", "oAbd…124…", "{到期}")
	}
}

// However long the names are, the reply is one message, with how to stop the broadcast.
func TestLongListsFit(t *testing.T) {
	t.Parallel()
	for _, language := range lang.Languages {
		s := newStage(t, language)
		s.asked.Broadcast = sample()
		s.asked.Broadcast.Audience = models.AudienceGroups
		long := strings.Repeat("读", 64)
		for i := range 200 {
			g := models.Group{Kind: models.GroupList, Name: fmt.Sprint(long[:183], i), Segment: int64(i + 1)}
			s.asked.Broadcast.Target.Groups = append(s.asked.Broadcast.Target.Groups, g)
			s.asked.Parts = append(s.asked.Parts, models.Part{Group: g, Known: true, Total: 1e6, Away: 1e5, OptedOut: 1e5, Blacklisted: 1e5, Repeated: 1e5, Excepted: 1e5, Left: 5e5})
			s.groups.all = append(s.groups.all, aList(g.Name, modelsOpenID, `["`+long+`","`+long+`"]`, 1e6, 1e6))
		}
		text := s.ask(t, admin, "broadcast list x")
		wantAll(t, text, s.on(Cancel, s.asked.Broadcast.ID))
		for _, reply := range []string{text, s.ask(t, admin, "lists")} {
			if len(reply) > wechat.MaxText {
				t.Errorf("%d bytes:\n%s", len(reply), reply)
			}
		}
	}
}

const modelsOpenID = "oTest00000000000000000000001"

// Somebody who is only on a list is not told of as a follower who left.
func TestWhoIsAStranger(t *testing.T) {
	t.Parallel()
	s := newStage(t, "zh")
	s.known = &followers.Known{Recipient: models.Recipient{ID: 7, OpenID: follower, Stranger: true}, Asked: true, Follows: true}
	text := s.ask(t, admin, "查询 "+follower)
	wantAll(t, text, follower+" 在名单里", "微信说此人已关注")
	if strings.Contains(text, "已取消关注") {
		t.Error(text)
	}
}
