package desk

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// topic is the alerts topic in memory, of two partitions: "other…" prompts are in the second. It feeds its boards at once,
// but for those that are held.
type topic struct {
	t      *testing.T
	mu     sync.Mutex
	parts  [2][]detector.Record
	boards []*Board
	held   bool   // nothing reaches the boards
	before func() // called once before the next append
	now    time.Time
}

func newTopic(t *testing.T) *topic { return &topic{t: t, now: noon} }

func (l *topic) clock() time.Time { return l.now }

func (l *topic) desk() *Desk {
	b := NewBoard(BoardConfig{Partitions: len(l.parts), Now: l.clock, UntilWorseBy: 0.2})
	for n := range l.parts {
		b.Begin(n)
		for i, r := range l.parts[n] {
			b.Fold(n, alert.Entry{Offset: int64(i), Record: r})
		}
		b.Live(n)
	}
	l.boards = append(l.boards, b)
	return New(Config{Board: b, Log: l, Now: l.clock, Guards: []string{"cooldown", "cause_unclear"}})
}

func (l *topic) Append(_ context.Context, r detector.Record) (int, int64, error) {
	if f := l.before; f != nil {
		l.before = nil
		f()
	}
	// Through JSON, as in the topic.
	b, err := json.Marshal(&r)
	if err != nil {
		l.t.Fatal(err)
	}
	if r, err = alert.Decode(b); err != nil {
		l.t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	if strings.HasPrefix(r.Prompt, "other") {
		n = 1
	}
	offset := int64(len(l.parts[n]))
	l.parts[n] = append(l.parts[n], r)
	for _, b := range l.boards {
		if !l.held {
			b.Fold(n, alert.Entry{Offset: offset, Record: r})
		}
	}
	return n, offset, nil
}

func (l *topic) add(rs ...detector.Record) {
	for _, r := range rs {
		l.Append(context.Background(), r)
	}
}

// newest is the newest record of the first partition.
func (l *topic) newest() detector.Record { return l.parts[0][len(l.parts[0])-1] }

func f64(v float64) *float64 { return &v }

// firing is a step of an alert on grounding below 0.8.
func firing(id string, step int, value float64) detector.Record {
	return detector.Record{
		ID: id, Step: step, Type: detector.Firing, Time: noon.Add(time.Duration(step) * time.Minute), Group: "support", Rule: "GroundingLow",
		Prompt: "intent", Version: "v23", Previous: "v22", Cohort: map[string]string{"tier": id}, Metric: "grounding", Kind: "threshold",
		Value: f64(value), Bound: f64(0.8), Labels: map[string]string{"severity": "page"},
	}
}

func resolved(id string, step int) detector.Record {
	r := firing(id, step, 0.9)
	r.Type = detector.Resolved
	return r
}

func proposed(id string, step int) detector.Record {
	r := firing(id, step, 0.7)
	r.Rollback = "approve"
	return alert.Action(&r, detector.RollbackProposed, noon.Add(time.Hour))
}

// f says what an error is, in a few words.
func kind(err error) string {
	if err == nil {
		return "fine"
	}
	if e, ok := errors.AsType[*DoneError](err); ok {
		return e.What + " by " + e.By
	}
	if e, ok := errors.AsType[*InvalidError](err); ok {
		return "invalid: " + e.Problem
	}
	return err.Error()
}

func want(t *testing.T, what string, err error, says string) {
	t.Helper()
	if got := kind(err); got != says {
		t.Errorf("%s: %s, want %s", what, got, says)
	}
}

func TestAcknowledge(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	l.add(firing("aaaa1", 1, 0.7), firing("aaaa2", 1, 0.75))
	want(t, "no such alert", d.Acknowledge(ctx, "local", "bbbb", ""), "alert bbbb: not found")
	want(t, "too short", d.Acknowledge(ctx, "local", "a", ""), `invalid: "a" is too short for the beginning of an id`)
	want(t, "ambiguous", d.Acknowledge(ctx, "local", "aaaa", ""), "invalid: 2 alerts begin with aaaa")
	want(t, "the first", d.Acknowledge(ctx, "token:jane", "aaaa1", "on it"), "fine")
	if r := l.newest(); r.Type != detector.Acknowledged || r.Actor != "token:jane" || r.Reason != "on it" || r.ID != "aaaa1" || r.Step != 1 {
		t.Errorf("written: %+v", r)
	}
	want(t, "a cohort of the same group", d.Acknowledge(ctx, "token:bob", "aaaa2", ""), "acknowledged by token:jane")
	held := func(what string, by string) {
		t.Helper()
		got := ""
		if a, _ := d.Board().Alert("aaaa1"); a.Acknowledged != nil {
			got = a.Acknowledged.Actor
		}
		if got != by {
			t.Errorf("%s: acknowledged by %q, want %q", what, got, by)
		}
	}
	held("at once", "token:jane")
	l.add(firing("aaaa2", 2, 0.6))
	held("worse by less than the step", "token:jane") // 0.125 → 0.25 beyond
	l.add(firing("aaaa2", 3, 0.5))
	held("worse by more", "")
	want(t, "again", d.Acknowledge(ctx, "token:bob", "aaaa2", ""), "fine")
	l.add(resolved("aaaa1", 2))
	want(t, "what is over", d.Acknowledge(ctx, "local", "aaaa1", ""), "invalid: the alert does not fire: it resolved at 12:02 on 2026-11-20 UTC")
	l.add(resolved("aaaa2", 4), firing("aaaa1", 3, 0.7))
	held("after the group resolved", "")
	p := firing("cccc1", 1, 0.7)
	p.Type = detector.Pending
	l.add(p)
	want(t, "pending", d.Acknowledge(ctx, "local", "cccc1", ""), "invalid: the alert does not fire: it is pending")
}

// TestFirstInTheLogWins: two people on two instances press at the same moment.
func TestFirstInTheLogWins(t *testing.T) {
	l := newTopic(t)
	d, other := l.desk(), l.desk()
	ctx := t.Context()
	l.add(firing("aaaa1", 1, 0.7), proposed("aaaa1", 1))
	l.before = func() { want(t, "bob", other.Acknowledge(ctx, "bob", "aaaa1", ""), "fine") }
	want(t, "jane", d.Acknowledge(ctx, "jane", "aaaa1", ""), "acknowledged by bob")
	l.before = func() { want(t, "bob", other.Decide(ctx, "bob", "aaaa1-1", false, "no"), "fine") }
	want(t, "jane", d.Decide(ctx, "jane", "aaaa1-1", true, ""), "rejected by bob")
	want(t, "jane, later", d.Decide(ctx, "jane", "aaaa1-1", true, ""), "rejected by bob")
	a, err := other.Board().Attempt("aaaa1")
	if err != nil || a.State != alert.RollbackRejected || a.Decided.Actor != "bob" {
		t.Errorf("%+v %v", a, err)
	}
}

func TestDecide(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	l.add(firing("aaaa1", 3, 0.7))
	want(t, "nothing proposed", d.Decide(ctx, "jane", "aaaa1-3", true, ""), "rollback aaaa1-3: not found")
	l.add(proposed("aaaa1", 3))
	want(t, "no reason", d.Decide(ctx, "jane", "aaaa1-3", false, " "), "invalid: a rejection has no reason")
	want(t, "approve", d.Decide(ctx, "jane", "aaaa-3", true, "yes"), "fine")
	if r := l.newest(); r.Type != detector.RollbackApproved || r.Actor != "jane" || r.Reason != "yes" || r.Step != 3 || r.Previous != "v22" {
		t.Errorf("written: %+v", r)
	}
	if a, _ := d.Board().Attempt("aaaa1-3"); a.State != alert.RollbackChecking {
		t.Errorf("state %s", a.State)
	}
	want(t, "reject after it", d.Decide(ctx, "bob", "aaaa1-3", false, "no"), "approved by jane")
	dry := firing("bbbb1", 1, 0.7)
	dry.Rollback = "dry_run"
	l.add(dry, alert.Action(&dry, detector.RollbackProposed, noon))
	want(t, "a dry run", d.Decide(ctx, "jane", "bbbb1-1", true, ""), "invalid: rollback bbbb1-1 waits for nobody: it is proposed")
}

func TestRollbackByHand(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	f := func(what, prompt, to, reason, force, says string) string {
		t.Helper()
		id, err := d.Rollback(ctx, "jane", prompt, to, reason, force)
		want(t, what, err, says)
		return id
	}
	f("no prompt", "", "v1", "why", "", "invalid: it does not say which prompt")
	f("no name", "in\ntent", "v1", "why", "", "invalid: this is no name of a prompt")
	f("no version", "intent", strings.Repeat("v", 257), "why", "", "invalid: this is no name of a version")
	f("no reason", "intent", "v1", "", "cooldown", "invalid: a guard is overridden without a reason")
	f("no version known", "intent", "", "why", "", "invalid: it is not known which version of intent was before")
	f("no guard", "intent", "v1", "why", "everything", `invalid: there is no guard "everything" that can be overridden`)
	l.add(firing("aaaa1", 1, 0.7))
	id := f("previous by the alert", "intent", "", "why", "cooldown", "fine")
	r := l.newest()
	if r.Type != detector.RollbackRequested || r.Version != "v23" || r.Previous != "v22" || r.Force != "cooldown" || r.Actor != "jane" || r.Reason != "why" || id != alert.AttemptID(&r) {
		t.Errorf("written: %s %+v", id, r)
	}
	if a, err := d.Board().Attempt(id); err != nil || a.Mode != "by_hand" || a.State != alert.RollbackChecking || a.Target != "v22" {
		t.Errorf("%+v %v", a, err)
	}
	f("twice", "intent", "", "why", "", "invalid: a rollback of intent is under way: "+id+" is checking")
	l.add(detector.Record{ID: "e1", Step: 1, Type: detector.RegistryPromoted, Time: noon, Prompt: "plain", Version: "v9", Previous: "v7"})
	f("previous by the registry", "plain", "", "why", "", "fine")
	if r := l.newest(); r.Version != "v9" || r.Previous != "v7" {
		t.Errorf("written: %+v", r)
	}
	if id := f("a prompt that nobody knows", "new", "v1", "", "", "fine"); id == "" || l.newest().Version != "" {
		t.Errorf("written: %+v", l.newest())
	}
	other := firing("bbbb1", 1, 0.7)
	other.Prompt = "others"
	l.add(other)
	f("a version that is named", "others", "v7", "", "", "fine")
	if r := l.parts[1][len(l.parts[1])-1]; r.Version != "" || r.Previous != "v7" {
		t.Errorf("written: %+v", r)
	}
}

func TestKillSwitches(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	want(t, "resume what goes", d.Resume(ctx, "jane", "", ""), "invalid: rollbacks of all prompts are not stopped")
	want(t, "no reason", d.Stop(ctx, "jane", "", ""), "invalid: it does not say why rollbacks are stopped")
	want(t, "stop one", d.Stop(ctx, "jane", "other", "release"), "fine")
	if got := d.Board().Stops(); len(got) != 1 || got[0].Prompt != "other" || got[0].By != "jane" {
		t.Errorf("%+v", got)
	}
	want(t, "stop all", d.Stop(ctx, "bob", "", "fire"), "fine")
	want(t, "twice", d.Stop(ctx, "eve", "", "fire"), "stopped by bob")
	if got := d.Board().Stops(); len(got) != 2 || got[0].Prompt != "" || got[0].By != "bob" || got[0].Reason != "fire" {
		t.Errorf("%+v", got)
	}
	want(t, "resume all", d.Resume(ctx, "bob", "", "out"), "fine")
	if got := d.Board().Stops(); len(got) != 1 || got[0].Prompt != "other" || got[0].By != "jane" {
		t.Errorf("the stop of one prompt has gone with that of all: %+v", got)
	}
}

func TestUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newTopic(t)
		d := l.desk()
		l.add(firing("aaaa1", 1, 0.7))
		l.held = true
		want(t, "acknowledge", d.Acknowledge(t.Context(), "jane", "aaaa1", ""), ErrUnseen.Error())
		id, err := d.Rollback(t.Context(), "jane", "intent", "v1", "why", "")
		if !errors.Is(err, ErrUnseen) || id == "" {
			t.Errorf("%q %v", id, err)
		}
	})
}

// TestEachActIsAudited: whatever people do stands in the audit log with who, when and why.
func TestEachActIsAudited(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	b := firing("bbbb1", 1, 0.7)
	b.Prompt = "others"
	bp := proposed("bbbb1", 1)
	bp.Prompt = "others"
	l.add(firing("aaaa1", 1, 0.7), proposed("aaaa1", 1), b, bp)
	silence := ""
	for _, c := range []struct {
		typ    detector.RecordType
		reason string
		do     func(who, why string) error
	}{
		{detector.Acknowledged, "on it", func(who, why string) error { return d.Acknowledge(ctx, who, "aaaa1", why) }},
		{detector.RollbackRejected, "no", func(who, why string) error { return d.Decide(ctx, who, "aaaa1-1", false, why) }},
		{detector.RollbackApproved, "yes", func(who, why string) error { return d.Decide(ctx, who, "bbbb1-1", true, why) }},
		{detector.Silenced, "release", func(who, why string) (err error) {
			silence, err = d.Silence(ctx, who, detector.Silence{
				Matchers: []detector.Matcher{{Label: "prompt", Op: "=", Value: "intent"}}, Ends: noon.Add(time.Hour), Comment: why})
			return err
		}},
		{detector.Silenced, endedEarly, func(who, _ string) error { return d.Unsilence(ctx, who, silence) }},
		{detector.RollbackRequested, "bad", func(who, why string) error {
			_, err := d.Rollback(ctx, who, "intent", "", why, "cooldown")
			return err
		}},
		{detector.RollbacksStopped, "fire", func(who, why string) error { return d.Stop(ctx, who, "", why) }},
		{detector.RollbacksResumed, "out", func(who, why string) error { return d.Resume(ctx, who, "", why) }},
	} {
		l.now = l.now.Add(2 * time.Hour)
		if c.reason == endedEarly {
			l.now = l.now.Add(-2*time.Hour + time.Minute)
		}
		if c.typ == detector.Silenced && c.reason != endedEarly {
			l.now = noon
		}
		who := "token:" + c.reason
		if err := c.do(who, c.reason); err != nil {
			t.Errorf("%s: %v", c.typ, err)
			continue
		}
		found := false
		for _, e := range d.Board().Audit(100) {
			found = found || e.Type == c.typ && e.Actor == who && e.Reason == c.reason && e.Time.Equal(l.now)
		}
		if !found {
			t.Errorf("%s by %s is not in the audit log: %+v", c.typ, who, d.Board().Audit(100))
		}
	}
}
