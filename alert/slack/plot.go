package slack

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
)

// The image is drawn at twice the size at which Slack shows it.
const (
	plotWidth, plotHeight = 960, 420
	small                 = 2.9 // pixels of a dot
	large                 = 3.3
)

var (
	paper  = color.RGBA{255, 255, 255, 255}
	ink    = color.RGBA{29, 28, 29, 255}
	faint  = color.RGBA{110, 112, 118, 255}
	grid   = color.RGBA{232, 233, 236, 255}
	hot    = color.RGBA{224, 30, 90, 255}
	cool   = color.RGBA{54, 127, 189, 255}
	limit  = color.RGBA{180, 120, 20, 255}
	shaded = color.RGBA{224, 30, 90, 18}
)

// plot is a chart of a trend: time to the right, the watched figure upwards.
type plot struct {
	*canvas
	r         *detector.Record
	area      image.Rectangle // of the lines
	from, to  time.Time
	low, high float64
}

// drawTrend draws the trend of a record as a PNG: the version against the one before it, the bound, and when it began.
func drawTrend(r *detector.Record) ([]byte, error) {
	p := &plot{canvas: newCanvas(plotWidth, plotHeight, paper), r: r}
	p.from, p.to = span(r.Trend)
	low, high := bounds(r)
	ticks, low, high := ticksOf(low, high)
	p.low, p.high = low, high
	wide := 0.0
	names := make([]string, len(ticks))
	for i, v := range ticks {
		names[i] = figure(r, v, 4)
		wide = max(wide, textWidth(names[i], small))
	}
	p.area = image.Rect(int(wide)+44, 84, plotWidth-28, plotHeight-54)
	p.legend()
	for i, v := range ticks {
		y := p.y(v)
		p.line(point{float64(p.area.Min.X), y}, point{float64(p.area.Max.X), y}, 0.8, grid)
		p.text(float64(p.area.Min.X)-16-textWidth(names[i], small), y-tall*small/2, small, names[i], faint)
	}
	p.times()
	p.onset()
	p.bound()
	p.series(r.Trend.Previous, 2.2, cool)
	p.series(r.Trend.Values, 3, hot)
	var b bytes.Buffer
	if err := png.Encode(&b, p.RGBA); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (p *plot) x(t time.Time) float64 {
	return float64(p.area.Min.X) + float64(p.area.Dx())*float64(t.Sub(p.from))/float64(max(p.to.Sub(p.from), 1))
}

func (p *plot) y(v float64) float64 {
	return float64(p.area.Max.Y) - float64(p.area.Dy())*(v-p.low)/(p.high-p.low)
}

// legend says what is drawn: the figure on the left, the versions in their colours on the right.
func (p *plot) legend() {
	const y, gap, dash = 26, 14, 34
	x := float64(plotWidth - 28)
	key := func(name string, ink color.RGBA) {
		name = fitText(name, 14)
		x -= textWidth(name, large)
		p.text(x, y, large, name, ink)
		x -= gap + dash
		p.line(point{x, y + tall*large/2}, point{x + dash, y + tall*large/2}, 3, ink)
		x -= 2 * gap
	}
	if p.r.Previous != "" && points(p.r.Trend.Previous) > 0 {
		key(p.r.Previous, cool)
	}
	key(p.r.Version, hot)
	p.text(28, y, large, fitText(measure(p.r), int((x-28)/(advance*large))), ink)
}

// fitText cuts a text to at most n characters.
func fitText(s string, n int) string {
	if r := []rune(clean(s)); len(r) > n {
		return string(r[:max(n-2, 0)]) + ".."
	}
	return clean(s)
}

// times are the labels below: four to seven of them, at round minutes or hours.
func (p *plot) times() {
	day := 24 * time.Hour
	step := max(p.to.Sub(p.from)/6/day, 1) * day
	for _, s := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
		2 * time.Hour, 3 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if p.to.Sub(p.from)/s <= 6 {
			step = s
			break
		}
	}
	y := float64(p.area.Max.Y)
	for t := p.from.UTC().Truncate(step); !t.After(p.to); t = t.Add(step) {
		x := p.x(t)
		if t.Before(p.from) {
			continue
		}
		p.line(point{x, y}, point{x, y + 7}, 0.8, faint)
		name := t.Format("15:04")
		if step >= day {
			name = t.Format("2 Jan")
		}
		wide := textWidth(name, small)
		p.text(min(x-wide/2, plotWidth-8-wide), y+18, small, name, faint)
	}
	p.line(point{float64(p.area.Min.X), y}, point{float64(p.area.Max.X), y}, 0.8, faint)
}

// onset shades the time since the breach began, and says when.
func (p *plot) onset() {
	o := p.r.Onset
	if o == nil || o.Before(p.from) || o.After(p.to) {
		return
	}
	x := p.x(*o)
	p.fill(image.Rect(int(x), p.area.Min.Y, p.area.Max.X, p.area.Max.Y), shaded)
	p.dashed(point{x, float64(p.area.Min.Y)}, point{x, float64(p.area.Max.Y)}, 1, 5, 6, faint)
	name := "since " + o.UTC().Format("15:04") + " UTC"
	left := min(max(x-textWidth(name, small)/2, float64(p.area.Min.X)), plotWidth-28-textWidth(name, small))
	p.text(left, float64(p.area.Min.Y)-tall*small-7, small, name, faint)
}

// bound is the limit that was crossed, and its figure.
func (p *plot) bound() {
	b := p.r.Bound
	if b == nil || *b < p.low || *b > p.high || math.IsNaN(*b) {
		return
	}
	y := p.y(*b)
	p.dashed(point{float64(p.area.Min.X), y}, point{float64(p.area.Max.X), y}, 1.3, 14, 9, limit)
	_, name := figures(p.r)
	name = "limit " + strings.TrimSpace(name)
	top := y - tall*small - 6
	if top < float64(p.area.Min.Y) {
		top = y + 8
	}
	p.text(float64(p.area.Min.X)+10, top, small, name, limit)
}

// series draws the values as a line that is broken where there are none; one by itself is a point.
func (p *plot) series(values []*float64, radius float64, ink color.RGBA) {
	if len(values) == 0 {
		return
	}
	every := p.to.Sub(p.from) / time.Duration(len(values))
	var all []segment
	var last *point
	for i, v := range values {
		if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
			last = nil
			continue
		}
		at := point{p.x(p.from.Add(every*time.Duration(i) + every/2)), p.y(*v)}
		if last == nil {
			all = append(all, segment{at, at})
		} else {
			all = append(all, segment{*last, at})
		}
		last = &at
	}
	p.strokes(all, radius, ink)
}

// ticksOf are three to six round figures that span low to high, with a little room, and the span.
func ticksOf(low, high float64) (ticks []float64, from, to float64) {
	if !(high > low) {
		pad := math.Max(math.Abs(low)*0.1, 1e-9)
		low, high = low-pad, high+pad
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/3)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*m) <= 4.5 {
			step *= m
			break
		}
	}
	from, to = math.Floor(low/step)*step, math.Ceil(high/step)*step
	for i := 0; i < 12; i++ {
		v := from + float64(i)*step
		if v > to+step/2 {
			break
		}
		ticks = append(ticks, math.Round(v/step)*step)
	}
	return ticks, from, to
}
