package slack

import (
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
)

// Slack's limits, in its characters.
const (
	maxHeader  = 150
	maxSection = 3000
	maxText    = 4000 // of the fallback; Slack cuts at 40,000 and advises this
	maxBlocks  = 50   // those of the foot among them
	maxCohorts = 5    // shown by name, the worst ones
	maxTraces  = 3
)

// Message is what is sent: blocks, a text for notifications and for clients that cannot show blocks, and a foot beside a
// coloured bar for what matters less.
type Message struct {
	Text   string
	Blocks []api.Block
	Foot   []api.Block
	Color  string // of the bar beside Foot: #rrggbb
}

// View is what a message needs beside what it tells.
type View struct {
	TraceURL string // address of a trace with {trace_id} in it, or empty
	Receiver string // name, which its buttons carry
	Buttons  bool   // somebody hears when they are pressed
	Chart    string // id of the uploaded image; empty draws a line of text
	// ApproveWithin is how long a proposal waits for a person; 0 does not say.
	ApproveWithin time.Duration
	// Grace is how long clients may go on with a version after a promotion; then one that lingers is warned of.
	Grace time.Duration
}

// Colours of the bar, those of Slack's own logo but for the grey.
const (
	red    = "#e01e5a"
	yellow = "#ecb22e"
	green  = "#2eb67d"
	grey   = "#9aa0a6"
)

// Render writes a notification for people. Everything that comes from events, rules, people or the registry is escaped; the
// result keeps Slack's limits whatever they hold.
func Render(n *alert.Notification, v View) Message {
	sign, title := sign(n), title(n)
	m := Message{Text: cut(fallback(n, sign, title), maxText), Color: colorOf(n)}
	emoji := true
	m.Blocks = append(m.Blocks, api.NewHeaderBlock(&api.TextBlockObject{Type: api.PlainTextType, Text: cut(sign+" "+title, maxHeader), Emoji: &emoji}))
	if len(n.Firing) > 0 {
		m.say(what(n))
		m.say(members(n))
		m.say(people(n))
		m.say(why(n))
		m.say(words(&n.Worst().Record))
		m.add(chart(n, v)...)
		m.say(versions(n))
		m.say(rollback(n, v))
		m.add(decide(n, v)...)
		m.say(next(n, v))
		m.add(buttons(n, v)...)
	} else {
		m.say(ended(n))
		m.say(people(n))
		m.add(chart(n, v)...)
		m.say(versions(n))
		m.say(rollback(n, v))
		m.say(after(n))
	}
	if c := footer(n, v.TraceURL); c != "" {
		m.Foot = []api.Block{api.NewContextBlock("", md(cut(c, maxSection)))}
	}
	m.Blocks = m.Blocks[:min(len(m.Blocks), maxBlocks-len(m.Foot))]
	return m
}

// say adds a section with a text; none for an empty one.
func (m *Message) say(text string) {
	if text != "" {
		m.add(api.NewSectionBlock(md(cut(text, maxSection)), nil, nil))
	}
}

func (m *Message) add(blocks ...api.Block) { m.Blocks = append(m.Blocks, blocks...) }

// attachments are how Slack takes the foot.
func (m *Message) attachments() []api.Attachment {
	if len(m.Foot) == 0 {
		return []api.Attachment{}
	}
	return []api.Attachment{{Color: m.Color, Blocks: api.Blocks{BlockSet: m.Foot}}}
}

// md is a mrkdwn text in which Slack links nothing of itself.
func md(s string) *api.TextBlockObject {
	return &api.TextBlockObject{Type: api.MarkdownType, Text: s, Verbatim: true}
}

// label is a plain text, of at most max characters.
func label(s string, max int) *api.TextBlockObject {
	return &api.TextBlockObject{Type: api.PlainTextType, Text: cut(s, max)}
}

func sign(n *alert.Notification) string {
	switch {
	case state(n) == alert.RollbackIneffective:
		return "🚨"
	case len(n.Firing) == 0:
		return "🟢"
	case n.Silenced != nil:
		return "🔕"
	case severe(n):
		return "🔴"
	}
	return "🟠"
}

func colorOf(n *alert.Notification) string {
	switch {
	case state(n) == alert.RollbackIneffective:
		return red
	case len(n.Firing) == 0:
		return green
	case n.Silenced != nil:
		return grey
	case severe(n):
		return red
	}
	return yellow
}

// severe tells what wakes people from what does not.
func severe(n *alert.Notification) bool {
	switch n.Worst().Record.Labels["severity"] {
	case "", "page", "critical":
		return true
	}
	return false
}

// state is that of the group's rollback, empty where there is none.
func state(n *alert.Notification) alert.RollbackState {
	if a := attempt(n); a != nil {
		return a.State
	}
	return ""
}

// title names the group: what its alerts have in common.
func title(n *alert.Notification) string {
	s, r := spread(n), &n.Worst().Record
	rule := brief(r.Rule)
	if s.rules > 1 {
		rule = plural(int64(s.rules), "rule", "rules")
	}
	of := brief(r.Prompt)
	if s.prompts > 1 {
		of = plural(int64(s.prompts), "prompt", "prompts")
	}
	switch {
	case s.versions > 1 && s.prompts == 1:
		of += " " + plural(int64(s.versions), "version", "versions")
	case s.versions == 1:
		of += " " + brief(r.Version)
	}
	t := rule + " · " + strings.TrimSpace(of)
	switch {
	case state(n) == alert.RollbackIneffective:
		return "Rollback did not help: " + t
	case len(n.Firing) == 0:
		return "Resolved: " + t
	}
	return t
}

// spreads counts in what the alerts of a group differ.
type spreads struct{ rules, prompts, versions int }

func spread(n *alert.Notification) spreads {
	rules, prompts, versions := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, ms := range [][]alert.Member{n.Firing, n.Resolved} {
		for i := range ms {
			r := &ms[i].Record
			rules[r.Rule], prompts[r.Prompt], versions[r.Prompt+"\x00"+r.Version] = true, true, true
		}
	}
	s := spreads{len(rules), len(prompts), len(versions)}
	return s
}
