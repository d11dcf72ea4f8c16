package webtest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"slices"

	"github.com/chromedp/chromedp"
)

// Picture takes a picture of what the phone shows.
func (b *Browser) Picture(path string) {
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
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil { //nolint:gosec // a picture for everyone
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

// Whole takes a picture of the whole page, also of what one has to scroll to.
func (b *Browser) Whole() ([]byte, error) { return chromedp.Run(b.ctx, chromedp.FullScreenshot(100)) }
