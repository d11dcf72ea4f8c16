package canary

import (
	"testing"

	"wechat-broadcast/models"
)

func TestHowManyACanaryHas(t *testing.T) {
	t.Parallel()
	percent, number := Share{Percent: 1}, Share{Number: 200}
	for _, test := range []struct {
		share            Share
		of, want, wanted int64
	}{
		{percent, 0, 50, models.CanaryAsSet},
		{percent, 50, 50, models.CanaryAsSet},
		{percent, 51, 50, 50},
		{percent, 5000, 50, 50},
		{percent, 5001, 51, 51},
		{percent, 100_000, 1000, 1000},
		{percent, 1_000_000, 1000, 1000},
		{Share{Percent: 0.01}, 1_000_000, 100, 100},
		{Share{Percent: 50}, 400, 200, 200},
		{number, 200, 200, models.CanaryAsSet},
		{number, 201, 200, 200},
		{number, 1_000_000, 200, 200},
	} {
		if got := test.share.Of(test.of); got != test.want {
			t.Errorf("%+v of %d: %d, want %d", test.share, test.of, got, test.want)
		}
		if got := test.share.Wanted(test.of); got != test.wanted {
			t.Errorf("%+v of %d: %d wanted, want %d", test.share, test.of, got, test.wanted)
		}
	}
}

// However many there are, as many as wanted are picked, each once and in order, and no
// part of the audience is left out.
func TestPickedIDsAreSpreadOut(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 2, 7, 50, 1000} {
		for _, of := range []int64{n + 1, 2 * n, 2*spread*n - 1, 2 * spread * n, 2*spread*n + 1, 100*n + 3, 1_000_000} {
			if of <= n {
				continue
			}
			p := newPicker(n)
			for id := range of {
				p.add(id)
			}
			last, part := int64(-1), of/n
			picked := p.pick(n)
			for i, id := range append(picked, of) {
				if id <= last || id-last > 2*part+2 {
					t.Errorf("%d of %d: %d after %d", n, of, id, last)
					break
				}
				if i == len(picked)-1 && int64(i) != n-1 {
					t.Errorf("%d of %d: %d picked", n, of, len(picked))
				}
				last = id
			}
			if int64(len(p.kept)) > 2*spread*n {
				t.Errorf("%d of %d: %d kept", n, of, len(p.kept))
			}
		}
	}
}
