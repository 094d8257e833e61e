package git

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/driftd/driftd/alert/registry"
)

// errOvertaken says that the branch has moved since it was read.
var errOvertaken = errors.New("the branch has moved")

// message is what the commit says: the registry's own audit.
func message(m registry.Move) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s in place of %s\n\n", line(m.Prompt), line(m.To.String()), line(m.Seen.String()))
	if m.Reason != "" {
		fmt.Fprintf(&b, "%s\n\n", line(m.Reason))
	}
	for _, f := range [][2]string{{"Alert: ", m.Alert}, {"Link: ", m.Link}, {"Key: ", m.Key}} {
		if f[1] != "" {
			fmt.Fprintf(&b, "%s%s\n", f[0], line(f[1]))
		}
	}
	return b.String()
}

// line keeps a text in one line.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == ' ' }), " ")
}

// commit builds the commit that makes the move, on top of what was read. Nothing refers to it yet.
func (r *reading) commit(m registry.Move) (id string, err error) {
	entry, err := r.git(command{}, "ls-tree", "-z", r.tip, "--", r.place.file)
	if err != nil {
		return "", r.failed(err)
	}
	mode, _, _ := strings.Cut(entry, " ")
	if mode != "100644" && mode != "100755" {
		return "", r.wrong(registry.Wrong, fmt.Sprintf("%s is not a plain file", r.place.file), "")
	}
	scratch, err := os.MkdirTemp("", "driftd-git-")
	if err != nil {
		return "", r.wrong(registry.Unavailable, "a temporary folder cannot be made", err.Error())
	}
	defer os.RemoveAll(scratch)
	// An index of its own, so that the one in Dir stays as it is.
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(scratch, "index")}
	run := func(k command, args ...string) string {
		if err != nil {
			return ""
		}
		var out string
		k.env = index
		out, err = r.git(k, args...)
		return strings.TrimSpace(out)
	}
	run(command{}, "read-tree", r.tip)
	blob := run(command{in: m.To.ID + "\n"}, "hash-object", "-w", "--stdin", "--no-filters")
	run(command{in: fmt.Sprintf("%s %s\t%s\x00", mode, blob, r.place.file)}, "update-index", "-z", "--index-info")
	tree := run(command{}, "write-tree")
	id = run(command{in: message(m)}, "commit-tree", tree, "-p", r.tip, "-F", "-")
	if err != nil {
		return "", r.failed(err)
	}
	return id, nil
}

// push makes the commit the branch's newest at URL; errOvertaken when another is. Nobody's commit is ever overwritten: a push
// that is not forced is taken only on top of what is there.
func (r *reading) push(commit string) error {
	_, err := r.git(command{remote: true}, "push", "--porcelain", "--no-follow-tags", "--no-recurse-submodules", "--", r.c.cfg.URL, commit+":refs/heads/"+r.c.cfg.Branch)
	if err == nil {
		return nil
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		return r.failed(err)
	}
	for l := range strings.Lines(exit.out) {
		switch {
		case !strings.HasPrefix(l, "!"):
		case strings.Contains(l, "[rejected]"), strings.Contains(l, "cannot lock ref"), strings.Contains(l, "failed to update ref"):
			return errOvertaken
		default: // a hook, or a rule of the branch
			e := r.wrong(registry.Denied, "the repository refuses the commit", "let driftd push to the branch: it may be protected")
			e.Wrapped = exit
			return e
		}
	}
	return r.failed(err)
}

// advance makes the commit the branch's newest in Dir; errOvertaken when another is. Where the branch is checked out, its file is
// written first: a crash in between leaves a change that the next try finds to be its own.
func (r *reading) advance(commit string, m registry.Move) error {
	out, err := r.git(command{}, "rev-parse", "--is-inside-work-tree")
	if err != nil {
		return r.failed(err)
	}
	head, err := r.git(command{}, "symbolic-ref", "--quiet", "HEAD")
	if err != nil && !saysNo(err) { // no: a commit is checked out by itself, not the branch
		return r.failed(err)
	}
	checkedOut := strings.TrimSpace(out) == "true" && strings.TrimSpace(head) == r.ref()
	if checkedOut {
		if err := r.lay(m); err != nil {
			return err
		}
		if _, err := r.git(command{}, "update-index", "--", r.place.file); err != nil {
			return r.failed(err)
		}
	}
	if _, err := r.git(command{}, "update-ref", "-m", "driftd", r.ref(), commit, r.tip); err != nil {
		now, lookErr := r.git(command{}, "rev-parse", "--verify", "--quiet", r.ref())
		if lookErr != nil || strings.TrimSpace(now) == r.tip {
			return r.failed(err)
		}
		if checkedOut {
			if _, err := r.git(command{}, "checkout", "--quiet", "HEAD", "--", r.place.file); err != nil {
				return r.failed(err)
			}
		}
		return errOvertaken
	}
	return nil
}

// lay writes the file in the working copy, unless somebody has changed it there and not committed it.
func (r *reading) lay(m registry.Move) error {
	root, err := os.OpenRoot(r.c.cfg.Dir)
	if err != nil {
		return r.wrong(registry.Wrong, "the folder cannot be read", "mend registry.dir: "+err.Error())
	}
	defer root.Close()
	file := filepath.FromSlash(r.place.file)
	text, err := root.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r.wrong(registry.Wrong, fmt.Sprintf("%s cannot be read", r.place.file), err.Error())
	}
	if is := strings.TrimSpace(string(text)); is != m.To.ID && is != m.Seen.ID {
		return r.wrong(registry.Wrong, fmt.Sprintf("%s has changes that are not committed", r.place.file), "commit or undo them in registry.dir")
	}
	// In one step, so that who reads the file never sees half of it.
	scratch := filepath.FromSlash(path.Join(path.Dir(r.place.file), ".driftd-"+path.Base(r.place.file)))
	if err = root.WriteFile(scratch, []byte(m.To.ID+"\n"), 0o644); err == nil {
		err = root.Rename(scratch, file)
	}
	if err != nil {
		return r.wrong(registry.Unavailable, fmt.Sprintf("%s cannot be written", r.place.file), err.Error())
	}
	return nil
}
