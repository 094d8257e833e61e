package slack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// Slack knows no idempotency key, so a message whose answer was lost, or of a worker that ended before it could write down that it had
// posted it, would be posted again. So each message carries unseen which records it tells, and where there is doubt a channel's newest
// messages are looked through before one is posted. A bot that may not read its channel posts as it would without doubt: twice at worst.
const (
	toldEvent = "driftd_told" // event_type of a message's metadata
	lookBack  = 200           // newest messages, and replies of a thread, that are looked through
	maxMarks  = 60            // records that a message names, which Slack has room for
	// recalled is for how long what a channel has is remembered.
	recalled = 30 * time.Second
)

// memory is what the bot knows of what stands in its channel.
type memory struct {
	channel string             // id
	posted  map[string]string  // record to the ts of the newest message that tells it
	read    time.Time          // when that was; zero for never
	doubt   map[alert.Key]bool // deliveries whose answer was lost
	blind   time.Time          // nothing can be read before
	said    string             // why, as it was logged
}

// mark names a record.
func mark(r *detector.Record) string {
	m := fmt.Sprintf("%s-%d-%s", r.ID, r.Step, r.Type)
	if r.Type == detector.RollbackReminded { // comes several times
		m += fmt.Sprintf("-%d", r.Time.Unix())
	}
	return m
}

// newsMarks are those of what a reply tells, newest first.
func newsMarks(n *alert.Notification) []string {
	var out []string
	for _, r := range slices.Backward(n.News) {
		out = append(out, mark(&r))
	}
	return out
}

// marks are those of all that a message tells: the newest steps of its alerts, the worst first, and its news.
func marks(n *alert.Notification) []string {
	out := newsMarks(n)
	for _, ms := range [][]alert.Member{n.Firing, n.Resolved} {
		for i := range ms {
			if m := mark(&ms[i].Record); len(out) < maxMarks && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	return out
}

// carrying has a message carry marks.
func (b *bot) carrying(marks []string) api.MsgOption {
	return api.MsgOptionMetadata(api.SlackMetadata{EventType: toldEvent, EventPayload: map[string]any{"receiver": b.cfg.Name, "told": marks}})
}

// told reads the marks of a message, none of one that is not of this receiver.
func (b *bot) told(m *api.Message) (marks []string) {
	if m.Metadata.EventType != toldEvent || m.Metadata.EventPayload["receiver"] != b.cfg.Name {
		return nil
	}
	list, _ := m.Metadata.EventPayload["told"].([]any)
	for _, v := range list {
		if s, ok := v.(string); ok {
			marks = append(marks, s)
		}
	}
	return marks
}

// recall finds the message of a group that the outbox knows none of, where one may have been posted; and takes out of the news what
// stands in the message's thread already. It fails where Slack does not answer now: then nothing should be posted yet.
func (b *bot) recall(ctx context.Context, n *alert.Notification, at reference) (*alert.Notification, reference, error) {
	if n.Doubt.IsZero() && !b.memory.doubt[n.Key] || time.Now().Before(b.memory.blind) {
		return n, at, nil
	}
	if at.ts == "" {
		if err := b.readChannel(ctx, b.memory.doubt[n.Key] || b.memory.read.Before(n.Doubt)); err != nil {
			return n, at, b.unread(err)
		}
		for _, m := range marks(n) {
			if ts := b.memory.posted[m]; ts != "" {
				at = reference{channel: b.memory.channel, ts: ts}
				break
			}
		}
	}
	if at.ts == "" || len(n.News) == 0 {
		return n, at, nil
	}
	said, err := b.readThread(ctx, at)
	if err != nil {
		return n, at, b.unread(err)
	}
	out := *n
	out.News = slices.DeleteFunc(slices.Clone(n.News), func(r detector.Record) bool { return said[mark(&r)] })
	return &out, at, nil
}

// unread is nil where nothing can be read until a person has mended something: then messages are posted all the same.
func (b *bot) unread(err error) error {
	f := apiFailure(err, b.cfg.Token)
	if f.Kind == alert.Unavailable {
		return f
	}
	b.memory.blind = time.Now().Add(undrawn)
	if f.Reason != b.memory.said {
		b.memory.said = f.Reason
		b.cfg.Log.Warn("cannot look for messages that may have been posted, after a crash one may be posted twice", "reason", f.Reason,
			"hint", "give the bot the scopes channels:read, groups:read, channels:history and groups:history and install the app anew")
	}
	return nil
}

// readChannel reads the newest messages of the channel, where that was not done just now.
func (b *bot) readChannel(ctx context.Context, anew bool) error {
	m := &b.memory
	if !anew && !m.read.IsZero() && time.Since(m.read) < recalled {
		return nil
	}
	if m.channel == "" {
		id, err := b.channelID(ctx)
		if err != nil {
			return err
		}
		m.channel = id
	}
	page, err := b.api.GetConversationHistoryContext(ctx, &api.GetConversationHistoryParameters{ChannelID: m.channel, Limit: lookBack, IncludeAllMetadata: true})
	if err != nil {
		return err
	}
	m.posted, m.read = map[string]string{}, time.Now()
	for i := range page.Messages { // newest first
		p := &page.Messages[i]
		for _, k := range b.told(p) {
			if m.posted[k] == "" {
				m.posted[k] = cmp.Or(p.ThreadTimestamp, p.Timestamp) // a reply that the channel sees too is below the group's message
			}
		}
	}
	return nil
}

// readThread returns what the replies to a message tell.
func (b *bot) readThread(ctx context.Context, at reference) (map[string]bool, error) {
	said := map[string]bool{}
	p := &api.GetConversationRepliesParameters{ChannelID: at.channel, Timestamp: at.ts, Limit: lookBack, IncludeAllMetadata: true}
	for range 10 { // the newest come last
		replies, more, next, err := b.api.GetConversationRepliesContext(ctx, p)
		if lost(err) || isCode(err, "thread_not_found") {
			return said, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range replies {
			if replies[i].Timestamp == at.ts {
				continue // the message itself
			}
			for _, m := range b.told(&replies[i]) {
				said[m] = true
			}
		}
		if !more || next == "" {
			break
		}
		p.Cursor = next
	}
	return said, nil
}

func isCode(err error, code string) bool {
	e, ok := errors.AsType[api.SlackErrorResponse](err)
	return ok && e.Err == code
}

var channelID = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)

// channelID finds the id of the channel among those that the bot is in: messages are not read by a name.
func (b *bot) channelID(ctx context.Context) (string, error) {
	if channelID.MatchString(b.cfg.Channel) {
		return b.cfg.Channel, nil
	}
	p := &api.GetConversationsForUserParameters{Types: []string{"public_channel", "private_channel"}, ExcludeArchived: true, Limit: 200}
	for {
		page, next, err := b.api.GetConversationsForUserContext(ctx, p)
		if err != nil {
			return "", err
		}
		for i := range page {
			if page[i].Name == strings.TrimPrefix(b.cfg.Channel, "#") {
				return page[i].ID, nil
			}
		}
		if next == "" {
			return "", api.SlackErrorResponse{Err: "channel_not_found"}
		}
		p.Cursor = next
	}
}

// doubtful notes whether a delivery may have come through although it failed.
func (b *bot) doubtful(n *alert.Notification, err error) {
	if f, ok := errors.AsType[*alert.Failure](err); ok && f.Kind == alert.Unavailable && f.Trouble != alert.TroubleRateLimited {
		if b.memory.doubt == nil {
			b.memory.doubt = map[alert.Key]bool{}
		}
		b.memory.doubt[n.Key] = true
	} else if err == nil {
		delete(b.memory.doubt, n.Key)
	}
}
