package incident

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

func TestPlan(t *testing.T) {
	at := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	var n alert.Notification
	f := func(what, want, ref string, change func()) {
		t.Helper()
		change()
		actions, is := Plan(&n)
		var got []string
		for _, a := range actions {
			got = append(got, string(a))
		}
		if strings.Join(got, " ") != want || strings.TrimPrefix(is.String(), Key(&n)) != ref {
			t.Errorf("%s: %v and %q, want %q and %q", what, got, is, want, ref)
		}
		// What failed half way is begun anew, and what was told is told again: neither changes the state.
		if _, again := Plan(&n); again != is {
			t.Errorf("%s: planned again it is %q", what, again)
		}
		n.Ref = is.String()
	}
	n.Key = alert.Key{Rule: "R", Prompt: "p", Version: "v23"}
	n.Firing = []alert.Member{{Record: detector.Record{Rule: "R", Time: at}}}
	f("it begins", "trigger", "", func() {})
	f("it goes on", "trigger", "", func() {})
	f("somebody is on it", "acknowledge", " acknowledged", func() { n.Acknowledged = &detector.Record{Time: at, Actor: "jane"} })
	f("a cohort more", "trigger", " acknowledged", func() {})
	f("it is worse", "resolve trigger", "", func() { n.Acknowledged = nil })
	f("somebody again", "acknowledge", " acknowledged", func() { n.Acknowledged = &detector.Record{Time: at, Actor: "jane"} })
	f("a rollback has not helped", "resolve trigger", " ineffective", func() {
		n.Rollback = &detector.Record{Type: detector.Ineffective, Time: at.Add(time.Hour)}
	})
	f("it goes on, and the acknowledgement is of before", "trigger", " ineffective", func() {})
	f("somebody after all", "acknowledge", " acknowledged ineffective", func() {
		n.Acknowledged = &detector.Record{Time: at.Add(2 * time.Hour), Actor: "jane"}
	})
	f("it is over", "resolve", "", func() { n.Firing, n.Resolved = nil, n.Firing })
	n = alert.Notification{Key: n.Key, Firing: n.Resolved, Acknowledged: &detector.Record{Time: at}}
	f("acknowledged before it could be told", "trigger acknowledge", " acknowledged", func() {})
}

func TestKey(t *testing.T) {
	key := func(prompt, version string) string {
		return Key(&alert.Notification{Key: alert.Key{Rule: "R", Prompt: prompt, Version: version}})
	}
	a := key(strings.Repeat("p", 10000), "")
	if a != key(strings.Repeat("p", 10000), "") || a == key(strings.Repeat("p", 9999), "p") || !regexp.MustCompile(`^driftd-[0-9a-f]{32}$`).MatchString(a) {
		t.Errorf("key %q", a)
	}
}

func TestSeverity(t *testing.T) {
	for label, want := range map[string]string{"page": "critical", "": "critical", "Critical": "critical", "P1": "critical", "ours": "critical",
		"error": "error", "ticket": "warning", "warning": "warning", "info": "info"} {
		if got := Severity(label); got != want || !slices.Contains([]string{"critical", "error", "warning", "info"}, got) {
			t.Errorf("severity %q is %q, want %q", label, got, want)
		}
	}
}
