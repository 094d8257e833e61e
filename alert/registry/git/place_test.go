package git

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	f := func(template, prompt, file, folder string) {
		t.Helper()
		p, ok := locate(template, prompt)
		if ok != (file != "") || ok && p != (place{file, folder}) {
			t.Errorf("%s %q: %+v %v", template, prompt, p, ok)
		}
	}
	f("prompts/{prompt}.current", "support", "prompts/support.current", "prompts/support")
	f("prompts/{prompt}/current", "support", "prompts/support/current", "prompts/support")
	f("{prompt}", "team/a b", "team/a b", "team/a b")
	f("{prompt}/{prompt}.txt", "a", "a/a.txt", "a")
	f("prompts/{prompt}.current", "ü*?[x]", "prompts/ü*?[x].current", "prompts/ü*?[x]")
	for _, name := range []string{
		"", ".", "..", "../x", "a/../../x", "a/..", "/etc/passwd", "a//b", "a/", "-rf", "a/-x", ".git/config", "a/.git/hooks/x", ".hidden", "a/./b",
		`a\..\b`, "C:x", "a\nb", "a\x00b", "a\x7fb", strings.Repeat("x", 201), "x.lock",
	} {
		f("prompts/{prompt}.current", name, "", "")
		f("{prompt}", name, "", "")
	}
	f("prompts/current", "a", "", "") // without {prompt} all would share one
	f("../{prompt}", "a", "", "")
	f("/abs/{prompt}", "a", "", "")
}

func TestVersionOf(t *testing.T) {
	for file, want := range map[string]string{
		"v22.txt": "v22", "v1.2.txt": "v1.2", "v1.2": "v1.2", "v22.prompt.md": "v22", "7": "7", "v22": "v22", "v22.J2": "v22", ".x": "", "v2.": "v2.",
	} {
		if got := versionOf(file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

func TestCompareNames(t *testing.T) {
	want := []string{"", "1", "1.2", "1.10", "2", "a", "a1", "a01b", "a2", "v9", "v10", "v10b", "w"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareNames)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func FuzzLocate(f *testing.F) {
	f.Add("support")
	f.Add("../../etc")
	f.Fuzz(func(t *testing.T, name string) {
		p, ok := locate("prompts/{prompt}.current", name)
		if !ok {
			return
		}
		if !filepath.IsLocal(p.file) || path.Clean(p.file) != p.file || !strings.HasPrefix(p.file, "prompts/") || strings.Contains(strings.ToLower(p.file), "/.git") {
			t.Errorf("%q leads to %q", name, p.file)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	f.Add("0123 blob 3\nv1\n\nx:y missing\n4567 tree 1\n?\n", 3)
	f.Add("0123 blob -1\n", 1)
	f.Fuzz(func(t *testing.T, out string, n int) {
		if n < 0 || n > 100 {
			return
		}
		if files, ok := parseBatch(out, n); ok && len(files) != n {
			t.Errorf("%d files, want %d", len(files), n)
		}
	})
}
