package strictyaml

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode holds that nothing makes the reader panic, that every problem has a place inside the file, and that what is
// printed moves no cursor.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "name: x", "name: x\ncount: 0\ninner: {every: 5}", "a: [", "a: \"", "a: {{ .X }}", "x: *a", "<<: {}", "? a\n: b", "\ufeffname: x",
		"name: |\n  x\n  y\n", "name: >-\n x\n", "name: 'it''s'\nlogin: {token: \"a\\\"b\"}", "a:\r\n  b: 1\r  c: 2\u0085d: 3\u2028e: 4", "--- x\n--- y", "%YAML 1.1\n---\nname: !!binary aGk=",
		"login: {token: !x 'a\n\n b', user: &u z}\nlabels: {? [a] : b}", "name: \x00", "\xff\xfe", "inner: &a [*a]", "- - - -", "name: \"\\x01\\u2028\"", "\"\\e[31m\": 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, d, out := decode(text)
		lines := splitLines(strings.ToValidUTF8(strings.TrimPrefix(text, "\ufeff"), "\ufffd"))
		for _, p := range d.Problems() {
			if p.File != "f.yaml" {
				t.Errorf("problem %q is in %q", p.Message, p.File)
			}
			if p.Line == 0 && p.Column == 0 { // the whole file, or the rest of the problems
				continue
			}
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
				t.Errorf("%q: place %s is outside the file", text, p.Place())
			}
		}
		if strings.ContainsAny(strings.ReplaceAll(out, "\n", ""), "\x00\x07\x08\x1b\r") {
			t.Errorf("control characters in %q", out)
		}
	})
}

// FuzzDuration holds that what is written is read as the same.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"5m", "1h30m", "0", "5", "1.5s", "9999999999999w", "1e3s", "-1s", "1ms1ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		if d < 0 || d > maxDuration {
			t.Fatalf("%q is %d", s, d)
		}
		if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d {
			t.Errorf("%q is %d, written %q, read %d, %v", s, d, FormatDuration(d), again, err)
		}
	})
}
