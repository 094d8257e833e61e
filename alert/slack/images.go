package slack

import (
	"context"

	"github.com/driftd/driftd/alert"
)

// images is what is known about uploading.
type images struct{}

// draw uploads the chart of a group that has none yet, or whose trend is a new one.
func (b *bot) draw(ctx context.Context, n *alert.Notification, at *reference) {}
