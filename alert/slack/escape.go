package slack

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

var mrkdwn = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape makes a text from outside safe in mrkdwn: no link, mention or entity can come of it, and no formatting. The
// formatting characters have no escape in Slack, so those that could begin or end a format are replaced by ones that look
// alike; underscores inside of a word format nothing and stay.
func escape(s string) string {
	s = clean(s)
	if strings.ContainsAny(s, "*~`_") {
		runes := []rune(s)
		for i, r := range runes {
			switch r {
			case '*':
				runes[i] = '∗'
			case '~':
				runes[i] = '∼'
			case '`':
				runes[i] = 'ˋ'
			case '_':
				if i == 0 || i == len(runes)-1 || !word(runes[i-1]) || !word(runes[i+1]) {
					runes[i] = '＿'
				}
			}
		}
		s = string(runes)
	}
	return mrkdwn.Replace(s)
}

// plain makes a text from outside safe where Slack formats nothing but expands entities: the fallback text.
func plain(s string) string { return mrkdwn.Replace(clean(s)) }

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// clean makes one line of valid, printable text: control characters become spaces, those that turn the direction of
// writing or are invisible go.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError, unicode.IsControl(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	return strings.Join(strings.Fields(s), " ")
}

// cut shortens s to at most n UTF-16 units, which is how Slack counts, and never inside an entity.
func cut(s string, n int) string {
	units := 0
	for i, r := range s {
		size := 1
		if r > 0xffff {
			size = 2
		}
		if units+size > n-1 && units16(s) > n {
			s = s[:i]
			if amp := strings.LastIndexByte(s, '&'); amp >= 0 && !strings.Contains(s[amp:], ";") {
				s = s[:amp]
			}
			return strings.TrimRight(s, " ") + "…"
		}
		units += size
	}
	return s
}

func units16(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// link returns a mrkdwn link, or just the text where the address is none that a person should follow.
func link(address, text string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || len(address) > 2000 ||
		strings.ContainsAny(u.Host, "<>|%&\"' ") || u.User != nil {
		return escape(text)
	}
	s := strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", " ", "%20").Replace(u.String())
	return "<" + strings.ReplaceAll(s, "&", "&amp;") + "|" + escape(text) + ">"
}

// traceLink links to a trace where there is a template and the id is one: hex or the like, since it becomes part of an
// address.
func traceLink(template, id string) string {
	short := id
	if len(short) > 8 {
		short = short[:8]
	}
	ok := id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if !ok || template == "" {
		return cut(escape(short), 20)
	}
	return link(strings.ReplaceAll(template, "{trace_id}", id), short)
}
