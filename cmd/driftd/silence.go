package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/web"
)

const silenceArgs = "LABEL=VALUE… --for 2h --comment TEXT | --list | --end ID"

const silenceHelp = `
Keeps receivers from being told of alerts whose labels match, all of them: alert (the rule), group, prompt, version, variant,
the dimensions of the cohort, and the labels of the rules. Operators are = and != (with * for anything) and the regular
expressions =~ and !~, which match the whole value:

  driftd silence 'prompt=support_*' severity=page --for 2h --comment "release of v24"
`

// runSilence makes, lists and ends silences.
func runSilence(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, fs := newClient("silence", silenceArgs, silenceHelp, stdout, stderr)
	long := fs.String("for", "", "how `LONG`: 90m, 2h, 7d; 30 days at most")
	comment := fs.String("comment", "", "why, for those who wonder: `TEXT`")
	resolved := fs.Bool("until-resolved", false, "end it as soon as none of the alerts that it matched fires any more")
	list := fs.Bool("list", false, "list silences: in force, not yet begun, expired within a week")
	end := fs.String("end", "", "end the silence of this `ID` now")
	rest, code, done := parseFlags(fs, args)
	if done {
		return code
	}
	making := len(rest) > 0
	switch {
	case making && (*list || *end != "") || *list && *end != "" || !making && !*list && *end == "":
		return c.usage("usage: driftd silence %s", silenceArgs)
	case making && *long == "":
		return c.usage("say for how long: --for 2h")
	case making && strings.TrimSpace(*comment) == "":
		return c.usage("say why, for those who wonder: --comment TEXT")
	}
	var matchers []detector.Matcher
	for _, text := range rest {
		m, err := parseMatcher(text)
		if err != nil {
			return c.usage("%v", err)
		}
		matchers = append(matchers, m)
	}
	if code, ok := c.open(); !ok {
		return code
	}
	switch {
	case *list:
		return c.listSilences(ctx)
	case *end != "":
		return c.endSilence(ctx, *end)
	}
	var made web.Made
	err := c.ask(ctx, "POST", "silences", nil, web.NewSilence{
		By: c.by(), Matchers: matchers, For: *long, UntilResolved: *resolved, Comment: *comment,
	}, &made)
	if e, ok := pending(err); ok {
		fmt.Fprintf(stderr, "driftd silence: %v\n", e)
		return exitFine
	}
	if err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(&made)
	}
	fmt.Fprintf(stdout, "silence %s until %s UTC: %s; %s now\n", shortIDs(nil)(made.ID), made.Ends.UTC().Format("2006-01-02 15:04"), matchersText(made.Matchers),
		phrase.Plural(int64(made.Alerts), "alert that fires matches", "alerts that fire match"))
	if made.Note != "" {
		fmt.Fprintln(stdout, phrase.Clean(made.Note))
	}
	return exitFine
}

var matcherText = regexp.MustCompile(`^\s*([\pL_][\pL\pN_.-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$`)

// parseMatcher reads one: label, operator, value. A * in the value of = and != stands for anything.
func parseMatcher(text string) (m detector.Matcher, err error) {
	parts := matcherText.FindStringSubmatch(text)
	if parts == nil || !utf8.ValidString(text) {
		return m, fmt.Errorf("%q is no matcher\n    write label=value, such as prompt=support_intent or severity!=page", text)
	}
	m = detector.Matcher{Label: parts[1], Op: parts[2], Value: strings.Trim(parts[3], `"`)}
	if (m.Op == "=" || m.Op == "!=") && strings.Contains(m.Value, "*") {
		m.Op = strings.Replace(m.Op, "=", "=~", 1)
		if m.Op == "!=~" {
			m.Op = "!~"
		}
		m.Value = strings.ReplaceAll(regexp.QuoteMeta(m.Value), `\*`, ".*")
	}
	return m, nil
}

func matchersText(ms []detector.Matcher) string {
	var out []string
	for _, m := range ms {
		out = append(out, phrase.Clean(m.Label+m.Op+m.Value))
	}
	return strings.Join(out, " ")
}

func (c *client) listSilences(ctx context.Context) int {
	var all web.Silences
	if err := c.ask(ctx, "GET", "silences", nil, nil, &all); err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(&all)
	}
	if len(all.Silences) == 0 {
		fmt.Fprintln(c.stdout, "There are no silences.")
		return exitFine
	}
	var ids []string
	for i := range all.Silences {
		ids = append(ids, all.Silences[i].ID)
	}
	short := shortIDs(ids)
	clock := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }
	table := [][]string{{"id", "state", "from (UTC)", "to", "by", "matches", "comment"}}
	for i := range all.Silences {
		s := &all.Silences[i]
		to := clock(s.Ends)
		if s.UntilResolved && s.State != desk.SilenceExpired {
			to += " or resolved"
		}
		comment := phrase.Brief(s.Comment)
		if s.Ended != "" {
			comment += " (ended by " + phrase.Brief(s.Ended) + ")"
		}
		table = append(table, []string{short(s.ID), string(s.State), clock(s.Starts), to, phrase.Brief(s.By), matchersText(s.Matchers), comment})
	}
	writeColumns(c.stdout, table, len(table[0]))
	return exitFine
}

func (c *client) endSilence(ctx context.Context, id string) int {
	if code, ok := c.isID(id); !ok {
		return code
	}
	var s desk.Silence
	err := c.ask(ctx, "DELETE", "silences/"+url.PathEscape(id), nil, c.by(), &s)
	if e, ok := pending(err); ok {
		fmt.Fprintf(c.stderr, "driftd silence: %v\n", e)
		return exitFine
	}
	if err != nil {
		return c.failed(err)
	}
	if *c.json {
		return c.printJSON(&s)
	}
	fmt.Fprintf(c.stdout, "silence %s has ended: %s\n", shortIDs(nil)(s.ID), matchersText(s.Matchers))
	return exitFine
}
