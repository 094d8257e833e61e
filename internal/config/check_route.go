package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

func (c *checker) routes(names []string) {
	mutes := c.muteTimes()
	c.watchdog(names)
	r := c.config.Route
	if r == nil {
		if len(c.config.Receivers) > 0 && !c.doc.Misspelt(c.config) {
			c.doc.At(&c.config.Receivers).KeyErrorf(fmt.Sprintf("add route: {receiver: %s}", names[0]), "there are receivers, but no `route` leads to them")
		}
		return
	}
	if at := c.doc.At(&r.Match); at.Present() {
		at.KeyErrorf("put it into a route under `routes`", "the top route takes every alert: it has no `match`")
	}
	if at := c.doc.At(&r.Continue); at.Present() {
		at.KeyErrorf("remove it", "there is no route after the top one")
	}
	w := &routeCheck{checker: c, names: names, mutes: mutes, next: map[string]string{}}
	if c.labels != nil {
		w.labels = c.labels(c.config)
	}
	w.route(r, "")
}

// routeCheck goes through the tree.
type routeCheck struct {
	*checker
	names, mutes []string
	labels       []string          // that alerts can have; nil where they are not known
	next         map[string]string // receiver to fallback
}

func (c *routeCheck) route(r *Route, fallback string) {
	if r.Receiver != "" {
		c.receiver(c.doc.At(&r.Receiver), r.Receiver)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Match)) {
		at := c.doc.Entry(&r.Match, name)
		switch {
		case !dimensionName.MatchString(name):
			at.KeyErrorf("use letters, digits and _, such as team", "`%s` is no name of a label", name)
		case c.unknown(name) && strings.Trim(r.Match[name], "*") != "":
			at.KeyWarnf(c.labelHint(name), "no alert has a label `%s`: this route takes none", name)
		}
	}
	for i, name := range r.GroupBy {
		at := c.doc.At(&r.GroupBy[i])
		switch {
		case name == "":
		case !dimensionName.MatchString(name):
			at.Errorf("use letters, digits and _, such as team", "`%s` is no name of a label", name)
		case slices.Contains(r.GroupBy[:i], name):
			at.Errorf("remove it", "label `%s` is named twice", name)
		case c.unknown(name):
			at.Errorf(c.labelHint(name), "no alert has a label `%s`", name)
		}
	}
	if r.Repeat != nil && *r.Repeat > 0 && *r.Repeat < time.Minute {
		c.doc.At(&r.Repeat).Errorf("write 1m or more, or 0s for never", "`repeat` is too short for people")
	}
	for i, name := range r.Mute {
		if name != "" && !slices.Contains(c.mutes, name) {
			c.doc.At(&r.Mute[i]).Errorf(c.near(name, c.mutes, "add it to `mute_times`"), "there is no mute time `%s`", name)
		}
	}
	if r.Fallback != "" {
		fallback = r.Fallback
		c.fallback(r)
	}
	if r.Receiver != "" && fallback != "" && fallback != r.Receiver {
		c.cycle(r, fallback)
	}
	for _, ids := range [][]string{r.Responders, r.Approvers} {
		for i := range ids {
			if at := c.doc.At(&ids[i]); ids[i] != "" && !slackID.MatchString(ids[i]) {
				at.Errorf("people are U… or W…, user groups S…: Slack shows it under “Copy member ID”", "`%s` is no Slack id of a person or a user group", ids[i])
			}
		}
	}
	c.starved(r)
	for i := range r.Routes {
		c.route(&r.Routes[i], fallback)
	}
}

var slackID = regexp.MustCompile(`^[UWS][A-Z0-9]{1,30}$`)

func (c *routeCheck) receiver(at strictyaml.Place, name string) {
	if !slices.Contains(c.names, name) {
		at.Errorf(c.near(name, c.names, "add it to `receivers`"), "there is no receiver `%s`", name)
	}
}

// near is a hint for a name that is not among those that there are.
func (c *routeCheck) near(name string, names []string, add string) string {
	if near := strictyaml.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	if len(names) > 0 {
		return "there is " + strictyaml.List(names, "and")
	}
	return add
}

// alertLabels are those that every alert has, whatever the rules give it.
var alertLabels = []string{"alert", "group", "prompt", "version", "variant"}

func (c *routeCheck) all() []string { return slices.Concat(alertLabels, c.config.Dimensions, c.labels) }

func (c *routeCheck) unknown(label string) bool {
	return c.labels != nil && !slices.Contains(c.all(), label)
}

func (c *routeCheck) labelHint(label string) string {
	return c.near(label, c.all(), "")
}

// fallback checks what a route itself says.
func (c *routeCheck) fallback(r *Route) {
	at := c.doc.At(&r.Fallback)
	if r.Fallback == r.Receiver {
		at.Errorf("name another receiver, or leave it out", "`%s` cannot be its own fallback", r.Fallback)
		return
	}
	c.receiver(at, r.Fallback)
}

// cycle warns of receivers that stand in for each other: alerts are given on once only.
func (c *routeCheck) cycle(r *Route, fallback string) {
	seen := []string{r.Receiver}
	for to := fallback; to != "" && !slices.Contains(seen[1:], to); to = c.next[to] {
		if seen = append(seen, to); to == r.Receiver {
			at := c.doc.At(&r.Receiver)
			if r.Fallback != "" {
				at = c.doc.At(&r.Fallback)
			}
			at.Warnf("alerts are given on once: name one that does not depend on the others", "fallbacks go round: %s", strings.Join(seen, ", then "))
			break
		}
	}
	if c.next[r.Receiver] == "" {
		c.next[r.Receiver] = fallback
	}
}

// takesAll says that a route matches every alert.
func takesAll(r *Route) bool {
	for _, pattern := range r.Match {
		if strings.Trim(pattern, "*") != "" || pattern == "" {
			return false
		}
	}
	return true
}

// starved warns of routes that no alert can reach.
func (c *routeCheck) starved(r *Route) {
	var all *Route // takes every alert
	reached := false
	for i := range r.Routes {
		inner := &r.Routes[i]
		reached = reached || takesAll(inner) && (inner.Receiver == r.Receiver || len(inner.Routes) > 0)
		if c.doc.Misspelt(inner) || !takesAll(inner) {
			continue
		}
		if all == nil {
			all = inner
		}
		if i < len(r.Routes)-1 && !inner.Continue {
			c.doc.At(&inner.Receiver).Warnf("add `match`, `continue: true`, or make it the last one", "this route takes every alert: those after it get none")
			return
		}
	}
	if all != nil && !reached && r.Receiver != "" {
		c.doc.At(&all.Receiver).Warnf(fmt.Sprintf("add `match`, or a route {receiver: %s} behind it and `continue: true`", r.Receiver),
			"this route takes every alert: `%s` of the route above gets none", r.Receiver)
	}
}

// muteTimes checks them and returns their names.
func (c *checker) muteTimes() (names []string) {
	for i := range c.config.MuteTimes {
		m := &c.config.MuteTimes[i]
		switch at := c.doc.At(&m.Name); {
		case m.Name == "":
		case slices.Contains(names, m.Name):
			at.Errorf("rename one of them", "there is a mute time `%s` already", m.Name)
		default:
			names = append(names, m.Name)
		}
		if _, err := zone(m.Zone); err != nil {
			c.doc.At(&m.Zone).Errorf("zones are named as in the IANA database, such as Europe/Berlin or UTC", "there is no time zone `%s`", m.Zone)
		}
		for i, days := range m.Days {
			if _, ok := readDays(days); !ok && days != "" {
				c.doc.At(&m.Days[i]).Errorf("such as sat, or mon-fri", "`%s` is no day of the week", days)
			}
		}
		from, fromOK := readClock(m.From)
		to, toOK := readClock(m.To)
		switch fromAt, toAt := c.doc.At(&m.From), c.doc.At(&m.To); {
		case !fromOK:
			fromAt.Errorf("write it as 22:00", "`%s` is no time of day", m.From)
		case !toOK:
			toAt.Errorf("write it as 06:00", "`%s` is no time of day", m.To)
		case from == 24*60:
			fromAt.Errorf("write 00:00 of the next day", "no time begins at 24:00")
		case from == to:
			at := toAt
			if !at.Present() {
				at = fromAt
			}
			at.Errorf("leave out both for whole days", "`from` and `to` are the same time")
		}
	}
	return names
}

const (
	shortestWatch = 10 * time.Second
	// longestWatch is how far Alertmanagers are told that an alert fires, less one that is late.
	longestWatch = 4 * time.Minute
)

func (c *checker) watchdog(names []string) {
	w := c.config.Watchdog
	if w == nil {
		return
	}
	at := c.doc.At(&w.Receiver)
	i := slices.Index(names, w.Receiver)
	switch {
	case w.Receiver == "":
	case i < 0:
		(&routeCheck{checker: c, names: names}).receiver(at, w.Receiver)
	case c.config.Receivers[i].Slack != nil:
		at.Errorf("name an alertmanager or a webhook: something that notices when it stops", "people do not notice when a message stops coming: `%s` is `slack`", w.Receiver)
	case c.config.Receivers[i].PagerDuty != nil:
		at.Errorf("name an alertmanager or a webhook: something that notices when it stops", "PagerDuty would open an incident that never ends: `%s` is `pagerduty`", w.Receiver)
	}
	every := c.doc.At(&w.Every)
	switch {
	case every.Faulty():
	case w.Every < shortestWatch:
		every.Errorf("write 10s or more, such as 1m", "`every` is too short")
	case i >= 0 && c.config.Receivers[i].Alertmanager != nil && w.Every > longestWatch:
		every.Errorf("write 4m or less, such as 1m", "Alertmanager takes an alert for over after five minutes: `every` is too long")
	}
}
