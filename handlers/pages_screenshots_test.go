package handlers

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
	"wechat-broadcast/web/webtest"
)

// TestScreenshots takes pictures of the pages of a real run into the folder that
// SCREENSHOTS names.
func TestScreenshots(t *testing.T) {
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		t.Skip("skipped: set SCREENSHOTS to a folder, and TEST_BROWSER, to take pictures")
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"zh", "en"} {
		t.Run(language, func(t *testing.T) {
			b := webtest.New(t)
			r := newRun(t, language, simulator.Options{
				Followers: 6000, Blocking: 60, Left: 21,
				Faults:   simulator.Faults{Latency: 25 * time.Millisecond, Codes: map[int]float64{43019: 0.001, 50002: 0.0015}},
				Receipts: simulator.Receipts{DelayMin: 300 * time.Millisecond, DelayMax: 2 * time.Second, SystemFailed: 0.001},
			}, 260)
			r.reached(t, r.ask(t, models.AudienceMe, "me", false), settled)
			first := r.ask(t, models.AudienceAll, "first", false)
			r.reached(t, first, func(st *broadcast.Status) bool { return st.Counts.Tried() > 600 })
			if _, err := r.engine.Cancel(t.Context(), first, r.admin); err != nil {
				t.Fatal(err)
			}
			r.reached(t, first, settled)
			id := r.ask(t, models.AudienceAll, "second", true)
			// It is opened early, so that the page has updated itself by the middle.
			r.reached(t, id, func(st *broadcast.Status) bool { return st.Counts.Tried() > 1000 })
			b.Phone(390, "light")
			b.Open(r.links.Broadcast(id))
			r.reached(t, id, func(st *broadcast.Status) bool { return st.Counts.Tried() > 4000 })
			b.Until(`document.querySelector("#live").dataset.live === "live"`)
			b.Picture(filepath.Join(folder, "progress-"+language+".png"))
			if language == "en" {
				webtest.Eval[any](b, `document.querySelector("#failures").scrollIntoView()`)
				b.Picture(filepath.Join(folder, "failures.png"))
				b.Open(r.links.History())
				b.Picture(filepath.Join(folder, "history-en.png"))
				return
			}
			b.Phone(390, "dark")
			b.Picture(filepath.Join(folder, "progress-dark.png"))
			b.Phone(390, "light")
			b.Open(r.links.History())
			b.Picture(filepath.Join(folder, "history-zh.png"))
			b.Phone(390, "dark")
			b.Picture(filepath.Join(folder, "history-dark.png"))
		})
	}
}
