package slack

import (
	"cmp"
	"math"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// trend is the record whose trend is shown: that of the worst alert that has one; nil where none has.
func trend(n *alert.Notification) *detector.Record {
	for _, ms := range [][]alert.Member{n.Firing, n.Resolved} {
		for i := range ms {
			if t := ms[i].Record.Trend; t != nil && points(t.Values) > 1 {
				return &ms[i].Record
			}
		}
	}
	return nil
}

func points(values []*float64) int {
	n := 0
	for _, v := range values {
		if v != nil {
			n++
		}
	}
	return n
}

// chart is the image of the trend, or the same as a line of text.
func chart(n *alert.Notification, v View) []api.Block {
	r := trend(n)
	if v.Chart != "" {
		alt := measure(&n.Worst().Record) + " when it began to fire"
		if r != nil {
			alt = caption(r)
		}
		return []api.Block{api.NewImageBlockSlackFile(&api.SlackFileObject{ID: v.Chart}, cut(clean(alt), 1000), "", nil)}
	}
	if r == nil || len(n.Firing) == 0 {
		return nil
	}
	return []api.Block{api.NewSectionBlock(md(cut(sparklines(r), maxSection)), nil, nil)}
}

// caption says in words what the chart shows.
func caption(r *detector.Record) string {
	s := brief(measure(r)) + " of " + brief(cmp.Or(r.Version, r.Prompt))
	if r.Trend.Previous != nil && r.Previous != "" {
		s += " and " + brief(r.Previous)
	}
	from, to := span(r.Trend)
	return s + ofWhom(r) + ", " + clock(from, to) + " to " + clock(to, to) + " UTC"
}

// ofWhom names the cohort that a trend is of, nothing for all traffic.
func ofWhom(r *detector.Record) string {
	if len(r.Cohort) == 0 {
		return ""
	}
	return ", " + brief(alert.CohortName(r.Cohort))
}

// span is the time that a trend is of.
func span(t *detector.Trend) (from, to time.Time) {
	every, err := time.ParseDuration(t.Every)
	if err != nil || every <= 0 {
		every = time.Minute
	}
	every = min(every, 30*24*time.Hour)
	return t.From, t.From.Add(every * time.Duration(min(len(t.Values), 1000)))
}

// maxBars is how long a sparkline may be: what a phone shows in one line.
const maxBars = 30

// sparklines draws the trend with characters, one line a version on one scale.
func sparklines(r *detector.Record) string {
	t := r.Trend
	low, high := bounds(r)
	from, to := span(t)
	names := []string{r.Version}
	series := [][]*float64{t.Values}
	if points(t.Previous) > 1 && r.Previous != "" {
		names, series = append(names, r.Previous), append(series, t.Previous)
	}
	wide := 0
	for _, name := range names {
		wide = max(wide, columns(cell(name)))
	}
	lines := []string{clock(from, to) + " – " + clock(to, to) + " UTC, " + figure(r, low, 3) + " to " + figure(r, high, 3)}
	for i, name := range names {
		name = cell(name)
		lines = append(lines, name+strings.Repeat(" ", wide-columns(name))+" "+spark(series[i], low, high))
	}
	return "```\n" + mrkdwn.Replace(strings.Join(lines, "\n")) + "\n```"
}

// spark is one line of bars; a stretch without values is a dot.
func spark(values []*float64, low, high float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	levels := []rune(bars)
	var b strings.Builder
	for _, v := range squeeze(values, maxBars) {
		switch {
		case v == nil:
			b.WriteRune('·')
		case high <= low:
			b.WriteRune(levels[len(levels)/2])
		default:
			b.WriteRune(levels[min(max(int((*v-low)/(high-low)*float64(len(levels))), 0), len(levels)-1)])
		}
	}
	return b.String()
}

// squeeze makes at most n stretches of them, each the mean of those in it.
func squeeze(values []*float64, n int) []*float64 {
	if len(values) <= n {
		return values
	}
	out := make([]*float64, n)
	for i := range out {
		sum, count := 0.0, 0.0
		for _, v := range values[i*len(values)/n : (i+1)*len(values)/n] {
			if v != nil {
				sum, count = sum+*v, count+1
			}
		}
		if count > 0 {
			mean := sum / count
			out[i] = &mean
		}
	}
	return out
}

// bounds are the lowest and the highest of what a chart shows: the values, those of the version before, and the bound.
func bounds(r *detector.Record) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	see := func(v *float64) {
		if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
			low, high = min(low, *v), max(high, *v)
		}
	}
	for _, v := range r.Trend.Values {
		see(v)
	}
	for _, v := range r.Trend.Previous {
		see(v)
	}
	see(r.Bound)
	if low > high {
		return 0, 1
	}
	return low, high
}
