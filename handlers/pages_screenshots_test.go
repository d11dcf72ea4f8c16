package handlers

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"wechat-broadcast/models"
	"wechat-broadcast/services/broadcast"
	"wechat-broadcast/simulator"
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
			b := newBrowser(t)
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
			// Opened before the middle, so that the page has come there by itself.
			r.reached(t, id, func(st *broadcast.Status) bool { return st.Counts.Tried() > 1000 })
			b.phone(390, "light")
			b.open(r.links.Broadcast(id))
			r.reached(t, id, func(st *broadcast.Status) bool { return st.Counts.Tried() > 4000 })
			b.until(`document.querySelector("#live").dataset.live === "live"`)
			b.picture(filepath.Join(folder, "progress-"+language+".png"))
			if language == "en" {
				eval[any](b, `document.querySelector("#failures").scrollIntoView()`)
				b.picture(filepath.Join(folder, "failures.png"))
				return
			}
			b.phone(390, "dark")
			b.picture(filepath.Join(folder, "progress-dark.png"))
			b.phone(390, "light")
			b.open(r.links.History())
			b.picture(filepath.Join(folder, "history.png"))
			b.phone(390, "dark")
			b.picture(filepath.Join(folder, "history-dark.png"))
		})
	}
}

// picture takes a picture of what the phone shows.
func (b *browser) picture(path string) {
	b.t.Helper()
	data, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColors(img)); err != nil {
		b.t.Fatal(err)
	}
	if out.Len() > 150<<10 {
		b.t.Errorf("%s has %d bytes", path, out.Len())
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// fewColors draws a picture with its 256 most frequent colours, which a page's
// plain areas and the edges of its letters hardly exceed.
func fewColors(img image.Image) image.Image {
	count := map[color.RGBA]int{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c, _ := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA)
			// Shades that nobody tells apart count as one.
			count[color.RGBA{c.R | 3, c.G | 3, c.B | 3, 255}]++
		}
	}
	colors := make([]color.RGBA, 0, len(count))
	for c := range count {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int { return count[b] - count[a] })
	var palette color.Palette
	for _, c := range colors[:min(len(colors), 256)] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(b, palette)
	draw.Draw(out, b, img, b.Min, draw.Src)
	return out
}
