package main

import (
	"bytes"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/signature"
	"github.com/driftd/driftd/internal/testkit"
)

// hooked makes a call of the registry's webhook.
func (i *instance) hooked(id, body string) int {
	i.w.t.Helper()
	key, err := signature.ParseKey(hookSecret)
	if err != nil {
		i.w.t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+i.web.Addr()+"/hooks/registry", bytes.NewBufferString(body))
	if err != nil {
		i.w.t.Fatal(err)
	}
	key.Sign(r.Header, id, time.Now(), []byte(body))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		i.w.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// promotions are those of the story's prompt by others, as the topic has them.
func (w *world) promotions() (told []string) {
	for _, r := range w.alerts(func(r *detector.Record) bool { return r.Type == detector.RegistryPromoted }) {
		told = append(told, r.Version+" by "+r.Actor)
	}
	return told
}

// TestSomeonePromotes: the registry calls when a person promotes a version, and Slack says who it was when it fires; the rollback that
// follows is not taken for a person's. The person who then promotes the bad version again is heard of by looking.
func TestSomeonePromotes(t *testing.T) {
	if testing.Short() && !testkit.Real() {
		t.Skip("waits for a look at the registry, each 5 s")
	}
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	w.regKeys = `, hook_secret: "${HOOK_SECRET}", poll: 5s`
	d := w.start()
	body := `{"prompt":"` + storyPrompt + `","version":"v18","author":"jane","time":"2026-11-20T14:19:30Z"}`
	w.until("the call is taken", func() bool { return d.hooked("d1", body) == http.StatusNoContent })
	if code := d.hooked("d1", body); code != http.StatusNoContent {
		t.Errorf("the same call again: %d", code)
	}
	w.until("it stands in the topic", func() bool { return len(w.promotions()) == 1 })

	w.publish(s.msgs[:s.until(rolledBackAt)])
	w.until("Slack says who promoted the version", func() bool {
		m := w.messages(badRule)
		return len(m) > 0 && strings.Contains(m[0].Text+string(m[0].Blocks), "v18 was promoted by jane at 14:19")
	})
	w.until("the registry has promoted", func() bool { return w.registry.Current(storyPrompt) == "v17" })
	if code := d.hooked("d2", `{"prompt":"`+storyPrompt+`","version":"v17"}`); code != http.StatusNoContent {
		t.Errorf("the registry's call about driftd's own move: %d", code)
	}
	looks := d.counter("driftd_alert_registry_looks_total")
	w.until("driftd has looked", func() bool { return d.counter("driftd_alert_registry_looks_total") > looks })
	if got := strings.Join(w.promotions(), ", "); got != "v18 by jane" {
		t.Errorf("promotions by others: %s", got)
	}
	w.registry.Set(storyPrompt, "v18")
	w.until("the person is seen", func() bool { return strings.Join(w.promotions(), ", ") == "v18 by jane, v18 by registry" })
}

// TestGitRegistry: an alert ends as a commit that says why, in the repository where people keep their prompts.
func TestGitRegistry(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: there is no rollback in a repository")
	}
	w, s := newStoryWorld(t, testkit.Broker(t))
	w.makeSources()
	t.Setenv("HOME", w.dir)
	url, person := filepath.Join(w.dir, "prompts.git"), filepath.Join(w.dir, "person")
	git := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-c", "user.name=Jane", "-c", "user.email=j@x"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "--quiet", "--bare", "--initial-branch=main", url)
	git("init", "--quiet", "--initial-branch=main", person)
	for _, v := range []string{"v17", "v18"} {
		w.file("person/"+storyPrompt+".current", v+"\n")
		git("-C", person, "add", "--all")
		git("-C", person, "commit", "--quiet", "-m", v)
	}
	git("-C", person, "push", "--quiet", url, "main")
	w.regOther = `{kind: git, url: "` + url + `", dir: clone, path: "{prompt}.current"}`
	w.start()
	w.publish(s.msgs[:s.until(rolledBackAt)])
	w.until("a promotion is recorded", func() bool {
		return len(w.alerts(func(r *detector.Record) bool { return r.Type == detector.RollbackPromoted })) == 1
	})
	if got := git("-C", url, "show", "main:"+storyPrompt+".current"); got != "v17\n" {
		t.Errorf("the file says %q", got)
	}
	if got := git("-C", url, "log", "-1", "--format=%an: %B", "main"); !strings.Contains(got, "driftd: "+storyPrompt+": v17 in place of v18") || !strings.Contains(got, badRule) {
		t.Errorf("the commit says %q", got)
	}
}

// TestLately: prompts of which nothing was told for two days are not looked after, unless they fire.
func TestLately(t *testing.T) {
	b := desk.NewBoard(desk.BoardConfig{Partitions: 1, Now: func() time.Time { return storyNow }})
	b.Begin(0)
	offset := int64(0)
	add := func(typ detector.RecordType, prompt string, ago time.Duration) {
		r := detector.Record{
			ID: prompt, Step: 1, Type: typ, Time: storyNow.Add(-ago), Prompt: prompt, Version: "v2", Previous: "v1", Group: "g", Rule: "R",
			Figures: []detector.Figures{{Version: "v3"}},
		}
		if typ == detector.Resolved {
			r.Step = 2
		}
		b.Fold(0, alert.Entry{Offset: offset, Record: r})
		offset++
	}
	add(detector.Firing, "fires", 100*time.Hour)
	add(detector.Firing, "over", 101*time.Hour)
	add(detector.Resolved, "over", 100*time.Hour)
	add(detector.Firing, "new", 2*time.Hour)
	add(detector.Resolved, "new", time.Hour)
	add(detector.DayFigures, "called", 30*time.Hour)
	add(detector.DayFigures, "forgotten", 50*time.Hour)
	b.Live(0)
	if got := strings.Join(lately(b, storyNow), " "); got != "called fires new" {
		t.Errorf("%s", got)
	}
	if got := strings.Join(spoken(b, "new"), " "); got != "v2 v1" {
		t.Errorf("%s", got)
	}
	if got := strings.Join(spoken(b, "called"), " "); got != "v3" {
		t.Errorf("%s", got)
	}
}
