package slack

import (
	"image"
	"image/color"
	"math"
)

// canvas is an image that lines are drawn on with smooth edges.
type canvas struct{ *image.RGBA }

type point struct{ x, y float64 }

type segment struct{ a, b point }

func newCanvas(width, height int, paper color.RGBA) *canvas {
	c := &canvas{image.NewRGBA(image.Rect(0, 0, width, height))}
	for i := 0; i < len(c.Pix); i += 4 {
		c.Pix[i], c.Pix[i+1], c.Pix[i+2], c.Pix[i+3] = paper.R, paper.G, paper.B, 255
	}
	return c
}

// strokes draws segments with round ends, radius thick to each side, as one shape: where they overlap it is no darker.
func (c *canvas) strokes(all []segment, radius float64, ink color.RGBA) {
	if len(all) == 0 {
		return
	}
	lo, hi := all[0].a, all[0].a
	for _, s := range all {
		for _, p := range []point{s.a, s.b} {
			lo.x, lo.y = min(lo.x, p.x), min(lo.y, p.y)
			hi.x, hi.y = max(hi.x, p.x), max(hi.y, p.y)
		}
	}
	box := image.Rect(int(lo.x-radius-1), int(lo.y-radius-1), int(hi.x+radius+2), int(hi.y+radius+2)).Intersect(c.Rect)
	if box.Empty() {
		return
	}
	near := make([]float32, box.Dx()*box.Dy()) // how much of a pixel is covered
	for _, s := range all {
		part := image.Rect(int(min(s.a.x, s.b.x)-radius-1), int(min(s.a.y, s.b.y)-radius-1),
			int(max(s.a.x, s.b.x)+radius+2), int(max(s.a.y, s.b.y)+radius+2)).Intersect(box)
		for y := part.Min.Y; y < part.Max.Y; y++ {
			for x := part.Min.X; x < part.Max.X; x++ {
				cover := float32(min(max(radius+0.5-s.distance(point{float64(x) + 0.5, float64(y) + 0.5}), 0), 1))
				if i := (y-box.Min.Y)*box.Dx() + x - box.Min.X; cover > near[i] {
					near[i] = cover
				}
			}
		}
	}
	for i, cover := range near {
		if cover > 0 {
			c.mix(box.Min.X+i%box.Dx(), box.Min.Y+i/box.Dx(), ink, float64(cover))
		}
	}
}

// distance is that of p from the segment.
func (s segment) distance(p point) float64 {
	dx, dy := s.b.x-s.a.x, s.b.y-s.a.y
	t := 0.0
	if l := dx*dx + dy*dy; l > 0 {
		t = min(max(((p.x-s.a.x)*dx+(p.y-s.a.y)*dy)/l, 0), 1)
	}
	return math.Hypot(p.x-s.a.x-t*dx, p.y-s.a.y-t*dy)
}

// mix puts ink on a pixel of which it covers a share.
func (c *canvas) mix(x, y int, ink color.RGBA, share float64) {
	share *= float64(ink.A) / 255
	i := c.PixOffset(x, y)
	for k, v := range []uint8{ink.R, ink.G, ink.B} {
		c.Pix[i+k] = uint8(math.Round(float64(c.Pix[i+k])*(1-share) + float64(v)*share))
	}
}

// line draws a straight line.
func (c *canvas) line(a, b point, radius float64, ink color.RGBA) {
	c.strokes([]segment{{a, b}}, radius, ink)
}

// dashed draws a straight line with gaps.
func (c *canvas) dashed(a, b point, radius, dash, gap float64, ink color.RGBA) {
	long := math.Hypot(b.x-a.x, b.y-a.y)
	if long == 0 {
		return
	}
	var all []segment
	for at := 0.0; at < long; at += dash + gap {
		t, u := at/long, min(at+dash, long)/long
		all = append(all, segment{point{a.x + (b.x-a.x)*t, a.y + (b.y-a.y)*t}, point{a.x + (b.x-a.x)*u, a.y + (b.y-a.y)*u}})
	}
	c.strokes(all, radius, ink)
}

// fill paints a rectangle.
func (c *canvas) fill(r image.Rectangle, ink color.RGBA) {
	r = r.Intersect(c.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c.mix(x, y, ink, 1)
		}
	}
}
