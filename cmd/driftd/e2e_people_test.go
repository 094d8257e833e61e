package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/web"
)

// get asks for a path of the API.
func (i *instance) get(path string) (int, string) {
	i.w.t.Helper()
	return i.fetch("/api/v1" + path)
}

// cli runs a command of people against this instance.
func (i *instance) cli(run func(context.Context, []string, io.Writer, io.Writer) int, args ...string) (code int, stdout, stderr string) {
	var out, err bytes.Buffer
	code = run(i.w.t.Context(), append([]string{"--url", "http://" + i.web.Addr()}, args...), &out, &err)
	return code, out.String(), err.String()
}

// TestPeopleOnTwoInstances: what is done on one is in force on the other, survives a kill, and an approval leads a rollback on to
// its promotion.
func TestPeopleOnTwoInstances(t *testing.T) {
	t.Setenv("USER", "jane")
	t.Setenv("DRIFTD_TOKEN", "")
	brokers, crash := crashable(t)
	w, s := newStoryWorld(t, brokers)
	w.file("rules.yaml", strings.Replace(s.rules(), "rollback: auto", "rollback: approve", 1))
	w.makeSources()
	one, two := w.start(), w.start()
	board := func(d *instance, says func(b *desk.Board) bool) func() bool {
		return func() bool { return d.desk.Board().Ready() && says(d.desk.Board()) }
	}

	// A silence that is made on one before anything fires.
	w.until("one answers", func() bool { code, _ := one.get("/alerts"); return code == http.StatusOK })
	code, out, errs := one.cli(runSilence, "alert="+badRule, "--for", "12h", "--comment", "the release is watched anyway")
	made := regexp.MustCompile(`^silence ([0-9a-f]{8}) until 2026-11-21 04:00 UTC`).FindStringSubmatch(out)
	if code != 0 || made == nil {
		t.Fatalf("silence: %d %s%s", code, out, errs)
	}
	w.until("the other knows it", board(two, func(b *desk.Board) bool { _, err := b.Silence(made[1]); return err == nil }))

	w.publish(s.msgs[:s.until(rolledBackAt)])
	waits := func(b *desk.Board) bool {
		for _, a := range b.Attempts() {
			if a.State == alert.RollbackWaiting {
				return true
			}
		}
		return false
	}
	w.until("a rollback waits on one", board(one, waits))
	w.until("and on the other", board(two, waits))
	for _, d := range []*instance{one, two} {
		a := d.desk.Board().Alerts()
		if len(a) != 1 || a[0].State != detector.Firing || !strings.HasPrefix(a[0].Silenced, made[1]) {
			t.Errorf("alerts: %+v", a)
		}
	}
	if _, out, _ = two.cli(runAlerts); !strings.Contains(out, "silenced") || !strings.Contains(out, "waits for a person") || !strings.Contains(out, "1 silence is in force") {
		t.Errorf("driftd alerts:\n%s", out)
	}
	if code, out, errs = one.cli(runAck, two.desk.Board().Alerts()[0].ID[:8]); code != 0 {
		t.Errorf("ack: %d %s%s", code, out, errs)
	}
	w.until("the other knows who is on it", board(two, func(b *desk.Board) bool {
		a := b.Alerts()[0].Acknowledged
		return a != nil && a.Actor == "local for jane"
	}))

	// Both are killed. What is shown afterwards is what was shown before.
	shown := func(d *instance) (all string) {
		for _, path := range []string{"/alerts", "/silences", "/rollbacks", "/audit"} {
			code, text := d.get(path)
			if code != http.StatusOK {
				return ""
			}
			var v map[string]any
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				t.Fatal(err)
			}
			for _, a := range list(v["alerts"]) { // the minutes go on being observed
				delete(a, "observed")
			}
			for _, a := range list(v["rollbacks"]) {
				delete(a, "observed")
			}
			b, _ := json.Marshal(v)
			all += string(b) + "\n"
		}
		return all
	}
	before, other := "", ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("shown before the kill:\n%s\nby the other, or after it:\n%s", before, other)
		}
	})
	w.until("the two agree", func() bool { before, other = shown(one), shown(two); return before != "" && other == before })
	crash.Store(true)
	one.stop()
	two.stop()
	crash.Store(false)
	if got := len(w.messages(badRule)); got != 0 {
		t.Errorf("Slack was told of what is silenced, %d times", got)
	}
	one, two = w.start(), w.start()
	for _, d := range []*instance{one, two} {
		w.until("it answers again, and the same", func() bool { other = shown(d); return other == before })
	}

	// The silence is ended on the other: what fires is told now.
	if code, out, errs = two.cli(runSilence, "--end", made[1]); code != 0 {
		t.Errorf("end: %d %s%s", code, out, errs)
	}
	w.until("Slack is told", func() bool { return len(w.messages(badRule)) > 0 })

	// The rollback is approved on one of them, whoever of both has the registry.
	id := one.desk.Board().Attempts()[0].ID
	code, out, errs = one.cli(runApprove, id[:8], "--reason", "v18 is bad")
	if code != 0 || !strings.Contains(out, "approved by local for jane: v18 is bad") || !strings.Contains(out, "promoted, and read back") || w.registry.Current(storyPrompt) != "v17" {
		t.Errorf("approve: %d\n%s%s\n%s is current", code, out, errs, w.registry.Current(storyPrompt))
	}
	if code, _, errs = two.cli(runReject, id, "--reason", "no"); code != 1 || !strings.Contains(errs, "already approved by local for jane") {
		t.Errorf("reject: %d %s", code, errs)
	}
	// By hand, to where it came from: the guards stand in the way, and it is said which.
	code, out, errs = two.cli(runRollback, storyPrompt, "--to", "v18")
	if code != 1 || !strings.Contains(out, "asked for by local for jane") || !strings.Contains(out, "refused by the guard ") || w.registry.Current(storyPrompt) != "v17" {
		t.Errorf("rollback: %d\n%s%s", code, out, errs)
	}
	var audit web.Audit
	_, text := two.get("/audit")
	if err := json.Unmarshal([]byte(text), &audit); err != nil {
		t.Fatal(err)
	}
	seen := make(map[detector.RecordType]int)
	for _, e := range audit.Events {
		if e.Actor == "" || e.Time.IsZero() {
			t.Errorf("nobody did it: %+v", e)
		}
		seen[e.Type]++
	}
	for typ, n := range map[detector.RecordType]int{detector.Silenced: 2, detector.Acknowledged: 1, detector.RollbackProposed: 1, detector.RollbackApproved: 1, detector.RollbackPromoted: 1, detector.RollbackRequested: 1, detector.RollbackRefused: 1} {
		if seen[typ] != n {
			t.Errorf("the audit log has %d of %s, want %d: %v", seen[typ], typ, n, seen)
		}
	}
}

// list is a JSON list of objects.
func list(v any) (out []map[string]any) {
	all, _ := v.([]any)
	for _, e := range all {
		m, _ := e.(map[string]any)
		out = append(out, m)
	}
	return out
}
