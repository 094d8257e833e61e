package backtest

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/driftd/driftd/rules"
)

// Bar shows on a terminal how far a replay has come. It belongs to the goroutine that shows steps, which hides it before.
type Bar struct {
	Out   io.Writer
	Done  func() (done, all int64) // bytes or records; all is 0 where nobody knows
	Since time.Time

	shown bool
}

const barWidth = 24

// Show draws it anew.
func (b *Bar) Show(r *Report, now time.Time) {
	b.Hide()
	var line strings.Builder
	if done, all := b.Done(); all > 0 {
		share := min(float64(done)/float64(all), 1)
		full := int(share * barWidth)
		fmt.Fprintf(&line, "%s%s %3.0f %%  ", strings.Repeat("━", full), strings.Repeat("─", barWidth-full), share*100)
	}
	if !r.Newest.IsZero() {
		fmt.Fprintf(&line, "%s  ", r.Newest.Format("2006-01-02 15:04"))
	}
	if n := r.Events.Records; n > 0 {
		fmt.Fprintf(&line, "%s, %s/s", some(n, "event"), rules.Grouped(uint64(float64(n)/max(now.Sub(b.Since).Seconds(), 0.1))))
	}
	io.WriteString(b.Out, line.String())
	b.shown = true
}

// Hide takes it away.
func (b *Bar) Hide() {
	if b.shown {
		io.WriteString(b.Out, "\r\x1b[K")
		b.shown = false
	}
}
