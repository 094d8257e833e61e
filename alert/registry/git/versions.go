package git

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/registry"
)

// historyKept is how many commits of a prompt's file are looked at, the newest.
const historyKept = 1000

// named is one commit of the prompt's file: what it named from then on, empty where it named nothing.
type named struct {
	version, author string
	at              time.Time
}

// log returns the commits of the prompt's file on the branch, newest first. What came in by a merge counts when it was merged, and is
// of who merged it.
func (r *reading) log() ([]named, error) {
	out, err := r.git(command{}, "log", "--first-parent", fmt.Sprintf("--max-count=%d", historyKept), "--format=%H %cI %an", r.tip, "--", r.place.file)
	if err != nil {
		return nil, r.failed(err)
	}
	var all []named
	var names []string
	for line := range strings.Lines(out) {
		f := strings.SplitN(strings.TrimRight(line, "\n"), " ", 3)
		if len(f) != 3 {
			return nil, r.wrong(registry.Wrong, "git log said what is not understood", "")
		}
		at, err := time.Parse(time.RFC3339, f[1])
		if err != nil {
			return nil, r.wrong(registry.Wrong, "git log said what is not understood", "")
		}
		all = append(all, named{author: f[2], at: at.UTC()})
		names = append(names, f[0]+":"+r.place.file)
	}
	if len(all) == 0 {
		return nil, nil
	}
	files, err := r.contents(names...)
	if err != nil {
		return nil, err
	}
	for i, text := range files {
		if text == nil {
			continue
		}
		if name := strings.TrimSpace(*text); versionName(name) {
			all[i].version = name
		}
	}
	return all, nil
}

// history returns the moves, newest first.
func (r *reading) history() ([]registry.Change, error) {
	all, err := r.log()
	if err != nil {
		return nil, err
	}
	var moves []registry.Change
	from := ""
	for _, n := range slices.Backward(all) {
		if n.version != from && n.version != "" {
			moves = append(moves, registry.Change{To: n.version, From: from, At: n.at, By: n.author})
		}
		from = n.version
	}
	slices.Reverse(moves)
	return moves, nil
}

// versions returns what can be promoted, newest first.
func (r *reading) versions() ([]registry.Version, error) {
	all, err := r.files()
	if err != nil || len(all) > 0 {
		return all, err
	}
	commits, err := r.log()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, n := range slices.Backward(commits) {
		if n.version != "" && !seen[n.version] {
			seen[n.version] = true
			all = append(all, registry.Version{ID: n.version, CreatedAt: n.at})
		}
	}
	slices.Reverse(all)
	return all, nil
}

// files returns the versions that have a file or folder in the prompt's folder.
func (r *reading) files() ([]registry.Version, error) {
	out, err := r.git(command{}, "ls-tree", "-z", "--name-only", r.tip, "--", r.place.folder+"/")
	if err != nil {
		return nil, r.failed(err)
	}
	there := map[string]bool{}
	for file := range strings.SplitSeq(out, "\x00") {
		if name := versionOf(filepath.Base(file)); file != "" && file != r.place.file && versionName(name) {
			there[name] = true
		}
	}
	if len(there) == 0 {
		return nil, nil
	}
	came, err := r.came()
	if err != nil {
		return nil, err
	}
	var all []registry.Version
	for name := range there {
		all = append(all, registry.Version{ID: name, CreatedAt: came[name]})
	}
	slices.SortFunc(all, func(a, b registry.Version) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return compareNames(b.ID, a.ID)
	})
	return all, nil
}

// came returns when each version of the folder came to the branch: the oldest commit that added something of it.
func (r *reading) came() (map[string]time.Time, error) {
	out, err := r.git(command{}, "log", "--first-parent", "--diff-merges=first-parent", "--no-renames", "--diff-filter=A",
		"--format=%x02%cI", "--name-only", "-z", r.tip, "--", r.place.folder+"/")
	if err != nil {
		return nil, r.failed(err)
	}
	came := map[string]time.Time{}
	for commit := range strings.SplitSeq(out, "\x02") { // newest first, so that the oldest is what stays
		date, files, _ := strings.Cut(commit, "\x00")
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(date))
		if err != nil {
			continue
		}
		for file := range strings.SplitSeq(files, "\x00") {
			inner, ok := strings.CutPrefix(strings.TrimSpace(file), r.place.folder+"/")
			if name, _, _ := strings.Cut(inner, "/"); ok && name != "" {
				came[versionOf(name)] = at.UTC()
			}
		}
	}
	return came, nil
}
