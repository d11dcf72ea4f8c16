package tags

import (
	"context"
	"errors"
	"slices"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/wechat"
)

// errMoved: the person at whom the next page starts is gone, and the platform does not
// know any more where that is.
var errMoved = errors.New("the place in the list of those with a tag is gone")

// codeMinuteQuota says that too many calls were made within a minute (WeChat: commErrCode
// docs).
const codeMinuteQuota = 45011

// pull pulls all who have a tag into a segment of their own, which it returns once it is
// whole. The errors are those of Ready.
func (p *Puller) pull(w pull) (int64, error) {
	ctx, cancel := context.WithTimeout(p.Life, pullWithin)
	defer cancel()
	segment, err := p.pages(ctx, w)
	if errors.Is(err, errMoved) {
		p.Log.WarnContext(ctx, "the pull of a tag begins anew: its place in the list is gone", "tag", w.name)
		segment, err = p.pages(ctx, w)
	}
	if err != nil {
		return 0, inWords(err, w.name)
	}
	return segment, nil
}

// pages stores the pages of those with a tag.
func (p *Puller) pages(ctx context.Context, w pull) (int64, error) {
	began := p.Now()
	segment, err := p.Store.AddSegment(ctx, models.Segment{
		Kind: string(models.GroupTag), Name: w.name, MadeBy: w.by, MadeAt: models.At(began),
	})
	if err != nil {
		return 0, err
	}
	asked := map[string]struct{}{}
	listed := 0
	for next, last := "", false; !last; {
		page, err := p.Platform.Tagged(ctx, w.tag, next)
		var refused *wechat.APIError
		if errors.As(err, &refused) && refused.Code == wechat.CodeInvalidOpenID && next != "" {
			return 0, errors.Join(errMoved, err)
		}
		if err != nil {
			return 0, err
		}
		people := slices.DeleteFunc(page.OpenIDs, func(openID string) bool { return !models.ValidOpenID(openID) })
		if err := p.Store.AddTagged(ctx, segment, people, began); err != nil {
			return 0, err
		}
		listed += len(people)
		asked[next] = struct{}{}
		next, last = page.Next, page.Last
		if _, again := asked[next]; again && !last {
			return 0, unchecked(0, "the list of those with a tag repeats itself", nil)
		}
	}
	if err := p.Store.SealSegment(ctx, segment); err != nil {
		return 0, err
	}
	p.Log.InfoContext(ctx, "a tag is pulled", "tag", w.name, "people", listed, "took", p.Now().Sub(began).Round(time.Millisecond))
	return segment, nil
}

// inWords is an error that an admin is to read if the platform refused for good.
func inWords(err error, name string) error {
	var refused *wechat.APIError
	if !errors.As(err, &refused) || wechat.Busy(err) || refused.Code == codeMinuteQuota {
		return err
	}
	switch code := refused.Code; {
	case wechat.IsTokenError(err): // the code is about the token
	case code == wechat.CodeDailyQuota:
		e := models.NewError(models.Unavailable, models.ErrTagsQuota)
		e.Err = err
		return e
	case code == wechat.CodeInvalidTag || code == wechat.CodeInvalidOpenID:
		e := models.NewError(models.NotFound, models.ErrTagGone, "Name", name)
		e.Err = err
		return e
	}
	return unchecked(refused.Code, refused.Msg, err)
}
