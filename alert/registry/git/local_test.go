package git

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/driftd/driftd/alert/registry"
)

// local is a client of the person's own working copy.
func (w *world) local() *Client {
	return New(Config{Dir: w.person, Path: template, Branch: "main", Push: true})
}

func (w *world) read(file string) string {
	text, err := os.ReadFile(filepath.Join(w.person, file))
	if err != nil {
		w.t.Error(err)
	}
	return string(text)
}

// TestWorkingCopy: the branch moves and its file is written; what a person has under way in other files stays as it is.
func TestWorkingCopy(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.put(w.person, "README.md", "being edited")
	w.put(w.person, "staged", "x")
	w.run(w.person, "add", "staged")
	c := w.local()
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v22")
	if got := w.read("prompts/support.current"); got != "v22\n" {
		t.Errorf("the file says %q", got)
	}
	if got := w.run(w.person, "status", "--porcelain"); got != "M README.md\nA  staged" {
		t.Errorf("status:\n%s", got)
	}
	if got := w.run(w.person, "show", "--format=%an", "--name-only", "HEAD"); got != "driftd\n\nprompts/support.current" {
		t.Errorf("commit: %s", got)
	}

	w.put(w.person, "prompts/support.current", "v24")
	err := c.Move(t.Context(), move("v21", "v22"))
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Wrong || e.Hint == "" {
		t.Errorf("a person is at it: %v", err)
	}
	if got := w.read("prompts/support.current"); got != "v24" {
		t.Errorf("what the person wrote is gone: %q", got)
	}
}

// TestOtherBranch: where another branch is checked out, and in a bare repository, the branch moves alone.
func TestOtherBranch(t *testing.T) {
	w := newWorld(t)
	w.story()
	w.run(w.person, "checkout", "--quiet", "-b", "work")
	for _, dir := range []string{w.person, w.url} {
		c := New(Config{Dir: dir, Path: template, Branch: "main"})
		if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
			t.Fatal(err)
		}
		w.is(c, "v22")
	}
	if got := w.read("prompts/support.current"); got != "v23\n" {
		t.Errorf("the file of another branch says %q", got)
	}
	w.run(w.person, "checkout", "--quiet", "main")
	if got := w.read("prompts/support.current"); got != "v22\n" {
		t.Errorf("the file says %q", got)
	}
}

// TestSomeoneCommits: a person commits in the working copy between our look and our commit.
func TestSomeoneCommits(t *testing.T) {
	w := newWorld(t)
	w.story()
	person := func(c *Client, file, text string) {
		c.hooked(t, fmt.Sprintf(`case "$*" in *"update-ref -m"*) if [ ! -e %[1]s ]; then touch %[1]s
			echo %[3]s >%[2]s; $REAL add %[2]s && GIT_AUTHOR_NAME=Jane $REAL commit -q -m person -- %[2]s || exit 9; fi;; esac`,
			filepath.Join(t.TempDir(), "mark"), file, text))
	}
	c := w.local()
	person(c, "README.md", "new")
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v22")
	c = w.local()
	person(c, "prompts/support.current", "v24")
	err := c.Move(t.Context(), move("v21", "v22"))
	if e, ok := errors.AsType[*registry.ConflictError](err); !ok || e.Current.ID != "v24" {
		t.Errorf("%v", err)
	}
	if got := w.read("prompts/support.current"); got != "v24\n" {
		t.Errorf("the file says %q", got)
	}
	if got := w.run(w.person, "status", "--porcelain"); got != "" {
		t.Errorf("status: %s", got)
	}
}

// TestClonedWithoutPush: with push off the clone has a working copy, and what is at url is not asked again.
func TestClonedWithoutPush(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := New(Config{URL: w.url, Dir: filepath.Join(t.TempDir(), "new", "copy"), Path: template, Branch: "main"})
	w.is(c, "v23")
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v22")
	text, err := os.ReadFile(filepath.Join(c.cfg.Dir, "prompts/support.current"))
	if err != nil || string(text) != "v22\n" {
		t.Errorf("%q %v", text, err)
	}
	if got := w.run(w.url, "show", "main:prompts/support.current"); got != "v23" {
		t.Errorf("it was pushed: %s", got)
	}
}

// TestLinks: nothing is written through a link that leads out of the working copy.
func TestLinks(t *testing.T) {
	w := newWorld(t)
	w.story()
	outside := t.TempDir()
	w.put(outside, "support.current", "v23")
	if err := os.RemoveAll(filepath.Join(w.person, "prompts")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(w.person, "prompts")); err != nil {
		t.Fatal(err)
	}
	if err := w.local().Move(t.Context(), move("v22", "v23")); err == nil {
		t.Error("it was moved")
	}
	if text, err := os.ReadFile(filepath.Join(outside, "support.current")); err != nil || string(text) != "v23" {
		t.Errorf("a file outside says %q %v", text, err)
	}
}
