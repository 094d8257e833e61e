package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/internal/outbound"
)

const (
	callWithin  = 30 * time.Second // one run of git
	cloneWithin = 5 * time.Minute  // the first, which fetches everything
	killAfter   = 2 * time.Second  // it was told to end
	outputLimit = 8 << 20          // bytes
)

// exitError is a git that did not end well.
type exitError struct {
	err    error
	out    string // standard output
	text   string // standard error, without secrets
	says   string // its start in one line
	locked string // the lock file that was in its way
	remote bool   // it talked to URL
}

func (e *exitError) Error() string { return e.says }
func (e *exitError) Unwrap() error { return e.err }

// saysNo tells whether git answered no to a question, quietly, and did not fail.
func saysNo(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == 1
}

// command is one run of git.
type command struct {
	in     string
	env    []string
	within time.Duration // 0 is callWithin
	remote bool          // it talks to URL
}

// git runs git in dir with the arguments, none of which is taken for a pattern.
func (c *Client) git(ctx context.Context, k command, args ...string) (string, error) {
	if k.within == 0 {
		k.within = callWithin
	}
	ctx, cancel := context.WithTimeoutCause(ctx, k.within, errTooLong)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.binary, append(slices.Clone(settled), args...)...) // #nosec G204 -- git, with arguments of ours; names are checked before
	cmd.Dir = c.cfg.Dir
	cmd.Env = append(environ(os.Environ(), c.cfg.Dir), k.env...)
	if k.remote {
		cmd.Env = append(cmd.Env, c.credentials()...)
	}
	cmd.Stdin = strings.NewReader(k.in)
	out, says := &limited{}, &limited{}
	cmd.Stdout, cmd.Stderr = out, says
	// Told to end, git ends what it has started too; a killed one cannot.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killAfter
	err := cmd.Run()
	switch {
	case err == nil && out.cut:
		err = fmt.Errorf("more than %d MiB of output", outputLimit>>20)
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	text := c.hide(says.String())
	e := &exitError{err: err, out: out.String(), text: text, says: outbound.Excerpt([]byte(text)), remote: k.remote}
	if m := lockFile.FindStringSubmatch(text); m != nil {
		e.locked = m[1]
	}
	return "", e
}

// settled are the settings that what we read depends on, whatever a user's own are.
var settled = []string{"--literal-pathspecs", "-c", "color.ui=false", "-c", "log.showSignature=false", "-c", "log.follow=false"}

var (
	errTooLong = errors.New("no answer in time")
	lockFile   = regexp.MustCompile(`Unable to create '([^']+\.lock)': File exists`)
)

// environ is the environment of git: ours, without what binds it to another repository, and such that nothing is asked of a
// terminal, says are in English, and a repository around dir is not taken for it.
func environ(ours []string, dir string) []string {
	var env []string
	for _, v := range ours {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_NAMESPACE", "GIT_PREFIX", "GIT_QUARANTINE_PATH", "GIT_TERMINAL_PROMPT", "LC_ALL", "LANGUAGE":
		default:
			env = append(env, v)
		}
	}
	return append(env, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir),
		"GIT_AUTHOR_NAME=driftd", "GIT_AUTHOR_EMAIL=driftd@localhost", "GIT_COMMITTER_NAME=driftd", "GIT_COMMITTER_EMAIL=driftd@localhost")
}

// credentials hands name and password to git in its environment, which other users cannot see, and for the host of URL alone.
func (c *Client) credentials() []string {
	u, err := url.Parse(c.cfg.URL)
	if c.cfg.Password == "" || err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return []string{
		"GIT_CONFIG_COUNT=1", fmt.Sprintf("GIT_CONFIG_KEY_0=http.%s://%s/.extraHeader", u.Scheme, u.Host),
		"GIT_CONFIG_VALUE_0=Authorization: Basic " + basic(c.cfg.Username, c.cfg.Password),
	}
}

func basic(username, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
}

// userinfo is what stands before the @ of an address.
var userinfo = regexp.MustCompile(`://[^/\s@']+@`)

// hide takes the address and what is secret out of what git, and through it the server, says.
func (c *Client) hide(s string) string {
	secrets := []string{c.cfg.URL, c.cfg.Password, basic(c.cfg.Username, c.cfg.Password)}
	if u, err := url.Parse(c.cfg.URL); err == nil {
		if word, ok := u.User.Password(); ok {
			secrets = append(secrets, word, basic(u.User.Username(), word))
		}
		secrets = append(secrets, u.RawQuery)
		if u.User != nil {
			u.User = nil
			secrets = append(secrets, u.String()) // git leaves out the password itself
		}
	}
	return userinfo.ReplaceAllString(outbound.Redact(s, secrets...), "://***@")
}

// limited keeps the start of what is written to it.
type limited struct {
	bytes.Buffer
	cut bool
}

func (l *limited) Write(p []byte) (int, error) {
	if room := outputLimit - l.Len(); len(p) > room {
		l.cut = true
		l.Buffer.Write(p[:room])
		return len(p), nil
	}
	return l.Buffer.Write(p)
}

// faults are what git says of what a person must mend, by a part of it.
var faults = []struct {
	says         string
	kind         registry.Kind
	reason, hint string
}{
	{"couldn't find remote ref", registry.Wrong, "the repository has no such branch", "mend registry.branch"},
	{"dubious ownership", registry.Wrong, "git does not trust the folder, which is another user's", "give registry.dir to the user that driftd runs as"},
	{"not a git repository", registry.Wrong, "the folder holds something else than a repository", "mend registry.dir"},
	{"could not read Username", registry.Denied, "the repository wants other credentials", wants},
	{"could not read Password", registry.Denied, "the repository wants other credentials", wants},
	{"Authentication failed", registry.Denied, "the repository does not take the credentials", "registry.username or registry.password is wrong or expired"},
	{"error: 403", registry.Denied, "the repository refuses", "the credentials lack the right to write"},
	{"Permission denied", registry.Denied, "the repository refuses", "is the deploy key allowed to write, and readable for driftd?"},
	{"Host key verification failed", registry.Denied, "the host of the repository is not known", "add its key to the known_hosts of the user that driftd runs as"},
	{"Repository not found", registry.Denied, "the repository is not there, or not for these credentials", "mend registry.url, or give the credentials access"},
}

const wants = "registry.username and registry.password are missing, wrong or expired; or use an ssh address and a deploy key"

// failed is what a git that did not end well means for the caller.
func (r *reading) failed(err error) error {
	e := &registry.Error{Op: r.op, Kind: registry.Unavailable, Reason: "git failed", Wrapped: err}
	if errors.Is(err, exec.ErrNotFound) {
		e.Kind, e.Reason, e.Hint = registry.Wrong, "git is not installed", "install git where driftd runs"
		return e
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		return e
	}
	if _, ended := errors.AsType[*exec.ExitError](exit.err); !ended {
		e.Reason, e.Wrapped = exit.err.Error(), nil
		return e
	}
	if exit.remote {
		e.Reason = "no answer"
	}
	if exit.locked != "" {
		e.Reason, e.Hint = "another git is at work in the folder", fmt.Sprintf("or one was killed there: then remove %s", exit.locked)
		r.unlock(exit.locked)
		return e
	}
	for _, f := range faults {
		if strings.Contains(exit.text, f.says) {
			e.Kind, e.Reason, e.Hint = f.kind, f.reason, f.hint
			break
		}
	}
	return e
}

// staleLock is the age from which a lock file is one that a killed git has left: no run of ours takes that long.
const staleLock = 2 * cloneWithin

// unlock removes the lock of our own reference when it is stale; in what is not ours alone that is for people to judge.
func (r *reading) unlock(file string) {
	if !strings.HasSuffix(filepath.ToSlash(file), r.ref()+".lock") || !r.c.shared() {
		return
	}
	if info, err := os.Stat(file); err == nil && time.Since(info.ModTime()) > staleLock {
		_ = os.Remove(file) // the next call finds out
	}
}

func (r *reading) wrong(kind registry.Kind, reason, hint string) *registry.Error {
	return &registry.Error{Op: r.op, Kind: kind, Reason: reason, Hint: hint}
}
