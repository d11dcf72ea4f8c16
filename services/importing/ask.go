package importing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"wechat-broadcast/services/loop"
	"wechat-broadcast/services/wechat"
)

// few is how many people a call asks for after a larger one was refused for the OpenIDs
// of too many: the client finds out which they are.
const few = 10

// The platform's codes that matter here (WeChat: global error codes docs).
const (
	codeInvalidOpenID = 40003
	codeOtherAccount  = 49003
	codeDailyQuota    = 45009
	codeMinuteQuota   = 45011
)

// ErrQuota says that the day's calls are used up.
var ErrQuota = errors.New("the day's calls of user/info are used up")

// Ask asks the platform for at most wechat.PeopleAtMost people, of whom any number may be none
// of the account's: those are not in the answer. The error is ErrQuota or that of the
// platform.
func Ask(ctx context.Context, platform *wechat.Client, log *slog.Logger, openIDs []string) ([]wechat.Person, error) {
	for {
		answer, err := platform.People(ctx, openIDs)
		var refused *wechat.APIError
		if !errors.As(err, &refused) || wechat.IsTokenError(err) {
			return answer, err
		}
		switch {
		case refused.Code == codeDailyQuota:
			return nil, fmt.Errorf("%w: %w", ErrQuota, err)
		case refused.Code == codeMinuteQuota:
			log.WarnContext(ctx, "the platform asks to wait for the next minute")
			if err := loop.Sleep(ctx, time.Minute); err != nil {
				return nil, err
			}
			continue
		case refused.Code != codeInvalidOpenID && refused.Code != codeOtherAccount || len(openIDs) <= few:
			return nil, err
		}
		var all []wechat.Person
		for part := range slices.Chunk(openIDs, few) {
			answer, err := Ask(ctx, platform, log, part)
			if err != nil {
				return nil, err
			}
			all = append(all, answer...)
		}
		return all, nil
	}
}
