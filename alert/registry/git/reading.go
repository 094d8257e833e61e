package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/driftd/driftd/alert/registry"
)

// reading is the repository as it was when one call began.
type reading struct {
	c      *Client
	ctx    context.Context
	op     string
	prompt string
	place  place
	tip    string // newest commit of the branch
}

// ref is where the branch is in Dir.
func (r *reading) ref() string {
	if r.c.shared() {
		return "refs/driftd/" + r.c.cfg.Branch
	}
	return "refs/heads/" + r.c.cfg.Branch
}

func (r *reading) git(k command, args ...string) (string, error) { return r.c.git(r.ctx, k, args...) }

// open fetches what is new and finds the prompt's place. The caller holds the lock.
func (c *Client) open(ctx context.Context, op, prompt string) (*reading, error) {
	r := &reading{c: c, ctx: ctx, op: op, prompt: prompt}
	if err := r.locate(); err != nil {
		return nil, err
	}
	return r, r.update()
}

func (r *reading) locate() error {
	var ok bool
	if r.place, ok = locate(r.c.cfg.Path, r.prompt); !ok {
		return r.wrong(registry.NoPrompt, "no file can be of a prompt of this name", "")
	}
	return nil
}

// update fetches what is new and finds the newest commit.
func (r *reading) update() error {
	if err := r.clone(); err != nil {
		return err
	}
	if r.c.shared() {
		within := callWithin
		if _, err := r.git(command{}, "rev-parse", "--verify", "--quiet", r.ref()); err != nil {
			within = cloneWithin
		}
		from := fmt.Sprintf("+refs/heads/%s:%s", r.c.cfg.Branch, r.ref())
		_, err := r.git(command{remote: true, within: within}, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--", r.c.cfg.URL, from)
		if err != nil {
			return r.failed(err)
		}
	}
	tip, err := r.git(command{}, "rev-parse", "--verify", "--quiet", r.ref()+"^{commit}")
	switch {
	case saysNo(err):
		return r.wrong(registry.Wrong, fmt.Sprintf("the repository has no branch %q", r.c.cfg.Branch), "mend registry.branch")
	case err != nil:
		return r.failed(err)
	}
	r.tip = strings.TrimSpace(tip)
	return nil
}

// clone makes Dir where it is missing.
func (r *reading) clone() error {
	dir := r.c.cfg.Dir
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.c.cfg.URL == "":
		return r.wrong(registry.Wrong, "the folder does not exist", "mend registry.dir, or set registry.url for what to clone")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return r.wrong(registry.Wrong, "the folder cannot be read", "mend registry.dir: "+err.Error())
	case len(entries) > 0:
		return nil // git says it where this is no repository
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return r.wrong(registry.Wrong, "the folder cannot be made", "mend registry.dir: "+err.Error())
	}
	if r.c.shared() { // fetched by who asks
		if _, err := r.git(command{}, "init", "--quiet", "--bare", "."); err != nil {
			return r.failed(err)
		}
		return nil
	}
	if r.c.cfg.URL == "" {
		return r.wrong(registry.Wrong, "the folder is empty", "mend registry.dir, or set registry.url for what to clone")
	}
	if _, err := r.git(command{remote: true, within: cloneWithin}, "clone", "--quiet", "--branch", r.c.cfg.Branch, "--", r.c.cfg.URL, "."); err != nil {
		return r.failed(err)
	}
	return nil
}

// current returns what the prompt's file names.
func (r *reading) current() (string, error) {
	got, err := r.contents(r.tip + ":" + r.place.file)
	if err != nil {
		return "", err
	}
	if got[0] == nil {
		return "", r.missing()
	}
	name := strings.TrimSpace(*got[0])
	switch {
	case name == "":
		return "", r.wrong(registry.NoLabel, fmt.Sprintf("%s is empty", r.place.file), "")
	case !versionName(name):
		return "", r.wrong(registry.Wrong, fmt.Sprintf("%s is not one line with the name of a version", r.place.file), "")
	}
	return name, nil
}

// missing is the error of a prompt without a file: one that has had one, or has versions, lacks the label alone.
func (r *reading) missing() error {
	all, err := r.versions()
	if err != nil {
		return err
	}
	if len(all) > 0 {
		return r.wrong(registry.NoLabel, fmt.Sprintf("there is no file %s", r.place.file), "")
	}
	return r.wrong(registry.NoPrompt, fmt.Sprintf("there is no file %s", r.place.file), "")
}

// contents returns files by "commit:path", nil for one that is not there.
func (r *reading) contents(names ...string) ([]*string, error) {
	out, err := r.git(command{in: strings.Join(names, "\n") + "\n"}, "cat-file", "--batch")
	if err != nil {
		return nil, r.failed(err)
	}
	files, ok := parseBatch(out, len(names))
	if !ok {
		return nil, r.wrong(registry.Wrong, "git cat-file said what is not understood", "")
	}
	return files, nil
}

// parseBatch reads n answers of git cat-file --batch: "id type size", the bytes and a line end, or a line that ends in missing.
// What is no file counts as missing.
func parseBatch(out string, n int) ([]*string, bool) {
	var files []*string
	for range n {
		head, rest, ok := strings.Cut(out, "\n")
		if !ok {
			return nil, false
		}
		if strings.HasSuffix(head, " missing") {
			files, out = append(files, nil), rest
			continue
		}
		f := strings.Fields(head)
		if len(f) != 3 {
			return nil, false
		}
		size, err := strconv.Atoi(f[2])
		if err != nil || size < 0 || size >= len(rest) {
			return nil, false
		}
		text := rest[:size]
		if out = rest[size+1:]; f[1] != "blob" {
			files = append(files, nil)
			continue
		}
		files = append(files, &text)
	}
	return files, out == ""
}
