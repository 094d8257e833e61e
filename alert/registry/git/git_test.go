package git

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

const template = "prompts/{prompt}.current"

// world is a repository, a person who works on it, and a client.
type world struct {
	t      *testing.T
	url    string
	person string // working copy
	day    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed: nothing here can be tested")
		}
		t.Skip("git is not installed: nothing here is tested")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	w := &world{t: t, url: filepath.Join(dir, "origin.git"), person: filepath.Join(dir, "person")}
	w.run(dir, "init", "--quiet", "--bare", "--initial-branch=main", w.url)
	w.run(dir, "init", "--quiet", "--initial-branch=main", w.person)
	return w
}

func (w *world) client() *Client {
	return New(Config{URL: w.url, Dir: filepath.Join(w.t.TempDir(), "clone"), Path: template, Branch: "main", Push: true})
}

// run runs git as a person, a day later each time.
func (w *world) run(dir string, args ...string) string {
	w.t.Helper()
	w.day++
	date := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, w.day).Format(time.RFC3339)
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(environ(os.Environ(), dir), "GIT_AUTHOR_NAME=Jane Doe", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write commits a file as a person does, and pushes it.
func (w *world) write(file, text string) {
	w.t.Helper()
	w.put(w.person, file, text)
	w.run(w.person, "add", "--all")
	w.run(w.person, "commit", "--quiet", "-m", file+": "+text)
	w.run(w.person, "push", "--quiet", w.url, "HEAD:refs/heads/main")
}

// follow takes what others have pushed.
func (w *world) follow() { w.run(w.person, "pull", "--quiet", "--ff-only", w.url, "main") }

func (w *world) put(dir, file, text string) {
	w.t.Helper()
	name := filepath.Join(dir, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) story() {
	for _, v := range []string{"v21", "v22", "v23"} {
		w.write("prompts/support.current", v+"\n")
		w.write("README.md", v)
	}
}

func version(id string) registry.Version { return registry.Version{ID: id} }

func move(to, seen string) registry.Move {
	return registry.Move{
		Prompt: "support", To: version(to), Seen: version(seen), Alert: "9f3c", Reason: "GroundingRegressed fires\nfor v23",
		Link: "https://driftd.example/alerts/9f3c", Key: "9f3c-3",
	}
}

func (w *world) is(c *Client, want string) {
	w.t.Helper()
	if got, err := c.Current(w.t.Context(), "support"); err != nil || got.ID != want {
		w.t.Errorf("current is %q (%v), want %s", got.ID, err, want)
	}
}

// commits is how many there are in the repository.
func (w *world) commits() string { return w.run(w.url, "rev-list", "--count", "main") }

func ids(all []registry.Version) string {
	var names []string
	for _, v := range all {
		names = append(names, v.ID)
	}
	return strings.Join(names, " ")
}

func TestMove(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := w.client()
	w.is(c, "v23")
	all, err := c.List(t.Context(), "support")
	if err != nil || ids(all) != "v23 v22 v21" || !all[2].CreatedAt.Before(all[1].CreatedAt) {
		t.Errorf("%+v %v", all, err)
	}
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v22")
	const says = "driftd|support: v22 in place of v23\n\nGroundingRegressed fires for v23\n\nAlert: 9f3c\nLink: https://driftd.example/alerts/9f3c\nKey: 9f3c-3"
	if got := w.run(w.url, "log", "-1", "--format=%an|%B", "main"); got != says {
		t.Errorf("commit:\n%s", got)
	}
	if got := w.run(w.url, "show", "--format=", "--name-only", "main"); got != "prompts/support.current" {
		t.Errorf("the commit touches %s", got)
	}
	before := w.commits()
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil { // the answer to the first was lost
		t.Error(err)
	}
	if w.commits() != before {
		t.Error("it was committed twice")
	}
	w.follow()
	w.write("prompts/support.current", "v24")
	err = c.Move(t.Context(), move("v22", "v23"))
	if e, ok := errors.AsType[*registry.ConflictError](err); !ok || e.Current.ID != "v24" {
		t.Errorf("someone has promoted another: %v", err)
	}
	moves, err := c.History(t.Context(), "support")
	var told []string
	for _, m := range moves {
		told = append(told, fmt.Sprintf("%s→%s by %s", m.From, m.To, m.By))
	}
	want := []string{"v22→v24 by Jane Doe", "v23→v22 by driftd", "v22→v23 by Jane Doe", "v21→v22 by Jane Doe", "→v21 by Jane Doe"}
	if err != nil || !slices.Equal(told, want) {
		t.Errorf("%q %v", told, err)
	}
}

// TestMerged: a promotion that came by a pull request is of who merged it, when it was merged.
func TestMerged(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.run(w.person, "checkout", "--quiet", "-b", "work")
	w.put(w.person, "prompts/support.current", "v24")
	w.put(w.person, "prompts/other/v1.txt", "x")
	w.run(w.person, "add", "--all")
	w.run(w.person, "commit", "--quiet", "-m", "v24", "--author=Someone <x@y>")
	w.run(w.person, "checkout", "--quiet", "main")
	w.write("README.md", "meanwhile")
	w.run(w.person, "merge", "--quiet", "--no-ff", "-m", "merge", "work")
	merged := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, w.day)
	w.run(w.person, "push", "--quiet", w.url, "main")
	c := w.client()
	moves, err := c.History(t.Context(), "support")
	if err != nil || len(moves) != 4 || moves[0] != (registry.Change{To: "v24", From: "v23", At: merged, By: "Jane Doe"}) {
		t.Errorf("%+v %v", moves, err)
	}
	if all, err := c.List(t.Context(), "other"); err != nil || len(all) != 1 || !all[0].CreatedAt.Equal(merged) {
		t.Errorf("%+v %v", all, err)
	}
}

func TestVersionFiles(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.write("prompts/support/v9.txt", "9")
	for _, v := range []string{"v10/system.txt", "v10/user.txt", "v1.2.prompt.md", "v22", "v23.txt", ".hidden"} {
		w.put(w.person, "prompts/support/"+v, v)
	}
	w.write("prompts/support/v10/more.txt", "10")
	w.write("prompts/support/v24.txt", "24")
	w.write("prompts/support/v9.txt", "edited")
	c := w.client()
	if all, err := c.List(t.Context(), "support"); err != nil || ids(all) != "v24 v23 v22 v10 v1.2 v9" {
		t.Errorf("%+v %v", all, err)
	}
	err := c.Move(t.Context(), move("v21", "v23")) // it was current once, but its file is gone
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.NoVersion {
		t.Errorf("%v", err)
	}
	if err := c.Move(t.Context(), move("v10", "v23")); err != nil {
		t.Error(err)
	}
	w.is(c, "v10")
	c = New(Config{URL: w.url, Dir: filepath.Join(t.TempDir(), "a", "b"), Path: "prompts/{prompt}/v22", Branch: "main", Push: true})
	if all, err := c.List(t.Context(), "support"); err != nil || ids(all) != "v24 v23 v10 v1.2 v9" {
		t.Errorf("the file that names the current one is no version: %+v %v", all, err)
	}
}

// TestSnapshot: many prompts are read with one fetch, and as they were then.
func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.write("prompts/other.current", "v1")
	c := w.client()
	count := filepath.Join(t.TempDir(), "count")
	c.hooked(t, fmt.Sprintf(`case "$*" in *" fetch "*) echo >>%s;; esac`, count))
	current, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.write("prompts/support.current", "v24")
	for prompt, want := range map[string]string{"support": "v23", "other": "v1"} {
		if got, err := current(t.Context(), prompt); err != nil || got.ID != want {
			t.Errorf("%s: %+v %v", prompt, got, err)
		}
	}
	for _, prompt := range []string{"unknown", "../x"} {
		_, err := current(t.Context(), prompt)
		if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.NoPrompt {
			t.Errorf("%s: %v", prompt, err)
		}
	}
	if fetched, err := os.ReadFile(count); err != nil || len(fetched) != 1 {
		t.Errorf("%d fetches, %v", len(fetched), err)
	}
	c.cfg.Branch = "gone"
	if _, err := c.Snapshot(t.Context()); err == nil {
		t.Error("a snapshot of nothing")
	}
}
