package slack

import (
	"net/url"
	"strings"
	"unicode"
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
