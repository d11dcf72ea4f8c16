package audience

import (
	"slices"
	"testing"

	"wechat-broadcast/models"
)

func TestEveryAudienceHasItsPolicy(t *testing.T) {
	t.Parallel()
	for _, a := range []models.Audience{models.AudienceMe, models.AudienceTest, models.AudienceAll, models.AudienceRetry} {
		p := Of(&models.Broadcast{Audience: a})
		if !slices.Contains(Lanes, p.Lane) || p.empty == "" {
			t.Errorf("%s: %+v", a, p)
		}
	}
}
