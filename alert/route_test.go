package alert

import (
	"reflect"
	"slices"
	"testing"
	"time"

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
		var got []string
		for _, leg := range tree.Legs(labels) {
			got = append(got, leg.Receiver)
		}
		if !slices.Equal(got, want) {
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

	if got := (&Route{}).Legs(nil); got != nil {
		t.Errorf("an empty tree sends to %v", got)
	}
}

func TestLegs(t *testing.T) {
	never, hour := time.Duration(0), time.Hour
	tree := Route{Receiver: "default", Fallback: "pager", Responders: []string{"U1"}, Routes: []Route{
		{Match: map[string]string{"prompt": "refund_*"}, Receiver: "refunds", Repeat: &hour, Mute: []string{"nights"}, GroupBy: []string{"team"}, Continue: true,
			Routes: []Route{
				{Match: map[string]string{"severity": "page"}, Receiver: "pager", Repeat: &never, Mute: []string{}},
				{Match: map[string]string{"version": "v?"}, Responders: []string{}, Approvers: []string{"S1"}},
			}},
		{Match: map[string]string{"team": "?*"}, Receiver: "refunds", Repeat: &never},
	}}
	f := func(labels map[string]string, want ...Leg) {
		t.Helper()
		if got := tree.Legs(labels); !reflect.DeepEqual(got, want) {
			t.Errorf("%v goes by\n %+v, want\n %+v", labels, got, want)
		}
	}
	top := Leg{Receiver: "default", GroupBy: DefaultGroupBy(), Repeat: DefaultRepeat, Fallback: "pager", Responders: []string{"U1"}}
	f(nil, top)
	f(map[string]string{"prompt": "refund"}, top)
	refunds := Leg{Receiver: "refunds", GroupBy: []string{"team"}, Repeat: time.Hour, Mute: []string{"nights"}, Fallback: "pager", Responders: []string{"U1"}}
	f(map[string]string{"prompt": "refund_handler"}, refunds)
	// It is reached by two ways: the first counts.
	f(map[string]string{"prompt": "refund_handler", "team": "x"}, refunds)
	late := top
	late.Receiver, late.Repeat = "refunds", 0
	f(map[string]string{"team": "x"}, late)
	// The fallback of the others has none: it would be itself. A list that is empty takes nothing over.
	f(map[string]string{"prompt": "refund_", "severity": "page"},
		Leg{Receiver: "pager", GroupBy: []string{"team"}, Mute: []string{}, Responders: []string{"U1"}})
	open := refunds
	open.Responders, open.Approvers = []string{}, []string{"S1"}
	f(map[string]string{"prompt": "refund_", "version": "v9"}, open)
	f(map[string]string{"prompt": "refund_", "version": "v10"}, refunds)
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
