package git

import (
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// place is where a prompt is in the repository. Folder holds its versions, one file or folder each: it is the path of the file up
// to the prompt's name, so prompts/NAME/ of prompts/{prompt}.current and of prompts/{prompt}/current alike.
type place struct {
	file   string // that names the current version
	folder string // without a slash at the end
}

// locate returns where a prompt is, and false for a name that would lead elsewhere: out of the folder, into .git, or into an
// option of git.
func locate(template, prompt string) (place, bool) {
	before, after, ok := strings.Cut(template, "{prompt}")
	if !ok || !prompting(prompt) {
		return place{}, false
	}
	p := place{file: before + prompt + strings.ReplaceAll(after, "{prompt}", prompt), folder: before + prompt}
	ok = path.Clean(p.file) == p.file && filepath.IsLocal(p.file) && !strings.HasSuffix(p.file, "/")
	return p, ok
}

// prompting says whether a name is one that a file can have on every system; names with folders are well.
func prompting(name string) bool {
	if name == "" || len(name) > 200 || strings.ContainsAny(name, `\:`) || strings.ContainsFunc(name, unicode.IsControl) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '-' || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return true
}

// versionName says whether a name can stand in the file.
func versionName(name string) bool {
	return name != "" && len(name) <= 200 && strings.TrimSpace(name) == name && !strings.ContainsFunc(name, unicode.IsControl)
}

// versionOf returns the version that a file of the folder is: its name without what follows the first dot before a letter, so
// v22.txt is v22, and v1.2.prompt.md is v1.2. Hidden files are none.
func versionOf(name string) string {
	if strings.HasPrefix(name, ".") {
		return ""
	}
	for i := range len(name) - 1 {
		if c := name[i+1] | 0x20; name[i] == '.' && c >= 'a' && c <= 'z' {
			return name[:i]
		}
	}
	return name
}

// compareNames orders names of versions as people count: v9 before v10.
func compareNames(a, b string) int {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			x, y := number(a), number(b)
			m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(m) != len(n) {
				return len(m) - len(n)
			}
			if c := strings.Compare(m, n); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// number returns the digits at the start.
func number(s string) string {
	for i := range len(s) {
		if !digit(s[i]) {
			return s[:i]
		}
	}
	return s
}
