package slack

import (
	"strings"
	"testing"
)

// Whatever a message holds, it is drawn in a box of its width.
func FuzzDraw(f *testing.F) {
	f.Add("text", []byte(`[{"type":"header","text":{"type":"plain_text","text":"a"}},{"type":"section","text":{"type":"mrkdwn","text":"*a* <https://x|b> `+"```x\\ny```"+`"}}]`), []byte(`[{"color":"#fff","blocks":[{"type":"divider"}]}]`), 73)
	f.Add("", []byte(`[{"type":"header"},{"type":"section"},{"type":"actions"},{"type":"image","alt_text":""},{"type":"context","elements":[{"type":"mrkdwn"}]}]`), []byte(`[{}]`), 0)
	f.Add("", []byte(`[{"type":"actions","elements":[{"type":"button","style":"primary","text":{"type":"plain_text","text":"`+strings.Repeat("long ", 30)+`"}},{"type":"button"}]}]`), []byte(`null`), 24)
	f.Fuzz(func(t *testing.T, text string, blocks, attachments []byte, width int) {
		m, err := Decode(text, blocks, attachments)
		if err != nil {
			return
		}
		width = 24 + (width%100+100)%100
		for l := range strings.Lines(DrawText(m, width)) {
			if got := columns(strings.TrimSuffix(l, "\n")); got != width {
				t.Fatalf("a line has %d columns, not %d: %q", got, width, l)
			}
		}
	})
}
