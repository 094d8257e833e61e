// Package git is the client of a registry that is a Git repository: a file of each prompt names its current version, in one
// line, and moving the label is a commit. It runs git itself, without a shell.
//
// With a url the repository there is the truth. The folder dir is only where its objects are kept: nothing is checked out and
// no work of anyone in it is touched, commits are built from the newest one of the branch and pushed, and a push that is
// rejected since someone was first is compared anew. So the push is the compare-and-set, and a crash before it has done
// nothing. Without a url, or with push off, the branch in dir is the truth, and its file is written too where the branch is
// checked out.
package git

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

// Config is what the client needs.
type Config struct {
	URL                string // what to clone and push to; empty for the branch in Dir alone. Not shown in errors
	Username, Password string // of an http or https URL, better here than in it: what stands in a URL is seen by all users of the machine
	Dir                string // made by cloning URL where it does not exist
	Path               string // of the file, from the top of the repository, with {prompt} in it
	Branch             string
	Push               bool          // with URL: commits are pushed there
	Grace              time.Duration // how long clients may keep a version; 0 is the default of registry.Traits
}

// Client works on one repository; for concurrent use, one call at a time.
type Client struct {
	cfg    Config
	binary string // git, but for tests

	mu sync.Mutex
}

// New returns a client; it runs nothing.
func New(cfg Config) *Client {
	if dir, err := filepath.Abs(cfg.Dir); err == nil {
		cfg.Dir = dir
	}
	return &Client{cfg: cfg, binary: "git"}
}

// shared says that the repository at URL is the truth.
func (c *Client) shared() bool { return c.cfg.URL != "" && c.cfg.Push }

// Traits tell what this kind of registry can.
func (c *Client) Traits() registry.Traits { return registry.Traits{Grace: c.cfg.Grace, History: true} }

// Current returns the version that the prompt's file names. Failures are a *registry.Error.
func (c *Client) Current(ctx context.Context, prompt string) (registry.Version, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.open(ctx, reads(prompt), prompt)
	if err != nil {
		return registry.Version{}, err
	}
	name, err := r.current()
	return registry.Version{ID: name}, err
}

// Snapshot fetches once, and returns what tells the current versions of prompts as they were then. Failures of both are a
// *registry.Error.
func (c *Client) Snapshot(ctx context.Context) (func(ctx context.Context, prompt string) (registry.Version, error), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	whole := &reading{c: c, ctx: ctx, op: "read the repository"}
	if err := whole.update(); err != nil {
		return nil, err
	}
	return func(ctx context.Context, prompt string) (registry.Version, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		r := &reading{c: c, ctx: ctx, op: reads(prompt), prompt: prompt, tip: whole.tip}
		if err := r.locate(); err != nil {
			return registry.Version{}, err
		}
		name, err := r.current()
		return registry.Version{ID: name}, err
	}, nil
}

func reads(prompt string) string { return fmt.Sprintf("read current version of %q", prompt) }

// List returns the versions that can be promoted, newest first: the files and folders of prompts/NAME/, where the prompt has
// such a folder (see place), and else all that its file has ever named on the branch. A version's age is that of the
// commit that brought it. Failures are a *registry.Error.
func (c *Client) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	op := fmt.Sprintf("list versions of %q", prompt)
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.open(ctx, op, prompt)
	if err != nil {
		return nil, err
	}
	all, err := r.versions()
	if err == nil && len(all) == 0 {
		err = r.missing()
	}
	return all, err
}

// History returns the moves of the label on the branch, newest first, at most historyKept. Who made one is the author of the commit
// that brought it to the branch. Failures are a *registry.Error.
func (c *Client) History(ctx context.Context, prompt string) ([]registry.Change, error) {
	op := fmt.Sprintf("read history of %q", prompt)
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.open(ctx, op, prompt)
	if err != nil {
		return nil, err
	}
	return r.history()
}

// racesLost is how often a push may be overtaken by others in one Move.
const racesLost = 5

// Move commits, and pushes where that is so, the name of m.To into the prompt's file. Failures are a *registry.ConflictError
// when the file does not name m.Seen, and a *registry.Error otherwise.
func (c *Client) Move(ctx context.Context, m registry.Move) error {
	op := fmt.Sprintf("promote %q of %q", m.To.ID, m.Prompt)
	if !versionName(m.To.ID) {
		return &registry.Error{Op: op, Kind: registry.NoVersion, Reason: "this cannot be the name of a version"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for range racesLost {
		r, err := c.open(ctx, op, m.Prompt)
		if err != nil {
			return err
		}
		if done, err := r.compare(m); done || err != nil {
			return err
		}
		commit, err := r.commit(m)
		if err != nil {
			return err
		}
		if c.shared() {
			err = r.push(commit)
		} else {
			err = r.advance(commit, m)
		}
		if !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return &registry.Error{Op: op, Kind: registry.Unavailable, Reason: "others commit all the time"}
}

// compare says whether the label is where it shall go already, and fails where it is not where it was seen.
func (r *reading) compare(m registry.Move) (done bool, err error) {
	now, err := r.current()
	if err != nil {
		return false, err
	}
	if done, err := m.Compare(registry.Version{ID: now}); done || err != nil {
		return done, err
	}
	all, err := r.versions()
	if err != nil {
		return false, err
	}
	if _, ok := registry.Find(all, m.To.ID); !ok {
		return false, r.wrong(registry.NoVersion, "the repository has no such version", "")
	}
	return false, nil
}
