package slack

import (
	"bytes"
	"context"
	"errors"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

const (
	// drawnWithin is how long an alert may wait for its chart.
	drawnWithin = 5 * time.Second
	// undrawn is how long charts are left out after Slack has refused one for a reason that a person has to mend.
	undrawn = time.Hour
)

// images is what is known about uploading.
type images struct {
	not  time.Time // before
	said string    // why, as it was logged
}

// draw uploads the chart of a group that has none yet, or whose trend is a new one. Where that does not work the message has a
// line of text in its place: nothing waits for an image.
func (b *bot) draw(ctx context.Context, n *alert.Notification, at *reference) {
	if !b.cfg.Charts || len(n.Firing) == 0 || at.chart != "" && !redrawn(n) || time.Now().Before(b.images.not) {
		return
	}
	r := trend(n)
	if r == nil {
		return
	}
	data, err := drawTrend(r)
	if err != nil {
		b.cfg.Log.Warn("could not draw a chart", "rule", r.Rule, "prompt", r.Prompt, "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, drawnWithin)
	defer cancel()
	f, err := b.api.UploadFileContext(ctx, api.UploadFileParameters{
		Reader: bytes.NewReader(data), FileSize: len(data), Filename: "trend.png", Title: cut(caption(r), 200), AltTxt: cut(caption(r), 900),
	})
	if err != nil {
		b.refused(err)
		return
	}
	at.chart, b.images = f.ID, images{}
}

// refused plans when the next chart is tried.
func (b *bot) refused(err error) {
	f := apiFailure(err, b.cfg.Token)
	if e, ok := errors.AsType[api.SlackErrorResponse](err); ok && e.Err == "missing_scope" {
		f.Hint = "give the bot the scope files:write and install the app anew, or set charts: false"
	}
	switch {
	case f.After > 0:
		b.images.not = time.Now().Add(f.After)
	case f.Kind == alert.Blocked:
		b.images.not = time.Now().Add(undrawn)
	}
	if f.Reason != b.images.said {
		b.images.said = f.Reason
		b.cfg.Log.Warn("could not upload a chart, messages have a line of text in its place", "reason", f.Reason, "hint", f.Hint)
	}
}

// redrawn says that the trend is another than that of the message.
func redrawn(n *alert.Notification) bool {
	for i := range n.News {
		if n.News[i].Type == detector.Firing {
			return true
		}
	}
	return false
}
