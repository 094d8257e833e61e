package receivers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/VictoriaMetrics/metrics"
)

// hostile is what may stand in names, answers, comments and reasons: none of it may do anything where it is shown.
var hostile = map[string]string{
	"mention":       "<!channel> <!here> <!everyone> <@U1> <#C1> <!subteam^S1>",
	"link":          "<https://evil.example|click here> https://evil.example javascript:alert(1)",
	"markup":        "*bold* _it_ ~st~ `code` ```pre``` > quote :fire: &lt;!channel&gt;",
	"html":          `<script>alert(1)</script><img src=x onerror="alert(1)">'"&`,
	"ansi":          "\x1b[31mred\x1b[0m \x1b]0;title\a \x1b[2J \u009b31m",
	"line":          "v23\nlevel=ERROR msg=forged\r\nX-Header: forged\u2028\u2029\v\f",
	"bidi":          "user\u202egnp.exe \u2066a\u2069 \u200e\u200f\u061c \u202a\u202b\u202c\u202d",
	"invisible":     "a\u200bb\u2060c\ufeffd\u00ade",
	"nul":           "a\x00b\x7fc",
	"invalid UTF-8": "a\xff\xfe\xc3\x28\xed\xa0\x80b",
	"long":          strings.Repeat("very long 🦆 ", 500),
	"braces":        `{{ .Prompt }} ${SECRET} $(id) %s %!d(x) {"json":1}`,
}

// wiretap keeps the bodies of what is sent.
type wiretap struct {
	next   http.RoundTripper
	bodies [][]byte
}

func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		w.bodies = append(w.bodies, body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return w.next.RoundTrip(r)
}

// leaves are all texts in a body, keys among them, by where they stand.
func leaves(body []byte, each func(path, text string)) {
	var v any
	if json.Unmarshal(body, &v) == nil {
		walk("", v, each)
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		each("raw", string(body))
	}
	for name, values := range form {
		for _, text := range values {
			if json.Unmarshal([]byte(text), &v) == nil && strings.ContainsAny(text, "{[") {
				walk(name, v, each)
				continue
			}
			each(name, text)
		}
	}
}

func walk(path string, v any, each func(path, text string)) {
	switch v := v.(type) {
	case string:
		each(path, v)
	case []any:
		for _, e := range v {
			walk(path+"[]", e, each)
		}
	case map[string]any:
		if v["type"] == "plain_text" {
			path += plainText
		}
		for k, e := range v {
			each(path+".{}", k)
			walk(path+"."+k, e, each)
		}
	}
}

// plainText marks those of Slack's texts in which nothing is markup.
const plainText = "(plain)"

// many are the texts that have several lines.
var many = regexp.MustCompile(`text$|description$|message$|note$|summary$|\.details\.|annotations\.`)

// alive says what of a text does something where people read it.
func alive(path, text string) string {
	for _, r := range text {
		switch {
		case r == '\n' && many.MatchString(path):
		case unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return fmt.Sprintf("the control character %q", r)
		case unicode.Is(unicode.Bidi_Control, r), r == '\u200b', r == '\u2060', r == '\ufeff':
			return fmt.Sprintf("the invisible %q", r)
		}
	}
	return ""
}

// slackMarkup is what Slack makes something of.
var slackMarkup = regexp.MustCompile(`<[!@#]|<javascript:|<https://evil`)

// TestHostile gives every receiver each text in every field, and looks at what is sent as those see it who read it there.
func TestHostile(t *testing.T) {
	for what, text := range hostile {
		for _, s := range subjects() {
			for _, resolved := range []bool{false, true} {
				w := &wiretap{next: &Wire{Peer: s.peer()}}
				r := s.open(w, metrics.NewSet(), slog.New(slog.DiscardHandler))
				n := notification(text, "threshold", text, text, 0.5, 7, 2, resolved)
				if _, err := r.Deliver(t.Context(), n); err != nil {
					t.Errorf("%s to %s: %v", what, s.name, err)
				}
				if len(w.bodies) == 0 {
					t.Errorf("%s to %s: nothing was sent", what, s.name)
				}
				var said []string
				for _, body := range w.bodies {
					if !utf8.Valid(body) || bytes.ContainsAny(body, "\x00\x1b") {
						t.Errorf("%s to %s: the bytes that are sent are no text", what, s.name)
					}
					leaves(body, func(path, text string) {
						problem := ""
						if s.name != "webhook" { // programs get the record as it is
							problem = alive(path, text)
						}
						if strings.HasPrefix(s.name, "slack") && slackMarkup.MatchString(text) && !strings.Contains(path, plainText) {
							problem = "markup"
						}
						if problem != "" && !slices.Contains(said, path) {
							said = append(said, path)
							t.Errorf("%s to %s, resolved %v: %s has %s: %.80q", what, s.name, resolved, path, problem, text)
						}
					})
				}
			}
		}
	}
}
