package slack

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/driftd/driftd/detector"
)

// TestHostileElsewhere: what alerts' messages do with names that are markup, the day's table, the dialog and the captions of charts do too.
func TestHostileElsewhere(t *testing.T) {
	for _, text := range []string{
		"<!channel> <@U1> <https://evil.example|x>", "``` <!here> ```", "*a* _b_ ~c~ `d`", "\x1b[31m a\nb\r\u2028c", "user\u202egnp \u2066x\u2069\u200b", "a\x00\xff", strings.Repeat("long ", 2000),
	} {
		r := grounding()
		r.Prompt, r.Version, r.Previous, r.Rule, r.Metric = text, text, text, text, text
		r.Cohort = map[string]string{"tier": text, text: "a"}
		v := 0.5
		r.Trend = &detector.Trend{From: t0, Every: "1m", Values: []*float64{&v, &v}, Previous: []*float64{&v, &v}}
		day := &today{from: t0.Truncate(24 * time.Hour), prompts: []*promptDay{{
			name: text, figures: []detector.Figures{{Version: text, Calls: 7}}, alerts: []*episode{{first: r}}, rolled: []detector.Record{r},
		}}}
		said := map[string]string{"caption": caption(&r)}
		view, err := json.Marshal(dialog(&press{receiver: text, alertID: text, channel: text}, []detector.Matcher{{Label: text, Op: "=", Value: text}}))
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			Blocks []struct{ Text struct{ Text string } }
		}
		if err := json.Unmarshal(view, &shown); err != nil {
			t.Fatal(err)
		}
		said["dialog"] = shown.Blocks[0].Text.Text
		for _, m := range renderDigest(day) {
			blocks, err := json.Marshal(m.Blocks)
			if err != nil {
				t.Fatal(err)
			}
			var sections []struct{ Text struct{ Text string } }
			if err := json.Unmarshal(blocks, &sections); err != nil {
				t.Fatal(err)
			}
			said["digest's text"] = m.Text
			for _, s := range sections {
				said["digest"] += s.Text.Text
			}
		}
		for what, s := range said {
			bad := strings.IndexFunc(s, func(r rune) bool {
				return r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || strings.ContainsRune("\u2028\u200b\ufeff", r)
			})
			fences := map[string]int{"dialog": 2, "digest": 2}[what]
			if bad >= 0 || what == "caption" && strings.Contains(s, "\n") || what != "caption" && strings.ContainsAny(s, "<>") || what != "caption" && strings.Count(s, "```") != fences || len(s) > 3000 {
				t.Errorf("%s of %.30q: %.600q", what, text, s)
			}
		}
	}
}
