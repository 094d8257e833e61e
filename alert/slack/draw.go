package slack

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	api "github.com/slack-go/slack"
)

// Decode reads a message as it went over the wire.
func Decode(text string, blocks []byte) (Message, error) {
	m := Message{Text: text}
	if len(blocks) == 0 {
		return m, nil
	}
	var b api.Blocks
	if err := json.Unmarshal(blocks, &b); err != nil {
		return m, fmt.Errorf("decode Slack blocks: %w", err)
	}
	m.Blocks = b.BlockSet
	return m, nil
}

// DrawText draws a message as Slack shows it, in a box of width columns (at least 24), lines ended by newlines, for a
// terminal or a log. Bold and links are shown as plain words.
func DrawText(m Message, width int) string {
	inner := max(width, 24) - 4
	var out strings.Builder
	line := func(s string) {
		out.WriteString("│ " + s + strings.Repeat(" ", max(inner-columns(s), 0)) + " │\n")
	}
	paragraph := func(s string) {
		for _, l := range strings.Split(s, "\n") {
			for _, part := range wrap(l, inner) {
				line(part)
			}
		}
	}
	rule := strings.Repeat("─", inner+2)
	out.WriteString("┌" + rule + "┐\n")
	if len(m.Blocks) == 0 {
		paragraph(unescape(m.Text))
	}
	for i, b := range m.Blocks {
		switch b := b.(type) {
		case *api.HeaderBlock:
			paragraph(b.Text.Text)
			if i < len(m.Blocks)-1 {
				out.WriteString("├" + rule + "┤\n")
			}
			continue
		case *api.SectionBlock:
			if b.Text != nil {
				paragraph(shown(b.Text))
			}
			for _, f := range b.Fields {
				paragraph(shown(f))
			}
		case *api.ContextBlock:
			var parts []string
			for _, e := range b.ContextElements.Elements {
				if t, ok := e.(*api.TextBlockObject); ok {
					parts = append(parts, shown(t))
				}
			}
			paragraph(strings.Join(parts, " "))
		case *api.DividerBlock:
			line(strings.Repeat("─", inner))
		}
		if i < len(m.Blocks)-1 {
			line("")
		}
	}
	out.WriteString("└" + rule + "┘\n")
	return out.String()
}

var (
	linkForm = regexp.MustCompile(`<[^<>|]*\|([^<>]*)>`)
	boldForm = regexp.MustCompile(`\*([^*\n]+)\*`)
)

// shown is a text object as people see it.
func shown(t *api.TextBlockObject) string {
	if t.Type != api.MarkdownType {
		return t.Text
	}
	return unescape(boldForm.ReplaceAllString(linkForm.ReplaceAllString(t.Text, "$1"), "$1"))
}

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
		r >= 0x20000 && r <= 0x3fffd, r == '⏪', r == '⛔', r == '✅', r == '❌':
		return 2
	}
	return 1
}
