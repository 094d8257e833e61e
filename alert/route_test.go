package alert

import (
	"slices"
	"testing"

	"github.com/driftd/driftd/detector"
)

func TestRoute(t *testing.T) {
	tree := Route{Receiver: "default", Routes: []Route{
		{Match: map[string]string{"severity": "page"}, Receiver: "pager", Continue: true},
		{Match: map[string]string{"team": "support"}, Receiver: "support", Routes: []Route{
			{Match: map[string]string{"tier": "enterprise"}, Receiver: "vip"},
			{Match: map[string]string{"tier": "free", "severity": "info"}},
		}},
		{Match: map[string]string{"team": "support"}, Receiver: "never"},
		{Match: map[string]string{"alert": "SlowTail"}, Receiver: "support"},
		{Match: map[string]string{"severity": "twice"}, Receiver: "pager", Continue: true},
		{Match: map[string]string{"severity": "twice"}, Receiver: "pager"},
	}}
	f := func(labels map[string]string, want ...string) {
		t.Helper()
		if got := tree.Receivers(labels); !slices.Equal(got, want) {
			t.Errorf("%v goes to %v, want %v", labels, got, want)
		}
	}
	f(nil, "default")
	f(map[string]string{"team": "sales"}, "default")
	f(map[string]string{"severity": "page"}, "pager")
	f(map[string]string{"severity": "page", "team": "support"}, "pager", "support")
	f(map[string]string{"team": "support", "tier": "enterprise"}, "vip")
	f(map[string]string{"team": "support", "tier": "free"}, "support")
	f(map[string]string{"team": "support", "tier": "free", "severity": "info"}, "support")
	f(map[string]string{"alert": "SlowTail", "severity": "page"}, "pager", "support")
	f(map[string]string{"severity": "twice"}, "pager")

	if got := (&Route{}).Receivers(nil); got != nil {
		t.Errorf("an empty tree sends to %v", got)
	}
}

func TestLabels(t *testing.T) {
	r := detector.Record{Group: "g", Rule: "R", Prompt: "p", Version: "v1", Cohort: map[string]string{"tier": "free", "team": "cohort"},
		Labels: map[string]string{"team": "ml", "prompt": "mine"}}
	got := Labels(&r)
	for k, want := range map[string]string{"alert": "R", "group": "g", "prompt": "mine", "version": "v1", "tier": "free", "team": "ml"} {
		if got[k] != want {
			t.Errorf("label %s is %q, want %q", k, got[k], want)
		}
	}
	if _, ok := got["variant"]; ok {
		t.Error("an absent variant became a label")
	}
}
