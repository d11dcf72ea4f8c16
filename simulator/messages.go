package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// messageFields are the fields of the messages that are no text, by their MsgType, without MsgId (WeChat: receiving
// messages docs).
var messageFields = map[string]string{
	"image":      "<PicUrl><![CDATA[http://mmbiz.qpic.cn/mmbiz_jpg/0]]></PicUrl><MediaId><![CDATA[media-1]]></MediaId>",
	"voice":      "<MediaId><![CDATA[media-2]]></MediaId><Format><![CDATA[amr]]></Format>",
	"video":      "<MediaId><![CDATA[media-3]]></MediaId><ThumbMediaId><![CDATA[thumb-3]]></ThumbMediaId>",
	"shortvideo": "<MediaId><![CDATA[media-4]]></MediaId><ThumbMediaId><![CDATA[thumb-4]]></ThumbMediaId>",
	"location":   "<Location_X>39.984154</Location_X><Location_Y>116.307490</Location_Y><Scale>15</Scale><Label><![CDATA[图书馆]]></Label>",
	"link":       "<Title><![CDATA[图书馆]]></Title><Description><![CDATA[]]></Description><Url><![CDATA[https://example.com/]]></Url>",
}

// Send sends a message of a follower that is no text, such as "image", to the callback, as Say does a text.
func (s *Simulator) Send(ctx context.Context, openID, kind string) (string, error) {
	fields, known := messageFields[kind]
	if !known {
		return "", errors.New("the kind must be one of " + strings.Join(slices.Sorted(maps.Keys(messageFields)), ", "))
	}
	if !plain(openID) {
		return "", errOpenID
	}
	if id, known := s.people.id(openID); known {
		s.windows.spoke(id, s.opts.Now())
	}
	fields = fmt.Sprintf("<MsgType><![CDATA[%s]]></MsgType>%s<MsgId>%d</MsgId>", kind, fields, s.userMsgIDs.Add(1))
	return s.tell(ctx, s.newPush(openID, fields))
}

// Click lets a follower tap the button of the account's menu that has this key, and gives the text of the reply as Say
// does (WeChat: menu event docs).
func (s *Simulator) Click(ctx context.Context, openID, key string) (string, error) {
	if !plain(openID) {
		return "", errOpenID
	}
	if id, known := s.people.id(openID); known {
		s.windows.touched(id, s.opts.Now())
	}
	fields := "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[CLICK]]></Event><EventKey>" + cdata(key) + "</EventKey>"
	return s.tell(ctx, s.newPush(openID, fields))
}

// replied is the answer to a command that lets somebody send something.
type replied struct {
	Reply string `json:"reply"`
}

func (s *Simulator) sendCommand(r *http.Request) (any, error) {
	var ask struct{ OpenID, Kind string }
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	reply, err := s.Send(r.Context(), ask.OpenID, ask.Kind)
	return replied{reply}, err
}

func (s *Simulator) clickCommand(r *http.Request) (any, error) {
	var ask struct{ OpenID, Key string }
	if err := s.decode(r, &ask); err != nil {
		return nil, err
	}
	reply, err := s.Click(r.Context(), ask.OpenID, ask.Key)
	return replied{reply}, err
}
