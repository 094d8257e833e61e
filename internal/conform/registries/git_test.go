package registries

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/driftd/driftd/alert/registry/git"
	"github.com/driftd/driftd/alert/rollback"
)

// TestGit runs the suite over a repository that people push to as well.
func TestGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("git is not installed: the suite cannot run over a repository")
		}
		t.Skip("git is not installed: the suite does not run over a repository")
	}
	run(t, subject{
		name:   "git (repository)",
		world:  newGit,
		names:  []string{"team/a b", "ü*?[x]", "o'brien", `say "hi"`, "$(touch x)", "a;b&c|d", "%2e%2e", "HEAD", "x@{u}"},
		noHTTP: "git asks it, not driftd by HTTP",
		not: map[string]string{
			"other labels stay": "the file is the one label",
		},
	})
}

// gitWorld has one repository, and one person with a working copy.
type gitWorld struct{ url, person string }

func newGit(t *testing.T) world {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	w := &gitWorld{filepath.Join(dir, "origin.git"), filepath.Join(dir, "person")}
	w.git(t, dir, "init", "--quiet", "--bare", "--initial-branch=main", w.url)
	w.git(t, dir, "init", "--quiet", "--initial-branch=main", w.person)
	w.publish(t, func() { w.write(t, "README.md", "prompts") })
	return w
}

func (w *gitWorld) try(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=Jane", "GIT_AUTHOR_EMAIL=j@x", "GIT_COMMITTER_NAME=Jane", "GIT_COMMITTER_EMAIL=j@x")
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (w *gitWorld) git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := w.try(dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return out
}

func (w *gitWorld) write(t *testing.T, file, text string) {
	t.Helper()
	name := filepath.Join(w.person, file)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publish commits and pushes what change does, as a person who begins anew when someone else was first.
func (w *gitWorld) publish(t *testing.T, change func()) {
	t.Helper()
	for range 10 {
		if _, err := w.try(w.person, "fetch", "--quiet", w.url, "main"); err == nil {
			w.git(t, w.person, "reset", "--quiet", "--hard", "FETCH_HEAD")
		}
		change()
		w.git(t, w.person, "add", "--all")
		w.git(t, w.person, "commit", "--quiet", "--allow-empty", "-m", "a person's change")
		if _, err := w.try(w.person, "push", "--quiet", w.url, "HEAD:refs/heads/main"); err == nil {
			return
		}
	}
	t.Fatal("a person cannot push")
}

func current(prompt string) string { return "prompts/" + prompt + ".current" }

func (w *gitWorld) seed(t *testing.T, prompt string, n int) {
	t.Helper()
	w.publish(t, func() {
		for i := range n {
			w.write(t, fmt.Sprintf("prompts/%s/v%d.txt", prompt, i+1), "You are helpful.")
		}
	})
}

func (w *gitWorld) label(t *testing.T, prompt, _ string, n int) {
	t.Helper()
	w.publish(t, func() {
		if n == 0 {
			os.Remove(filepath.Join(w.person, current(prompt)))
			return
		}
		w.write(t, current(prompt), "v"+strconv.Itoa(n)+"\n")
	})
}

func (w *gitWorld) labelled(t *testing.T, prompt, _ string) int {
	t.Helper()
	out, err := w.try(w.url, "show", "main:"+current(prompt))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimPrefix(out, "v"))
	if err != nil {
		t.Errorf("%s says %q", current(prompt), out)
	}
	return n
}

// remove takes away a version, and the file that names it where that is the current one.
func (w *gitWorld) remove(t *testing.T, prompt string, n int) {
	t.Helper()
	was := w.labelled(t, prompt, "")
	w.publish(t, func() {
		os.Remove(filepath.Join(w.person, fmt.Sprintf("prompts/%s/v%d.txt", prompt, n)))
		if was == n {
			os.Remove(filepath.Join(w.person, current(prompt)))
		}
	})
}

func (w *gitWorld) noted(t *testing.T, prompt string, _ int) string {
	t.Helper()
	return w.git(t, w.url, "log", "-1", "--format=%B", "main", "--", current(prompt))
}

func (w *gitWorld) client(t *testing.T, _ who, _ middleware) rollback.Registry {
	return git.New(git.Config{URL: w.url, Dir: filepath.Join(t.TempDir(), "clone"), Path: "prompts/{prompt}.current", Branch: "main", Push: true})
}

func (w *gitWorld) secrets(who) []string { return nil }

func (w *gitWorld) power() power { return w }

func (w *gitWorld) stop(t *testing.T) { w.move(t, w.url, w.url+".down") }

func (w *gitWorld) start(t *testing.T) { w.move(t, w.url+".down", w.url) }

func (w *gitWorld) move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
