package slack

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	api "github.com/slack-go/slack"
)

// Decode reads a message as it went over the wire. Attachments, of which the first is the foot, may be left out.
func Decode(text string, blocks []byte, attachments ...[]byte) (Message, error) {
	m := Message{Text: text}
	if len(blocks) > 0 {
		var b api.Blocks
		if err := json.Unmarshal(blocks, &b); err != nil {
			return m, fmt.Errorf("decode Slack blocks: %w", err)
		}
		m.Blocks = b.BlockSet
	}
	for _, raw := range attachments {
		var as []api.Attachment
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &as); err != nil {
			return m, fmt.Errorf("decode Slack attachments: %w", err)
		}
		for _, a := range as {
			m.Color = a.Color
			m.Foot = append(m.Foot, a.Blocks.BlockSet...)
		}
	}
	return m, nil
}

// DrawText draws a message as Slack shows it, in a box of width columns (at least 24), lines ended by newlines, for a
// terminal or a log. Bold and links are shown as plain words, buttons and images as what they are.
func DrawText(m Message, width int) string {
	d := drawing{inner: max(width, 24) - 4}
	rule := strings.Repeat("─", d.inner+2)
	d.WriteString("┌" + rule + "┐\n")
	if len(m.Blocks) == 0 {
		d.text(unescape(m.Text), "")
	}
	for i, b := range m.Blocks {
		if h, ok := b.(*api.HeaderBlock); ok {
			if h.Text != nil {
				d.text(h.Text.Text, "")
			}
			if i < len(m.Blocks)-1 {
				d.WriteString("├" + rule + "┤\n")
			}
			continue
		}
		d.block(b, "")
		if i < len(m.Blocks)-1 || len(m.Foot) > 0 {
			d.line("")
		}
	}
	for _, b := range m.Foot {
		d.block(b, "▌ ")
	}
	d.WriteString("└" + rule + "┘\n")
	return d.String()
}

// drawing is a box that is being drawn.
type drawing struct {
	strings.Builder
	inner int // columns between the edges and their spaces
}

func (d *drawing) line(s string) {
	if columns(s) > d.inner {
		s = fit(s, d.inner)
	}
	d.WriteString("│ " + s + strings.Repeat(" ", max(d.inner-columns(s), 0)) + " │\n")
}

// text writes lines that are wrapped, each behind the margin.
func (d *drawing) text(s, margin string) {
	for l := range strings.SplitSeq(s, "\n") {
		for _, part := range wrap(l, d.inner-columns(margin)) {
			d.line(margin + part)
		}
	}
}

// fixed writes lines that are cut where they are too long.
func (d *drawing) fixed(s, margin string) {
	for l := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		if room := d.inner - columns(margin); columns(l) > room {
			l = fit(l, room-1) + "…"
		}
		d.line(margin + l)
	}
}

func (d *drawing) block(b api.Block, margin string) {
	switch b := b.(type) {
	case *api.SectionBlock:
		if b.Text != nil {
			d.object(b.Text, margin)
		}
		for _, f := range b.Fields {
			d.object(f, margin)
		}
	case *api.ContextBlock:
		var parts []string
		for _, e := range b.ContextElements.Elements {
			if t, ok := e.(*api.TextBlockObject); ok {
				parts = append(parts, shown(t))
			}
		}
		d.text(strings.Join(parts, " "), margin)
	case *api.ActionBlock:
		if b.Elements != nil {
			d.buttons(b.Elements.ElementSet, margin)
		}
	case *api.ImageBlock:
		d.image(b.AltText, margin)
	case *api.DividerBlock:
		d.line(margin + strings.Repeat("─", d.inner-columns(margin)))
	}
}

// object draws a text; what is preformatted in it stays as it is.
func (d *drawing) object(t *api.TextBlockObject, margin string) {
	if t.Type != api.MarkdownType {
		d.text(t.Text, margin)
		return
	}
	for i, part := range strings.Split(t.Text, "```") {
		part = strings.Trim(part, "\n")
		switch {
		case part == "":
		case i%2 == 1:
			d.fixed(unescape(part), margin+"  ")
		default:
			d.text(shown(api.NewTextBlockObject(api.MarkdownType, part, false, false)), margin)
		}
	}
}

// buttons draws them side by side, as many as fit. The one that is meant is marked.
func (d *drawing) buttons(all []api.BlockElement, margin string) {
	row := ""
	for _, e := range all {
		b, ok := e.(*api.ButtonBlockElement)
		if !ok || b.Text == nil {
			continue
		}
		name := "[ " + b.Text.Text + " ]"
		if b.Style == api.StylePrimary {
			name = "[▸ " + b.Text.Text + " ]"
		}
		if row != "" && columns(margin)+columns(row)+2+columns(name) > d.inner {
			d.fixed(row, margin)
			row = ""
		}
		if row != "" {
			row += "  "
		}
		row += name
	}
	if row != "" {
		d.fixed(row, margin)
	}
}

// image draws a frame with what the image shows in words.
func (d *drawing) image(alt, margin string) {
	room := max(d.inner-columns(margin)-4, 1)
	lines := wrap(alt, room)
	wide := len("chart") + 2
	for _, l := range lines {
		wide = max(wide, columns(l))
	}
	edge := strings.Repeat("─", wide+2)
	d.line(margin + "╭─ chart " + strings.Repeat("─", wide-6) + "╮")
	for _, l := range lines {
		d.line(margin + "│ " + l + strings.Repeat(" ", wide-columns(l)) + " │")
	}
	d.line(margin + "╰" + edge + "╯")
}

var (
	linkForm    = regexp.MustCompile(`<[^<>|]*\|([^<>]*)>`)
	mentionForm = regexp.MustCompile(`<(?:@|!subteam\^)([A-Z0-9]+)>`)
	codeForm    = regexp.MustCompile("`([^`\n]+)`")
	boldForm    = regexp.MustCompile(`\*([^*\n]+)\*`)
)

// shown is a text object as people see it; of people and groups their ids, since their names are Slack's.
func shown(t *api.TextBlockObject) string {
	if t.Type != api.MarkdownType {
		return t.Text
	}
	s := mentionForm.ReplaceAllString(linkForm.ReplaceAllString(t.Text, "$1"), "@$1")
	return unescape(boldForm.ReplaceAllString(codeForm.ReplaceAllString(s, "$1"), "$1"))
}

// unmarked is a mrkdwn text for where nothing is formatted.
func unmarked(s string) string { return strings.ReplaceAll(s, "*", "") }

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// wrap breaks a line at spaces so that each part fits, and words that are too long anywhere. Parts after the first of a
// list item are indented below its text.
func wrap(s string, width int) []string {
	indent := ""
	if strings.HasPrefix(s, "• ") {
		indent = "  "
	}
	var out []string
	cur := ""
	flush := func() {
		out = append(out, cur)
		cur = indent
	}
	for _, w := range strings.Split(s, " ") {
		if strings.TrimSpace(cur) != "" || cur == "" && w == "" {
			if columns(cur)+1+columns(w) <= width {
				cur += " " + w
				continue
			}
			flush()
		}
		for columns(cur)+columns(w) > width {
			head := fit(w, width-columns(cur))
			cur += head
			w = w[len(head):]
			flush()
		}
		cur += w
	}
	return append(out, cur)
}

// fit returns the longest start of s that takes at most width columns, at least one rune.
func fit(s string, width int) string {
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > width && i > 0 {
			return s[:i]
		}
	}
	return s
}

// columns is how wide a terminal shows s.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r), unicode.Is(unicode.Cf, r), r < ' ':
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff,
		r >= 0x20000 && r <= 0x3fffd, r == '⏪', r == '⏰', r == '⏳', r == '⛔', r == '✅', r == '❌':
		return 2
	}
	return 1
}
