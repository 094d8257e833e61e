package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/fakeregistry"
	"github.com/driftd/driftd/internal/fakeslack"
)

// Received is what came to those who are told, when nothing is outstanding any more.
type Received struct {
	Hook       []Delivery          // that a webhook took, or might have
	Slack      []fakeslack.Message // with the replies
	Promotions []fakeregistry.Promotion
	Due        int    // promotions that must have come
	Receiver   string // Slack's name in the config
	Hushed     string // a prompt that is silenced from the beginning; empty for none
}

// Delivery is a request of a webhook. Who gets an ID twice knows that it is the same.
type Delivery struct {
	ID   string
	Body []byte
}

// Reception counts what receivers lack and what they have too much.
type Reception struct {
	Missing, Doubled int
	Said             []string
}

// Receive holds what was received against what driftd says that it told, and against the alerts as they stand at the end:
//
//   - A webhook is told of the steps of an alert in their order, of the newest one of every alert that fires, unless the total of its version fires under the same rule, and that
//     an alert is over which it was told of. What came and went before it could be told is not told at all.
//   - Slack has one message for each time that a group of alerts fires, known to driftd, that says how the group stands; and no line in
//     a thread twice.
//   - The registry has each promotion once.
func (g *Got) Receive(r *Received) *Reception {
	c := &reception{got: g, alerts: make(map[string]*standing), groups: make(map[string][]*standing)}
	for i := range g.Steps {
		if r.Hushed == "" || g.Steps[i].Prompt != r.Hushed { // of what is silenced there is nothing to tell
			c.stand(&g.Steps[i])
		}
	}
	for i := range g.Actions {
		if a := &g.Actions[i]; a.Type == detector.Notified && r.Hushed != "" && a.Prompt == r.Hushed {
			c.doubled("%s was told, although it is silenced: %s", a.Receiver, Told(a))
		}
	}
	c.hook(r.Hook)
	c.slack(r)
	c.registry(r)
	return &c.Reception
}

type reception struct {
	Reception
	got    *Got
	alerts map[string]*standing // by id
	groups map[string][]*standing
}

// standing is an alert at the end.
type standing struct {
	steps  map[int]*detector.Record
	last   *detector.Record
	firing bool
	longer bool // it has fired for longer than a minute at least once
	since  time.Time
}

func groupOf(r *detector.Record) string {
	return fmt.Sprintf("%s/%s %s %s", r.Group, r.Rule, r.Prompt, r.Version)
}

// stand takes a step; those of an alert come in their order.
func (c *reception) stand(r *detector.Record) {
	s := c.alerts[r.ID]
	if s == nil {
		s = &standing{steps: make(map[int]*detector.Record)}
		c.alerts[r.ID] = s
		c.groups[groupOf(r)] = append(c.groups[groupOf(r)], s)
	}
	s.steps[r.Step], s.last = r, r
	switch r.Type {
	case detector.Firing:
		if !s.firing {
			s.since = r.Time
		}
		s.firing = true
	case detector.Resolved:
		s.longer = s.longer || s.firing && r.Time.Sub(s.since) > time.Minute
		s.firing = false
	}
}

func (c *reception) missing(format string, args ...any) {
	c.Missing++
	c.say("not received: "+format, args...)
}

func (c *reception) doubled(format string, args ...any) {
	c.Doubled++
	c.say("received too often: "+format, args...)
}

func (c *reception) say(format string, args ...any) {
	if len(c.Said) < 3*most {
		c.Said = append(c.Said, fmt.Sprintf(format, args...))
	}
}

func (c *reception) hook(deliveries []Delivery) {
	told := make(map[string]*detector.Record) // the newest step, by alert
	bodies := make(map[string]string)
	for _, d := range deliveries {
		var r detector.Record
		if err := json.Unmarshal(d.Body, &r); err != nil {
			c.doubled("the webhook got what is no record: %v", err)
			continue
		}
		if was, twice := bodies[d.ID]; twice && was != string(d.Body) {
			c.doubled("the webhook got %s twice, and not the same", d.ID)
		}
		_, again := bodies[d.ID]
		bodies[d.ID] = string(d.Body)
		if again || !r.Type.IsStep() {
			continue
		}
		if before := told[r.ID]; before != nil && r.Step <= before.Step {
			c.doubled("the webhook was told of %s after %s", Told(&r), Told(before))
		}
		s := c.alerts[r.ID]
		if s == nil || s.steps[r.Step] == nil || s.steps[r.Step].Type != r.Type {
			c.doubled("the webhook was told of a step that there is not: %s", Told(&r))
			continue
		}
		if before := told[r.ID]; before == nil || before.Step < r.Step {
			told[r.ID] = &r
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.alerts)) {
		s, newest := c.alerts[id], told[id]
		switch {
		case s.firing && (newest == nil || newest.Step < s.fired()) && !c.inhibited(s):
			c.missing("the webhook was not told of %s", Told(s.last))
		case !s.firing && newest != nil && newest.Type != detector.Resolved:
			c.missing("the webhook was not told of the end, %s", Told(s.last))
		}
	}
}

// fired is the number of the newest step that says that it fires.
func (s *standing) fired() (n int) {
	for number, r := range s.steps {
		if r.Type == detector.Firing {
			n = max(n, number)
		}
	}
	return n
}

// inhibited says that the total of the alert's version fires under the same rule, of which programs are told in its place.
func (c *reception) inhibited(s *standing) bool {
	return len(s.last.Cohort) > 0 && slices.ContainsFunc(c.groups[groupOf(s.last)], func(o *standing) bool { return o.firing && len(o.last.Cohort) == 0 })
}

func (c *reception) slack(r *Received) {
	known := make(map[string]bool)              // messages that driftd knows of
	newest := make(map[string]*detector.Record) // by group
	for i := range c.got.Actions {
		a := &c.got.Actions[i]
		if a.Type != detector.Notified || a.Receiver != r.Receiver {
			continue
		}
		known[place(a.Ref)] = true
		if before := newest[groupOf(a)]; before == nil || before.Time.Before(a.Time) {
			newest[groupOf(a)] = a
		}
	}
	messages := make(map[string]*fakeslack.Message)
	lines := make(map[[2]string]bool)
	for i := range r.Slack {
		m := &r.Slack[i]
		if m.ThreadTS != "" {
			for text := range strings.SplitSeq(m.Text, "\n") {
				line := [2]string{m.ThreadTS, strings.TrimPrefix(text, "• ")}
				if lines[line] {
					c.doubled("Slack has a line twice in the thread of %s: %s", m.ThreadTS, text)
				}
				lines[line] = true
			}
			continue
		}
		messages[m.TS] = m
		if !known[m.TS] {
			c.doubled("Slack has a message that driftd does not know of, %s: %s", m.TS, m.Text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		firing := slices.ContainsFunc(c.groups[name], func(s *standing) bool { return s.firing })
		longer := slices.ContainsFunc(c.groups[name], func(s *standing) bool { return s.longer })
		told := newest[name]
		if told == nil {
			if firing || longer {
				c.missing("Slack was not told of %s", name)
			}
			continue
		}
		m := messages[place(told.Ref)]
		if m == nil {
			c.missing("Slack has no message %s about %s", told.Ref, name)
		} else if over := strings.Contains(m.Text, "Resolved"); over == firing {
			c.missing("Slack was not told how %s stands; it says: %s", name, m.Text)
		}
	}
}

// place is the timestamp of a message in driftd's reference to it.
func place(ref string) string {
	if parts := strings.Split(ref, ":"); len(parts) > 1 {
		return parts[1]
	}
	return ref
}

func (c *reception) registry(r *Received) {
	recorded, seen := make(map[string]int), make(map[string]bool)
	for i := range c.got.Actions {
		if a := &c.got.Actions[i]; a.Type == detector.RollbackPromoted {
			if once := fmt.Sprint(a.ID, a.Step); !seen[once] {
				seen[once] = true
				recorded[fmt.Sprintf("%s of %s", a.ID, a.Prompt)]++
			}
		}
	}
	had := make(map[string]int)
	for _, p := range r.Promotions {
		if p.Alert == "" {
			continue // by a person
		}
		key := fmt.Sprintf("%s of %s", p.Alert, p.Prompt)
		if had[key]++; had[key] > recorded[key] {
			c.doubled("the registry promoted %s to %s for alert %s, which driftd has on record %d times", p.From, p.To, key, recorded[key])
		}
	}
	if n := len(had); n < r.Due {
		c.missing("the registry promoted for %d alerts, not for %d%s", n, r.Due, c.refusals())
	}
	for key, n := range recorded {
		if had[key] < n {
			c.missing("the registry promoted for alert %s %d times, on record are %d", key, had[key], n)
		}
	}
}

// refusals are why nothing was promoted.
func (c *reception) refusals() (text string) {
	for i := range c.got.Actions {
		if a := &c.got.Actions[i]; a.Type == detector.RollbackRefused || a.Type == detector.RollbackFailed {
			text += fmt.Sprintf("; %s at %s: %s %s", a.Type, a.Time.Format(time.TimeOnly), a.Guard, a.Reason)
		}
	}
	return text
}
