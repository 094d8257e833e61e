package slack

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
)

// bot posts and updates with a token. The outbox calls it, one delivery at a time.
type bot struct {
	cfg Config
	api *api.Client
	// moved are the messages of groups that the outbox does not know of: their delivery failed after they were posted, or they
	// took the place of one that was deleted, or have a chart now, and the outbox did not write it down.
	moved  map[alert.Key]moved
	last   time.Time // of the newest message that was posted
	images images
	memory memory
	plain  plainly
}

// Traits implements alert.Receiver.
func (b *bot) Traits() alert.Traits { return alert.Traits{Interval: b.cfg.Interval, Updates: true} }

// looked is how long Slack may take to look at an image.
const looked = 2 * time.Second

// moved says that what the outbox knows as one message is another now.
type moved struct{ from, to string }

// reference says where a message is: channel id, timestamp and, where it has one, its chart.
type reference struct{ channel, ts, chart string }

func parseRef(s string) reference {
	channel, rest, _ := strings.Cut(s, ":")
	ts, chart, _ := strings.Cut(rest, ":")
	return reference{channel, ts, chart}
}

func (r reference) String() string {
	switch {
	case r.ts == "":
		return ""
	case r.chart != "":
		return r.channel + ":" + r.ts + ":" + r.chart
	}
	return r.channel + ":" + r.ts
}

// Deliver implements alert.Receiver: it posts or changes the group's message, and replies in its thread with what is new.
// Where Slack refuses the blocks or the size of a message, its text alone is sent: an alert in plain words is better than none.
func (b *bot) Deliver(ctx context.Context, n *alert.Notification) (string, error) {
	known := n.Ref
	if m, ok := b.moved[n.Key]; ok && m.from == n.Ref {
		known = m.to
	}
	at := parseRef(known)
	old := at.ts
	n, at, err := b.recall(ctx, n, at)
	if err != nil {
		return "", err
	}
	b.draw(ctx, n, &at)
	at, err = b.show(ctx, n, at)
	if err != nil {
		b.doubtful(n, err)
		return "", err
	}
	err = b.reply(ctx, at, replyTo(n, at.ts != old), newsMarks(n))
	b.doubtful(n, err)
	if to := at.String(); to != n.Ref && (err != nil || n.Ref != "") {
		b.moved[n.Key] = moved{n.Ref, to}
	} else {
		delete(b.moved, n.Key)
	}
	if err != nil {
		return "", err
	}
	return at.String(), nil
}

// show sends the message, with the chart or without, in blocks or in plain words: the best that Slack takes.
func (b *bot) show(ctx context.Context, n *alert.Notification, at reference) (reference, error) {
	v, tells := b.cfg.view(), marks(n)
	v.Chart = at.chart
	m := Render(n, v)
	out, err := b.send(ctx, at, m, tells)
	if unsendable(err) && v.Chart != "" {
		// An image cannot be shown until Slack has looked at it. What matters goes without it, and it follows.
		v.Chart = ""
		if out, err = b.send(ctx, at, Render(n, v), tells); err == nil && wait(ctx, looked) == nil {
			_, _ = b.send(ctx, out, m, tells) // what counts is told; where this fails the next change tries again
		}
	}
	if unsendable(err) {
		why := err
		if out, err = b.send(ctx, at, Message{Text: m.Text}, tells); err == nil {
			b.plain.noted(b.cfg.Log, why)
		}
		return out, err
	}
	if err == nil {
		b.plain = plainly{}
	}
	return out, err
}

// Complaint implements alert.Complainer.
func (b *bot) Complaint() (alert.Trouble, string) { return b.plain.complaint() }

// plainly says why the last message went out in plain words, empty where it did not.
type plainly struct{ why string }

func (p *plainly) noted(log *slog.Logger, err error) {
	f, _ := errors.AsType[*alert.Failure](err)
	if why := f.Reason + " (" + f.Hint + ")"; why != p.why {
		p.why = why
		log.Warn("Slack does not take a message as it is, it goes out in plain words", "reason", f.Reason, "hint", f.Hint, "error", f.Err)
	}
}

func (p *plainly) complaint() (alert.Trouble, string) {
	if p.why == "" {
		return "", ""
	}
	return alert.TroubleMessage, "the last message went out in plain words: Slack says " + p.why
}

func unsendable(err error) bool {
	f, ok := errors.AsType[*alert.Failure](err)
	return ok && f.Kind == alert.Unsendable
}

// send changes the message, or posts a new one where there is none any more. What a message has and the new one has not is
// said to be gone: Slack keeps what it is not told about.
func (b *bot) send(ctx context.Context, at reference, m Message, tells []string) (reference, error) {
	options := []api.MsgOption{
		api.MsgOptionText(m.Text, false), api.MsgOptionDisableLinkUnfurl(), api.MsgOptionDisableMediaUnfurl(),
		api.MsgOptionBlocks(m.Blocks...), api.MsgOptionAttachments(m.attachments()...),
	}
	if at.ts != "" {
		_, _, _, err := b.api.UpdateMessageContext(ctx, at.channel, at.ts, options...)
		if err == nil || !lost(err) {
			return at, b.failure(err)
		}
	}
	return b.post(ctx, at.chart, append(options, b.carrying(tells))...)
}

// under posts a message, in a thread where ts names one.
func (b *bot) under(ctx context.Context, ts string, m Message) (reference, error) {
	options := []api.MsgOption{
		api.MsgOptionText(m.Text, false), api.MsgOptionDisableLinkUnfurl(), api.MsgOptionDisableMediaUnfurl(), api.MsgOptionBlocks(m.Blocks...),
	}
	if ts != "" {
		options = append(options, api.MsgOptionTS(ts))
	}
	return b.post(ctx, "", options...)
}

// post posts a message, no sooner than Slack allows after the one before.
func (b *bot) post(ctx context.Context, chart string, options ...api.MsgOption) (reference, error) {
	if err := wait(ctx, b.cfg.Interval-time.Since(b.last)); err != nil {
		return reference{}, b.failure(err)
	}
	channel, ts, err := b.api.PostMessageContext(ctx, b.cfg.Channel, options...)
	b.last = time.Now()
	if err != nil {
		return reference{}, b.failure(err)
	}
	return reference{channel, ts, chart}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reply writes into the thread. A thread that takes no reply, such as one that an admin has locked, holds nothing up: the
// message above it says how things are.
func (b *bot) reply(ctx context.Context, at reference, r reply, tells []string) error {
	if r.text == "" {
		return nil
	}
	blocks := []api.Block{api.NewSectionBlock(md(r.text), nil, nil)}
	options := []api.MsgOption{
		api.MsgOptionTS(at.ts), api.MsgOptionText(cut(unmarked(r.text), maxText), false),
		api.MsgOptionDisableLinkUnfurl(), api.MsgOptionDisableMediaUnfurl(), b.carrying(tells),
	}
	if r.loud {
		options = append(options, api.MsgOptionBroadcast())
	}
	_, err := b.post(ctx, "", append(options, api.MsgOptionBlocks(blocks...))...)
	if unsendable(err) {
		_, err = b.post(ctx, "", options...)
	}
	if f, ok := errors.AsType[*alert.Failure](err); ok && (f.Kind == alert.Unsendable || locked(f.Reason)) {
		b.cfg.Log.Warn("a reply in a thread was refused, the message itself stands", "channel", b.cfg.Channel, "reason", f.Reason)
		return nil
	}
	return err
}
