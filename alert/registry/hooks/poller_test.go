package hooks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// labels is a registry.
type labels struct {
	current map[string]string
	err     error
	asked   []string
	during  func() // while it is asked
}

func (l *labels) Current(_ context.Context, prompt string) (registry.Version, error) {
	l.asked = append(l.asked, prompt)
	v, ok := l.current[prompt]
	if l.during != nil {
		l.during()
	}
	switch {
	case l.err != nil:
		return registry.Version{}, l.err
	case v == "two":
		return registry.Version{}, &registry.Error{Op: "read", Kind: registry.Wrong, Reason: "two versions have the label", Hint: "set it again"}
	case !ok:
		return registry.Version{}, &registry.Error{Op: "read", Kind: registry.NoPrompt, Reason: "unknown"}
	}
	return registry.Version{ID: strings.TrimPrefix(v, "v"), Names: []string{strings.TrimPrefix(v, "v"), v}}, nil
}

func (w *topic) poller(l Registry, prompts ...string) *Poller {
	return NewPoller(PollerConfig{Registry: l, Prompts: func() []string { return prompts }, Every: time.Minute}, w.intake)
}

func TestPoller(t *testing.T) {
	w := newTopic(t)
	w.spoken = []string{"v22", "v23", "v24"}
	l := &labels{current: map[string]string{"p": "v23"}}
	p := w.poller(l, "p")
	for range 3 {
		p.Tick(t.Context())
	}
	w.want("") // nothing is known before the first look
	l.current["p"] = "v24"
	for range 3 {
		p.Tick(t.Context())
	}
	w.want(`p v24 for "v23" by registry at 12:00:00`)
	w.add(ours(detector.RollbackPromoting, noon))
	l.current["p"] = "v22"
	p.Tick(t.Context()) // the registry has done it, our record is still to come
	w.counted(metricLooks, own, 1)
	w.add(ours(detector.RollbackPromoted, noon))
	p.Tick(t.Context())
	w.want(`p v24 for "v23" by registry at 12:00:00`)
	l.current["p"] = "v23"
	w.now = noon.Add(time.Minute)
	p.Tick(t.Context())
	w.want(`p v24 for "v23" by registry at 12:00:00; p v23 for "v22" by registry at 12:01:00`)
}

// TestFirstLook tells where the topic knows another version.
func TestFirstLook(t *testing.T) {
	w := newTopic(t, ours(detector.RollbackPromoted, noon.Add(-240*time.Hour)))
	p := w.poller(&labels{current: map[string]string{"p": "v24"}}, "p")
	p.Tick(t.Context())
	w.want(`p 24 for "v22" by registry at 12:00:00`)
}

// TestMovedMeanwhile: a rollback that begins and ends while a label is read is not taken for a person's promotion.
func TestMovedMeanwhile(t *testing.T) {
	w := newTopic(t, promoted("v24", noon.Add(-time.Hour)))
	before := w.told()
	l := &labels{current: map[string]string{"p": "v23"}}
	l.during = func() {
		w.add(promoted("v23", noon))
		w.add(ours(detector.RollbackPromoting, noon))
		w.add(ours(detector.RollbackPromoted, noon))
		l.during, l.current["p"] = nil, "v22"
	}
	p := w.poller(l, "p")
	p.Tick(t.Context())
	w.counted(metricLooks, unsure, 1)
	p.Tick(t.Context())
	w.counted(metricLooks, known, 1)
	if got := strings.TrimPrefix(w.told(), before); got != `; p v23 for "" by jane at 12:00:00` {
		t.Error(got)
	}
}

// past is a registry with a history.
type past struct {
	labels
	moves []registry.Change
}

func (p *past) History(context.Context, string) ([]registry.Change, error) { return p.moves, p.err }

func TestWhoItWas(t *testing.T) {
	w := newTopic(t, promoted("v22", noon.Add(-time.Hour)))
	l := &past{labels{current: map[string]string{"p": "v23"}}, []registry.Change{{To: "v23", From: "v22", At: noon.Add(-2 * time.Minute), By: "Joe"}}}
	w.poller(l, "p").Tick(t.Context())
	if !strings.HasSuffix(w.told(), `p 23 for "v22" by Joe at 11:58:00`) {
		t.Error(w.told())
	}
	l.current["p"], l.moves[0].To = "v24", "v25" // it has moved on since it was read
	w.poller(l, "p").Tick(t.Context())
	if !strings.HasSuffix(w.told(), `p 24 for "23" by registry at 12:00:00`) {
		t.Error(w.told())
	}
}

// once is a registry that is asked once for all.
type once struct {
	labels
	snapshots int
}

func (o *once) Snapshot(context.Context) (func(context.Context, string) (registry.Version, error), error) {
	o.snapshots++
	if o.err != nil {
		return nil, o.err
	}
	return o.Current, nil
}

func TestSnapshot(t *testing.T) {
	w := newTopic(t, promoted("v22", noon.Add(-time.Hour)))
	l := &once{labels: labels{current: map[string]string{"p": "v23", "q": "v1"}}}
	p := w.poller(l, "p", "q")
	p.Tick(t.Context())
	if l.snapshots != 1 || len(l.asked) != 2 || !strings.HasSuffix(w.told(), `p 23 for "v22" by registry at 12:00:00`) {
		t.Errorf("%d snapshots, asked %v, told %s", l.snapshots, l.asked, w.told())
	}
	l.err = &registry.Error{Op: "read", Kind: registry.Unavailable, Reason: "no answer"}
	p.Tick(t.Context())
	p.Tick(t.Context()) // too soon
	w.counted(metricLooks, failed, 1)
	if l.snapshots != 2 || len(l.asked) != 2 {
		t.Errorf("%d snapshots, asked %v", l.snapshots, l.asked)
	}
}

// TestTurns: all prompts are looked at, some each tick.
func TestTurns(t *testing.T) {
	w := newTopic(t)
	l := &labels{current: map[string]string{}}
	var prompts []string
	for i := range 2*looksPerTick + 10 {
		prompts = append(prompts, fmt.Sprintf("p%03d", i))
		l.current[prompts[i]] = "v1"
	}
	p := w.poller(l, prompts...)
	for range 3 {
		l.asked = nil
		p.Tick(t.Context())
		if len(l.asked) != looksPerTick {
			t.Errorf("%d looks in one tick", len(l.asked))
		}
	}
	if want := append(slices.Clone(prompts[2*looksPerTick:]), prompts[:looksPerTick-10]...); !slices.Equal(l.asked, want) {
		t.Errorf("asked %v", l.asked)
	}
}

// TestUnknownPrompts: what the registry does not have is asked for again after a while.
func TestUnknownPrompts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTopic(t)
		l := &labels{current: map[string]string{"p": "v1"}}
		p := w.poller(l, "p", "q")
		p.Tick(t.Context())
		p.Tick(t.Context())
		if want := []string{"p", "q", "p"}; !slices.Equal(l.asked, want) {
			t.Errorf("asked %v", l.asked)
		}
		time.Sleep(asideFor)
		l.asked = nil
		p.Tick(t.Context())
		if want := []string{"q", "p"}; !slices.Equal(l.asked, want) {
			t.Errorf("asked %v", l.asked)
		}
		w.counted(metricLooks, absent, 2)
	})
}

// TestWrongPrompt: what is wrong with one prompt does not keep driftd from looking at the others.
func TestWrongPrompt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTopic(t)
		l := &labels{current: map[string]string{"p": "two", "q": "v1"}}
		p := w.poller(l, "p", "q")
		for range 3 {
			p.Tick(t.Context())
			time.Sleep(time.Minute)
		}
		if want := []string{"p", "q", "q", "q"}; !slices.Equal(l.asked, want) {
			t.Errorf("asked %v", l.asked)
		}
		if got := p.Trouble(); got != "p: two versions have the label (set it again)" {
			t.Errorf("%q", got)
		}
		l.current["p"] = "v1"
		time.Sleep(asideFor)
		p.Tick(t.Context())
		w.counted(metricLooks, failed, 1)
		w.counted(metricLooks, known, 5)
		if got := p.Trouble(); got != "" {
			t.Errorf("%q", got)
		}
	})
}

// TestTrouble: a registry in trouble is asked once a tick, and ever more seldom; never sooner than it wants.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTopic(t)
		l := &labels{current: map[string]string{"p": "v1", "q": "v1"}, err: &registry.Error{Op: "read", Kind: registry.Unavailable, Reason: "no answer"}}
		p := w.poller(l, "p", "q")
		begin := time.Now()
		var at []int
		for range 60 {
			n := len(l.asked)
			p.Tick(t.Context())
			if len(l.asked) > n {
				at = append(at, int(time.Since(begin).Minutes()))
			}
			time.Sleep(time.Minute)
		}
		if want := []int{0, 1, 3, 7, 15, 30, 45}; !slices.Equal(at, want) || len(l.asked) != len(want) {
			t.Errorf("asked %d times, after %v minutes", len(l.asked), at)
		}
		if got := p.Trouble(); got != "no answer" {
			t.Errorf("%q", got)
		}
		l.err = &registry.Error{Op: "read", Kind: registry.Unavailable, Reason: "the registry answered 429", After: 40 * time.Minute}
		p.Tick(t.Context())
		l.err, l.asked = nil, nil
		time.Sleep(39 * time.Minute)
		p.Tick(t.Context())
		if len(l.asked) != 0 {
			t.Error("asked before it wants to be")
		}
		time.Sleep(time.Minute)
		p.Tick(t.Context())
		p.Tick(t.Context())
		if len(l.asked) != 4 {
			t.Errorf("asked %v", l.asked)
		}
	})
}

// TestNotReady: nothing is asked before the topic has been read.
func TestNotReady(t *testing.T) {
	w := newTopic(t)
	w.book.Begin(0)
	l := &labels{current: map[string]string{"p": "v1"}}
	w.poller(l, "p").Tick(t.Context())
	if len(l.asked) != 0 {
		t.Errorf("asked %v", l.asked)
	}
}
