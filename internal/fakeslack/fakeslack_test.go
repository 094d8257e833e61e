package fakeslack

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
)

func start(t *testing.T, cfg Config) (*Server, string) {
	t.Helper()
	cfg.Token, cfg.Channels, cfg.Webhooks = "xoxb-1", map[string]string{"ops": "C1"}, map[string]string{"/services/T/B/x": "C1"}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := New(cfg)
	url, stop, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s, url
}

func plainText(n int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, strings.Repeat("x", n), false, false)
}

func mrkdwnText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

func many[T any](n int, v T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// Each limit holds at its edge, as slack-go sees it.
func TestLimits(t *testing.T) {
	s, url := start(t, Config{})
	api := slack.New("xoxb-1", slack.OptionAPIURL(url+"/api/"))
	section := slack.NewSectionBlock(plainText(1), nil, nil)
	text := func(s string) slack.MsgOption { return slack.MsgOptionText(s, false) }
	blocks := func(b ...slack.Block) slack.MsgOption { return slack.MsgOptionBlocks(b...) }
	f := func(name, want string, options ...slack.MsgOption) {
		t.Helper()
		_, _, err := api.PostMessageContext(t.Context(), "#ops", options...)
		got := "ok"
		if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
			got = e.Err
		} else if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("nothing", "no_text")
	f("text", "ok", text(strings.Repeat("x", 40000)))
	f("long text", "msg_too_long", text(strings.Repeat("x", 40001)))
	f("50 blocks", "ok", blocks(many[slack.Block](50, section)...))
	f("51 blocks", "invalid_blocks", blocks(many[slack.Block](51, section)...))
	f("section of 3000", "ok", blocks(slack.NewSectionBlock(mrkdwnText(strings.Repeat("x", 3000)), nil, nil)))
	f("section of 3001", "invalid_blocks", blocks(slack.NewSectionBlock(mrkdwnText(strings.Repeat("x", 3001)), nil, nil)))
	f("empty section", "invalid_blocks", blocks(slack.NewSectionBlock(mrkdwnText(""), nil, nil)))
	f("header of 150", "ok", blocks(slack.NewHeaderBlock(plainText(150))))
	f("header of 151", "invalid_blocks", blocks(slack.NewHeaderBlock(plainText(151))))
	f("header of 76 emoji", "invalid_blocks", blocks(slack.NewHeaderBlock(slack.NewTextBlockObject(slack.PlainTextType, strings.Repeat("😀", 76), false, false))))
	f("header in mrkdwn", "invalid_blocks", blocks(slack.NewHeaderBlock(mrkdwnText("x"))))
	f("10 fields", "ok", blocks(slack.NewSectionBlock(nil, many(10, plainText(2000)), nil)))
	f("11 fields", "invalid_blocks", blocks(slack.NewSectionBlock(nil, many(11, plainText(1)), nil)))
	f("field of 2001", "invalid_blocks", blocks(slack.NewSectionBlock(nil, many(1, plainText(2001)), nil)))
	f("10 elements", "ok", blocks(slack.NewContextBlock("", many[slack.MixedElement](10, plainText(1))...)))
	f("11 elements", "invalid_blocks", blocks(slack.NewContextBlock("", many[slack.MixedElement](11, plainText(1))...)))
	f("block id twice", "invalid_blocks", blocks(slack.NewContextBlock("a", plainText(1)), slack.NewContextBlock("a", plainText(1))))
	f("100 attachments", "ok", slack.MsgOptionAttachments(many(100, slack.Attachment{Text: "x"})...))
	f("101 attachments", "too_many_attachments", slack.MsgOptionAttachments(many(101, slack.Attachment{Text: "x"})...))
	f("a mention from a name", "invalid_blocks", blocks(slack.NewSectionBlock(mrkdwnText("<!channel>"), nil, nil)))
	f("a link", "ok", blocks(slack.NewSectionBlock(mrkdwnText("see <https://x.example/?a=1&amp;b|here>"), nil, nil)))

	if _, _, err := slack.New("xoxb-2", slack.OptionAPIURL(url+"/api/")).PostMessageContext(t.Context(), "C1", text("x")); err == nil || err.Error() != "invalid_auth" {
		t.Errorf("wrong token: %v", err)
	}
	if _, _, err := api.PostMessageContext(t.Context(), "C2", text("x")); err == nil || err.Error() != "channel_not_found" {
		t.Errorf("unknown channel: %v", err)
	}
	if _, err := api.AuthTestContext(t.Context()); err != nil {
		t.Errorf("auth.test: %v", err)
	}
	s.Archive("C1", true)
	f("archived", "is_archived", text("x"))
}

func TestUpdateAndWebhook(t *testing.T) {
	s, url := start(t, Config{})
	api := slack.New("xoxb-1", slack.OptionAPIURL(url+"/api/"))
	var seen []string
	s.Watch(func(m Message) { seen = append(seen, m.Text) })
	channel, ts, err := api.PostMessageContext(t.Context(), "#ops", slack.MsgOptionText("one", false))
	if err != nil || channel != "C1" {
		t.Fatal(channel, err)
	}
	if _, ts2, _, err := api.UpdateMessageContext(t.Context(), channel, ts, slack.MsgOptionText("two", false)); err != nil || ts2 != ts {
		t.Fatal(ts2, err)
	}
	if _, _, _, err := api.UpdateMessageContext(t.Context(), "#ops", ts, slack.MsgOptionText("x", false)); err == nil || err.Error() != "channel_not_found" {
		t.Errorf("chat.update by name: %v", err)
	}
	if err := slack.PostWebhookContext(t.Context(), url+"/services/T/B/x", &slack.WebhookMessage{Text: "three"}); err != nil {
		t.Fatal(err)
	}
	if err := slack.PostWebhookContext(t.Context(), url+"/services/T/B/y", &slack.WebhookMessage{Text: "x"}); err == nil {
		t.Error("an unknown webhook took a message")
	}
	s.Delete(ts)
	if _, _, _, err := api.UpdateMessageContext(t.Context(), channel, ts, slack.MsgOptionText("x", false)); err == nil || err.Error() != "message_not_found" {
		t.Errorf("deleted: %v", err)
	}
	if got := strings.Join(seen, " "); got != "one two three" {
		t.Errorf("watched %q", got)
	}
	if ms := s.Messages(); len(ms) != 1 || ms[0].Text != "three" {
		b, _ := json.Marshal(ms)
		t.Errorf("messages %s", b)
	}
}

func TestRateLimit(t *testing.T) {
	now := time.Unix(1763649660, 0)
	_, url := start(t, Config{RateLimit: true, Now: func() time.Time { return now }})
	api := slack.New("xoxb-1", slack.OptionAPIURL(url+"/api/"))
	post := func() error {
		_, _, err := api.PostMessageContext(t.Context(), "C1", slack.MsgOptionText("x", false))
		return err
	}
	if err := post(); err != nil {
		t.Fatal(err)
	}
	if e, ok := errors.AsType[*slack.RateLimitedError](post()); !ok || e.RetryAfter != time.Second {
		t.Errorf("the second message in a second: %v", e)
	}
	now = now.Add(time.Second)
	if err := post(); err != nil {
		t.Error(err)
	}
}
