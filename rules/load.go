package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

// Problem is one thing wrong with a rule file, with its place; Problems is all of them. See strictyaml for how they print.
type (
	Problem  = strictyaml.Problem
	Problems = strictyaml.Problems
)

// Options say what Load cannot know from the rule files.
type Options struct {
	// Dir is the folder that patterns are relative to; "" is the working directory.
	Dir string
	// Dimensions are those of the config beside prompt and version, such as tier and locale. With nil, group keys of any
	// name are let pass: the config is not known.
	Dimensions []string
	// NoRegistry is true where the config has no registry that could be asked to roll back.
	NoRegistry bool
}

// Load reads all files that the glob patterns match and gives all problems in all of them, errors first. The set holds what is
// right and is of use only where Problems.Err is nil; warnings alone do not make it so. A pattern that matches no file is an error.
// What a pattern matches must lie in its folder: a symbolic link that leads out of it is refused. A file that is named without
// wildcards may be a link to anywhere.
func Load(patterns []string, opts Options) (*Set, Problems) {
	var problems Problems
	l := newLoader(opts)
	seen := make(map[string]bool)
	for _, pattern := range patterns {
		files, err := read(opts.Dir, pattern)
		if err != nil {
			problems = append(problems, Problem{File: pattern, Message: err.Error(), Hint: hintOf(err)})
			continue
		}
		for _, f := range files {
			if seen[f.name] {
				continue
			}
			seen[f.name] = true
			if f.err != nil {
				problems = append(problems, Problem{File: f.name, Message: f.err.Error(), Hint: hintOf(f.err)})
				continue
			}
			l.parse(f.name, f.data)
		}
	}
	set, found := l.finish()
	problems = append(problems, found...)
	problems.Sort()
	return set, problems
}

// Parse reads one file's text, as Load does.
func Parse(name string, data []byte, opts Options) (*Set, Problems) {
	l := newLoader(opts)
	l.parse(name, data)
	return l.finish()
}

// source is one file that a pattern matched.
type source struct {
	name string // as people know it
	data []byte
	err  error
}

// pathError is a failure to find files, and what would help.
type pathError struct{ message, hint string }

func (e *pathError) Error() string { return e.message }

func hintOf(err error) string {
	if e, ok := errors.AsType[*pathError](err); ok {
		return e.hint
	}
	return ""
}

const wildcards = `*?[\`

// read gives the files of one pattern, in the order of their names.
func read(dir, pattern string) ([]source, error) {
	full := filepath.ToSlash(pattern)
	if dir != "" && !filepath.IsAbs(pattern) {
		full = path.Join(filepath.ToSlash(dir), full)
	}
	relative := "relative patterns start from the working directory"
	if dir != "" && dir != "." {
		relative = "relative patterns start from `" + dir + "`"
	}
	if strings.Contains(full, "**") {
		return nil, &pathError{"`**` is not supported in patterns", "name each folder, such as rules/*.yaml and rules/team/*.yaml"}
	}
	if !strings.ContainsAny(full, wildcards) {
		info, err := os.Stat(full)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, &pathError{"there is no such file", relative}
		case err == nil && info.IsDir():
			return nil, &pathError{"this is a folder", "write " + path.Join(filepath.ToSlash(pattern), "*.yaml")}
		}
		data, err := readFile(os.DirFS(filepath.Dir(full)), filepath.Base(full))
		return []source{{full, data, err}}, nil
	}
	base, rest := split(full)
	root, err := os.OpenRoot(filepath.FromSlash(base))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &pathError{"no file matches", relative}
	}
	if err != nil {
		return nil, fmt.Errorf("open rule folder: %w", err)
	}
	defer root.Close()
	matches, err := fs.Glob(root.FS(), rest)
	if err != nil {
		return nil, &pathError{"the pattern is malformed", "* is any text, ? one character, [a-z] one of a range"}
	}
	var files []source
	for _, m := range matches {
		if info, err := fs.Stat(root.FS(), m); err == nil && info.IsDir() {
			continue
		}
		data, err := readFile(root.FS(), m)
		files = append(files, source{path.Join(base, m), data, err})
	}
	if len(files) == 0 {
		return nil, &pathError{"no file matches", relative}
	}
	slices.SortFunc(files, func(a, b source) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// split cuts a pattern before the first part with a wildcard.
func split(pattern string) (base, rest string) {
	rest = pattern
	for {
		first, more, ok := strings.Cut(rest, "/")
		if !ok || strings.ContainsAny(first, wildcards) {
			break
		}
		base, rest = base+first+"/", more
	}
	if base == "" {
		base = "."
	}
	return base, rest
}

// readFile reads a regular file, one byte more than is allowed at most: whoever parses it says that it is too large.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read rule file: %w", err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, &pathError{"this is no regular file", ""}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read rule file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read rule file: %w", err)
	}
	return data, nil
}
