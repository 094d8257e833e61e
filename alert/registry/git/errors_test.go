package git

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

func (w *world) fails(c *Client, prompt string, kind registry.Kind, part string) {
	w.t.Helper()
	_, err := c.Current(w.t.Context(), prompt)
	e, ok := errors.AsType[*registry.Error](err)
	if !ok || e.Kind != kind || !strings.Contains(e.Error(), part) {
		w.t.Errorf("%q: %v, want kind %d and %q", prompt, err, kind, part)
	}
}

func TestWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := w.client()
	w.fails(c, "unknown", registry.NoPrompt, "there is no file prompts/unknown.current")
	if _, err := c.List(t.Context(), "unknown"); err == nil {
		t.Error("versions of an unknown prompt")
	}
	w.put(w.person, "prompts/empty.current", " \n")
	w.put(w.person, "prompts/two.current", "v1\nv2\n")
	w.put(w.person, "prompts/folder.current/x", "v1\n")
	w.put(w.person, "prompts/versions/v1.txt", "v1\n")
	if err := os.Remove(filepath.Join(w.person, "prompts/support.current")); err != nil {
		t.Fatal(err)
	}
	w.write("x", "")
	w.fails(c, "support", registry.NoLabel, "there is no file")
	w.fails(c, "versions", registry.NoLabel, "there is no file")
	w.fails(c, "empty", registry.NoLabel, "is empty")
	w.fails(c, "two", registry.Wrong, "is not one line")
	w.fails(c, "folder", registry.NoPrompt, "there is no file")

	c = w.client()
	c.cfg.Branch = "release"
	w.fails(c, "support", registry.Wrong, "the repository has no such branch")
	c = w.client()
	c.binary = "no-such-git"
	w.fails(c, "support", registry.Wrong, "git is not installed")
	c = w.client()
	w.put(c.cfg.Dir, "notes.txt", "mine")
	w.fails(c, "support", registry.Wrong, "something else than a repository")
	c = w.client()
	c.cfg.URL = ""
	w.fails(c, "support", registry.Wrong, "the folder does not exist")
	c = New(Config{Dir: w.person, Path: template, Branch: "release"})
	w.fails(c, "support", registry.Wrong, `no branch "release"`)
}

func TestServerIsGone(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := w.client()
	w.is(c, "v23")
	if err := os.Rename(w.url, w.url+".away"); err != nil {
		t.Fatal(err)
	}
	w.fails(c, "support", registry.Unavailable, "no answer")
	err := c.Move(t.Context(), move("v22", "v23"))
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Unavailable {
		t.Errorf("%v", err)
	}
	if err := os.Rename(w.url+".away", w.url); err != nil {
		t.Fatal(err)
	}
	w.is(c, "v23")
}

// TestProtectedBranch: a push that a hook or a rule refuses will not work by itself, and what the server says is told.
func TestProtectedBranch(t *testing.T) {
	w := newWorld(t)
	w.story()
	hook := filepath.Join(w.url, "hooks", "pre-receive")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'two reviews are needed' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := w.client().Move(t.Context(), move("v22", "v23"))
	if e, ok := errors.AsType[*registry.Error](err); !ok || e.Kind != registry.Denied || e.Hint == "" || !strings.Contains(err.Error(), "two reviews are needed") {
		t.Errorf("%v", err)
	}
}

// TestStaleLock: a git that was killed while it wrote our reference has left a lock, which nobody takes away by hand.
func TestStaleLock(t *testing.T) {
	w := newWorld(t)
	w.story()
	c := w.client()
	w.is(c, "v23")
	w.write("prompts/support.current", "v24")
	lock := filepath.Join(c.cfg.Dir, "refs", "driftd", "main.lock")
	w.put(filepath.Dir(lock), "main.lock", "")
	w.fails(c, "support", registry.Unavailable, "another git is at work")
	old := time.Now().Add(-2 * staleLock)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	w.fails(c, "support", registry.Unavailable, "another git is at work")
	w.is(c, "v24")
}

// TestSecrets: password and token reach the server and nobody else.
func TestSecrets(t *testing.T) {
	newWorld(t)
	var asked atomic.Pointer[string]
	var answer atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if user, word, ok := r.BasicAuth(); ok {
			shown := user + " " + word
			asked.Store(&shown)
		}
		rw.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		http.Error(rw, "no "+r.Header.Get("Authorization"), int(answer.Load()))
	}))
	defer s.Close()
	inURL := strings.Replace(s.URL, "http://", "http://user:geheim-token@", 1) + "/x.git?key=very-secret"
	for _, c := range []*Client{
		New(Config{URL: s.URL + "/x.git", Username: "user", Password: "geheim-token", Dir: filepath.Join(t.TempDir(), "c"), Path: template, Branch: "main", Push: true}),
		New(Config{URL: inURL, Dir: filepath.Join(t.TempDir(), "c"), Path: template, Branch: "main", Push: true}),
	} {
		for _, status := range []int32{http.StatusForbidden, http.StatusUnauthorized, http.StatusBadGateway} {
			asked.Store(new(string))
			answer.Store(status)
			_, err := c.Current(t.Context(), "support")
			e, ok := errors.AsType[*registry.Error](err)
			if want := status != http.StatusBadGateway; !ok || (e.Kind == registry.Denied) != want {
				t.Errorf("%d: %v", status, err)
			}
			if c.cfg.Password != "" && *asked.Load() != "user geheim-token" {
				t.Errorf("%d: the server was shown %q", status, *asked.Load())
			}
			for _, secret := range []string{"geheim", "very-secret", "dXNlcjpn"} {
				if strings.Contains(err.Error(), secret) || e != nil && strings.Contains(e.Hint, secret) {
					t.Errorf("the error shows %s: %v", secret, err)
				}
			}
		}
		// Nor does it stand in the clone.
		_ = filepath.WalkDir(c.cfg.Dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				if text, _ := os.ReadFile(path); strings.Contains(string(text), "geheim") {
					t.Errorf("%s has the password", path)
				}
			}
			return err
		})
	}
}
