package desk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

func TestReadyWhenAllWasRead(t *testing.T) {
	b := NewBoard(BoardConfig{Partitions: 2, Now: func() time.Time { return noon }})
	b.Begin(0)
	b.Live(0)
	if b.Ready() {
		t.Error("ready before the second partition was read")
	}
	b.Begin(1)
	b.Live(1)
	if !b.Ready() {
		t.Error("not ready")
	}
	b.Begin(0)
	if b.Ready() {
		t.Error("ready while a partition is read anew")
	}
}

// TestBegunAnew: what a partition said is forgotten when it is begun anew; what the others said is not, and silences go on with it.
func TestBegunAnew(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	b := d.Board()
	other := firing("bbbb1", 1, 0.7)
	other.Prompt = "others"
	l.add(firing("aaaa1", 1, 0.7), other)
	id, err := d.Silence(t.Context(), "jane", detector.Silence{
		Matchers: []detector.Matcher{{Label: "severity", Op: "=", Value: "page"}}, Ends: noon.Add(time.Hour), Comment: "why", UntilResolved: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Begin(1)
	if _, err := b.Alert("bbbb1"); err == nil {
		t.Error("an alert of the partition is still there")
	}
	b.Fold(1, alert.Entry{Offset: 0, Record: other})
	for _, name := range []string{"aaaa1", "bbbb1"} {
		if a, err := b.Alert(name); err != nil || a.Silenced != id {
			t.Errorf("%s: silenced by %q, %v", name, a.Silenced, err)
		}
	}
}

// TestAnyOrderOfPartitions: boards that read the partitions in different orders, with repetitions, agree.
func TestAnyOrderOfPartitions(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		l.now = l.now.Add(time.Minute)
		id, prompt := fmt.Sprintf("%04d", rng.IntN(12)), []string{"intent", "others"}[rng.IntN(2)]
		r := firing(id+prompt, i+1, 0.5+rng.Float64()/3)
		r.Prompt = prompt
		switch rng.IntN(8) {
		case 0, 1, 2:
			l.add(r)
		case 3, 4:
			r.Type = detector.Resolved
			l.add(r)
		case 5:
			_ = d.Acknowledge(ctx, fmt.Sprint("p", i), r.ID, "") // most do not fire
		case 6:
			r.Rollback = "approve"
			l.add(r, alert.Action(&r, detector.RollbackProposed, l.now))
			_ = d.Decide(ctx, fmt.Sprint("p", i), alert.AttemptID(&r), rng.IntN(2) == 0, "why")
		case 7:
			if rng.IntN(2) == 0 {
				_, _ = d.Silence(ctx, "p", detector.Silence{Matchers: []detector.Matcher{{Label: "prompt", Op: "=", Value: prompt}}, Ends: l.now.Add(time.Hour), Comment: "c"})
			} else if s := d.Board().Silences(); len(s) > 0 {
				_ = d.Unsilence(ctx, "p", s[0].ID)
			}
		}
	}
	fresh := NewBoard(BoardConfig{Partitions: 2, Now: l.clock, UntilWorseBy: 0.2})
	var at [2]int
	for at[0] < len(l.parts[0]) || at[1] < len(l.parts[1]) {
		n := rng.IntN(2)
		if at[n] == len(l.parts[n]) {
			continue
		}
		fresh.Fold(n, alert.Entry{Offset: int64(at[n]), Record: l.parts[n][at[n]]})
		if rng.IntN(10) == 0 { // read twice
			fresh.Fold(n, alert.Entry{Offset: int64(at[n]), Record: l.parts[n][at[n]]})
		}
		at[n]++
	}
	if got, want := fresh.Alerts(), d.Board().Alerts(); !reflect.DeepEqual(got, want) {
		t.Errorf("alerts differ:\n%+v\n%+v", got, want)
	}
	if got, want := fresh.Silences(), d.Board().Silences(); !reflect.DeepEqual(got, want) {
		t.Errorf("silences differ:\n%+v\n%+v", got, want)
	}
	if got, want := fresh.Attempts(), d.Board().Attempts(); !reflect.DeepEqual(got, want) {
		t.Errorf("attempts differ:\n%+v\n%+v", got, want)
	}
	if len(fresh.Attempts()) == 0 || len(fresh.Audit(1000)) < 50 {
		t.Error("too little has happened")
	}
}

// TestBounded: what is over takes no more room however much of it there is; what is open stays.
func TestBounded(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	b := d.Board()
	const n = 3 * keptAlerts
	for i := range n {
		id := fmt.Sprintf("%08d", i)
		r := firing(id, 1, 0.7)
		r.Rollback = "approve"
		l.add(r)
		if i%100 == 0 {
			continue // goes on
		}
		no := alert.Action(&r, detector.RollbackRejected, noon)
		l.add(alert.Action(&r, detector.RollbackProposed, noon), no, resolved(id, 2))
	}
	open, all := 0, b.Alerts()
	for _, a := range all {
		if a.State == detector.Firing {
			open++
		}
	}
	if open != n/100 || len(all) != open+keptAlerts/2 {
		t.Errorf("%d open alerts of %d", open, len(all))
	}
	if got := len(b.Attempts()); got != keptAttempts/2 {
		t.Errorf("%d attempts", got)
	}
	if got := len(b.Audit(1 << 20)); got > keptAudit || got < keptAudit/2 {
		t.Errorf("%d entries in the audit log", got)
	}
	a, err := b.Alert(fmt.Sprintf("%08d", 0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * keptEvents {
		l.add(firing(a.ID, i+2, 0.7))
	}
	if a, _ = b.Alert(a.ID); len(a.Events) != keptEvents || a.Events[0].Step != 3*keptEvents+1 {
		t.Errorf("%d events, the first is step %d", len(a.Events), a.Events[0].Step)
	}
	// Silences are kept for a week after their end.
	id, err := d.Silence(t.Context(), "jane", detector.Silence{Matchers: []detector.Matcher{{Label: "prompt", Op: "=", Value: "intent"}}, Ends: noon.Add(time.Hour), Comment: "c"})
	if err != nil {
		t.Fatal(err)
	}
	l.now = l.now.Add(8 * 24 * time.Hour)
	if _, err := d.Silence(t.Context(), "jane", detector.Silence{Matchers: []detector.Matcher{{Label: "prompt", Op: "=", Value: "x"}}, Ends: l.now.Add(time.Hour), Comment: "c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Silence(id); err == nil {
		t.Error("a silence of more than a week ago is still there")
	}
}

// TestReadWhileWritten runs readers and writers at once; what is read is the reader's.
func TestReadWhileWritten(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	b := d.Board()
	l.add(firing("aaaa1", 1, 0.7))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 200 {
				for _, a := range b.Alerts() {
					a.Labels["prompt"] = "mine"
					clear(a.Events)
				}
				for _, s := range b.Silences() {
					clear(s.Matchers)
				}
				for _, a := range b.Attempts() {
					clear(a.Log)
				}
				clear(b.Audit(10))
			}
		})
	}
	for i := range 100 {
		_, _ = d.Silence(context.Background(), "jane", detector.Silence{
			Matchers: []detector.Matcher{{Label: "prompt", Op: "=", Value: "intent"}}, Ends: noon.Add(time.Hour), Comment: "c"})
		l.add(firing("aaaa1", i+2, 0.7), proposed(fmt.Sprintf("bbbb%d", i), 1))
	}
	wg.Wait()
	if a, err := b.Alert("aaaa1"); err != nil || a.Labels["prompt"] != "intent" || a.Events[0].ID != "aaaa1" || a.Silenced == "" {
		t.Errorf("%+v %v", a, err)
	}
	if s := b.Silences(); len(s) != 100 || s[0].Matchers[0].Label != "prompt" {
		t.Errorf("%d silences, %+v", len(s), s[0])
	}
}

func TestSilence(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	l.add(firing("aaaa1", 1, 0.7))
	m := func(label, op, value string) detector.Matcher {
		return detector.Matcher{Label: label, Op: op, Value: value}
	}
	one := []detector.Matcher{m("prompt", "=", "intent")}
	hour := noon.Add(time.Hour)
	for what, c := range map[string]struct {
		s    detector.Silence
		says string
	}{
		"fine":          {detector.Silence{Matchers: one, Ends: hour, Comment: "c"}, "fine"},
		"later":         {detector.Silence{Matchers: one, Starts: hour, Ends: hour.Add(time.Hour), Comment: "c"}, "fine"},
		"no matchers":   {detector.Silence{Ends: hour, Comment: "c"}, "the silence has no matchers"},
		"no comment":    {detector.Silence{Matchers: one, Ends: hour, Comment: " "}, "the silence has no comment"},
		"no end":        {detector.Silence{Matchers: one, Comment: "c"}, "the silence has no end"},
		"backwards":     {detector.Silence{Matchers: one, Starts: hour, Ends: noon, Comment: "c"}, "the silence ends before it starts"},
		"over":          {detector.Silence{Matchers: one, Starts: noon.Add(-time.Hour), Ends: noon, Comment: "c"}, "the silence would be over already"},
		"too long":      {detector.Silence{Matchers: one, Ends: noon.Add(31 * 24 * time.Hour), Comment: "c"}, "the silence is for more than 30 days"},
		"too far":       {detector.Silence{Matchers: one, Starts: noon.Add(31 * 24 * time.Hour), Ends: noon.Add(32 * 24 * time.Hour), Comment: "c"}, "the silence starts in more than 30 days"},
		"no label":      {detector.Silence{Matchers: []detector.Matcher{m("", "=", "x")}, Ends: hour, Comment: "c"}, "a matcher names no label"},
		"no operator":   {detector.Silence{Matchers: []detector.Matcher{m("a", "==", "x")}, Ends: hour, Comment: "c"}, `matcher of a: there is no operator "=="`},
		"no expression": {detector.Silence{Matchers: []detector.Matcher{m("a", "=~", "(")}, Ends: hour, Comment: "c"}, "matcher a=~(: the regular expression cannot be read: missing closing ): `(`"},
		"tricked":       {detector.Silence{Matchers: []detector.Matcher{m("a", "=~", "x)|(?:")}, Ends: hour, Comment: "c"}, "matcher a=~x)|(?:: the regular expression cannot be read: unexpected ): `x)|(?:`"},
		"everything":    {detector.Silence{Matchers: []detector.Matcher{m("a", "=~", ".*"), m("b", "=", ""), m("c", "=~", ".+")}, Ends: hour, Comment: "c"}, "the silence matches everything"},
		"nothing":       {detector.Silence{Matchers: []detector.Matcher{m("a", "!~", ".*")}, Ends: hour, Comment: "c"}, "matcher a!~.* matches nothing"},
		"too large":     {detector.Silence{Matchers: []detector.Matcher{m("a", "=", strings.Repeat("x", 1001))}, Ends: hour, Comment: "c"}, "a matcher has more than 1000 bytes"},
		"some":          {detector.Silence{Matchers: []detector.Matcher{m("a", "=~", ".*"), m("prompt", "!~", "x|y")}, Ends: hour, Comment: "c"}, "fine"},
	} {
		_, err := d.Silence(ctx, "jane", c.s)
		if got := strings.TrimPrefix(kind(err), "invalid: "); got != c.says {
			t.Errorf("%s: %s, want %s", what, got, c.says)
		}
	}
}

// TestSilenceGoesOnAndEnds: by the clock, by hand, and when all that it matched is over.
func TestSilenceGoesOnAndEnds(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	ctx := t.Context()
	l.add(firing("aaaa1", 1, 0.7))
	state := func(what string, id string, want SilenceState, silenced bool) {
		t.Helper()
		s, err := d.Board().Silence(id)
		a, _ := d.Board().Alert("aaaa1")
		if err != nil || s.State != want || (a.Silenced == id) != silenced {
			t.Errorf("%s: %s %v, silenced by %q", what, s.State, err, a.Silenced)
		}
	}
	make := func(s detector.Silence) string {
		t.Helper()
		s.Matchers, s.Comment = []detector.Matcher{{Label: "severity", Op: "=", Value: "page"}}, "c"
		id, err := d.Silence(ctx, "jane", s)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	id := make(detector.Silence{Starts: noon.Add(time.Hour), Ends: noon.Add(2 * time.Hour)})
	state("before it", id, SilencePending, false)
	l.now = noon.Add(time.Hour)
	state("in it", id, SilenceActive, true)
	l.now = noon.Add(2 * time.Hour)
	state("after it", id, SilenceExpired, false)
	want(t, "end what is over", d.Unsilence(ctx, "bob", id), "ended by time")

	id = make(detector.Silence{Ends: l.now.Add(time.Hour)})
	state("another one", id, SilenceActive, true)
	want(t, "end it", d.Unsilence(ctx, "bob", id), "fine")
	state("ended", id, SilenceExpired, false)
	if r := l.newest(); r.Step != 2 || r.Actor != "bob" || !r.Silence.Ends.Equal(l.now) {
		t.Errorf("written: %+v", r)
	}
	want(t, "twice", d.Unsilence(ctx, "eve", id), "ended by bob")

	l.now = noon
	id = make(detector.Silence{Ends: l.now.Add(time.Hour), UntilResolved: true})
	state("until resolved", id, SilenceActive, true)
	over := resolved("aaaa1", 5)
	l.now = noon.Add(10 * time.Minute)
	l.add(over)
	state("resolved", id, SilenceExpired, false)
	if s, _ := d.Board().Silence(id); s.Ended != allResolved || !s.Ends.Equal(over.Time) {
		t.Errorf("%+v", s)
	}
}

// BenchmarkAlerts reads a board on which ten thousand alerts fire at once, with ten silences.
func BenchmarkAlerts(b *testing.B) {
	board := NewBoard(BoardConfig{Partitions: 16, Now: func() time.Time { return noon }})
	for i := range 10_000 {
		r := firing(fmt.Sprintf("%032x", i), 1, 0.7)
		r.Prompt = fmt.Sprintf("prompt%d", i%100)
		board.Fold(i%100%16, alert.Entry{Offset: int64(i), Record: r})
	}
	for i := range 10 {
		board.Fold(0, alert.Entry{Offset: int64(20_000 + i), Record: detector.Record{ID: fmt.Sprint("s", i), Step: 1, Type: detector.Silenced, Time: noon,
			Silence: &detector.Silence{Matchers: []detector.Matcher{{Label: "prompt", Op: "=~", Value: fmt.Sprintf("prompt%d.", i)}}, Starts: noon, Ends: noon.Add(time.Hour)}}})
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(board.Alerts()) != 10_000 {
			b.Fatal("alerts are missing")
		}
	}
}

// TestSilencesAreForgotten: what has long been over is kept nowhere, also when a topic of a year is read anew.
func TestSilencesAreForgotten(t *testing.T) {
	l := newTopic(t)
	d := l.desk()
	for range 30 {
		if _, err := d.Silence(t.Context(), "jane", detector.Silence{
			Matchers: []detector.Matcher{{Label: "severity", Op: "=", Value: "page"}}, Ends: l.now.Add(time.Hour), Comment: "why",
		}); err != nil {
			t.Fatal(err)
		}
		l.now = l.now.Add(24 * time.Hour)
	}
	for _, b := range []*Board{d.Board(), l.desk().Board()} {
		kept := 0
		for range b.mu.silences.All() {
			kept++
		}
		if all := len(b.Silences()); all < 7 || all > 8 || kept != all {
			t.Errorf("%d are shown, %d are kept to match", all, kept)
		}
	}
}

// TestSilencesOfSize: few characters can make an expression that takes long with every alert.
func TestSilencesOfSize(t *testing.T) {
	d := newTopic(t).desk()
	for value, fine := range map[string]bool{
		"support_(intent|answer)_.{1,40}": true, strings.Repeat("p[a-z]+|", 100) + "x": true,
		".{1000}.{1000}.{1000}": false, "(a|b|c|d){0,900}x": false,
	} {
		_, err := d.Silence(t.Context(), "jane", detector.Silence{
			Matchers: []detector.Matcher{{Label: "prompt", Op: "=~", Value: value}}, Ends: noon.Add(time.Hour), Comment: "why",
		})
		if _, invalid := errors.AsType[*InvalidError](err); fine != (err == nil) || invalid == fine {
			t.Errorf("%.30s: %v", value, err)
		}
	}
}

// TestShortIDs: what stands before the step is the beginning of an id, and must not be next to nothing.
func TestShortIDs(t *testing.T) {
	l := newTopic(t)
	r := firing("9f3c1a2b", 123, 0.7)
	l.add(r, alert.Action(&r, detector.RollbackProposed, noon))
	b := l.desk().Board()
	for id, fine := range map[string]bool{"9f3c-123": true, "9f3c1a2b-123": true, "-123": false, "9-123": false, "9f3-123": false, "9f3c-12": false} {
		if _, err := b.Attempt(id); (err == nil) != fine {
			t.Errorf("%s: %v", id, err)
		}
	}
}
