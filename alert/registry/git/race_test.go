package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

// hooked makes the client run a script instead of git: $REAL is git, and so are the arguments.
func (c *Client) hooked(t *testing.T, script string) {
	t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	c.binary = filepath.Join(t.TempDir(), "git")
	text := fmt.Sprintf("#!/bin/sh\nREAL=%s\n%s\nexec $REAL \"$@\"\n", real, script)
	if err := os.WriteFile(c.binary, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestSomeoneIsFirst: between our look and our push someone pushes. What touches the prompt wins; what does not is built upon.
func TestSomeoneIsFirst(t *testing.T) {
	w := newWorld(t)
	w.story()
	first := func(c *Client, times int) {
		c.hooked(t, fmt.Sprintf(`case "$*" in *" push "*) n=$(ls %[1]s.* 2>/dev/null | wc -l)
			if [ $n -lt %[3]d ]; then touch %[1]s.$n; $REAL -C %[2]s push -q %[4]s HEAD~$((%[3]d-1-n)):refs/heads/main || exit 9; fi;; esac`,
			filepath.Join(t.TempDir(), "mark"), w.person, times, w.url))
	}
	commit := func(file, text string) {
		w.put(w.person, file, text)
		w.run(w.person, "add", "--all")
		w.run(w.person, "commit", "--quiet", "-m", text)
	}
	c := w.client()
	commit("a", "1")
	commit("a", "2")
	first(c, 2)
	if err := c.Move(t.Context(), move("v22", "v23")); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v22")
	if got := w.run(w.url, "show", "main:a"); got != "2" {
		t.Errorf("a person's commit is gone: %s", got)
	}
	w.follow()
	commit("prompts/support.current", "v24")
	c = w.client()
	first(c, 1)
	m := move("v21", "v22")
	err := c.Move(t.Context(), m)
	if e, ok := errors.AsType[*registry.ConflictError](err); !ok || e.Current.ID != "v24" {
		t.Errorf("%v", err)
	}
	w.is(c, "v24")
	if got := w.run(w.url, "log", "--format=%an", "-1", "main"); got != "Jane Doe" {
		t.Errorf("the newest commit is of %s", got)
	}
}

// TestCrash kills every run of git in a move, before and after it has done its work. The next worker finds what is so, and the
// label has moved once.
func TestCrash(t *testing.T) {
	for _, shared := range []bool{true, false} {
		first := newWorld(t)
		first.story()
		c := first.client()
		first.is(c, "v23") // clones
		for _, when := range []string{"", `$REAL "$@"; `} {
			if testing.Short() && when == "" {
				continue
			}
			for n := 1; first.crash(c.cfg, shared, when, n); n++ {
				if testing.Short() {
					n += 3
				}
			}
		}
	}
}

// crash kills run n in a copy of the world; it returns false when there are not so many.
func (w *world) crash(cfg Config, shared bool, when string, n int) bool {
	t := w.t
	dir := t.TempDir()
	to := *w
	for _, p := range []*string{&cfg.Dir, &to.url, &to.person} {
		next := filepath.Join(dir, filepath.Base(*p))
		if err := os.CopyFS(next, os.DirFS(*p)); err != nil {
			t.Fatal(err)
		}
		*p = next
	}
	w, cfg.URL = &to, to.url
	if !shared {
		cfg.URL, cfg.Dir = "", w.person
	}
	c := New(cfg)
	before := w.run(c.at(w), "rev-list", "--count", "main")
	count := filepath.Join(t.TempDir(), "count")
	c.hooked(t, fmt.Sprintf(`echo >>%[1]s; [ $(wc -l <%[1]s) = %[2]d ] && { %[3]s exit 137; }`, count, n, when))
	crashed := c.Move(t.Context(), move("v22", "v23")) != nil
	next := New(c.cfg)
	now, err := next.Current(t.Context(), "support")
	if err != nil {
		t.Fatalf("shared %v, %q, run %d: %v", shared, when, n, err)
	}
	if now.ID != "v22" {
		if err := next.Move(t.Context(), move("v22", "v23")); err != nil {
			t.Errorf("shared %v, %q, run %d: %v", shared, when, n, err)
		}
	}
	w.is(next, "v22")
	var made int
	fmt.Sscan(before, &made)
	if after := w.run(c.at(w), "rev-list", "--count", "main"); after != fmt.Sprint(made+1) {
		t.Errorf("shared %v, %q, run %d: %s commits, were %s", shared, when, n, after, before)
	}
	if !shared {
		if status := w.run(w.person, "status", "--porcelain"); status != "" {
			t.Errorf("%q, run %d: the working copy has changes: %s", when, n, status)
		}
	}
	runs, err := os.ReadFile(count)
	if err != nil {
		t.Fatal(err)
	}
	return crashed || len(runs) >= n
}

// at is the repository that is the truth.
func (c *Client) at(w *world) string {
	if c.shared() {
		return w.url
	}
	return w.person
}

// TestCancelled: a git that does not end is ended, and what it may have done is not known.
func TestCancelled(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := w.client()
	c.hooked(t, `case "$*" in *" push "*) exec sleep 600;; esac`)
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	err := c.Move(ctx, move("v22", "v23"))
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unavailable {
		t.Errorf("%v", err)
	}
}
