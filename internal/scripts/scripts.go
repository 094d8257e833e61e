// Package scripts runs the tests of state machines that are told as scripts: files in testdata, each a list of blocks of what is
// done, a line ----, and what came of it up to an empty line. Lines that begin with # are remarks. With -rewrite, a test writes what
// comes of its scripts into them.
package scripts

import (
	"bufio"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata give into them")

// Script is one file.
type Script struct {
	Name   string // of the file, with its folder
	blocks []Block
	out    strings.Builder
}

// Block is one of its steps.
type Block struct {
	Line  int // in the file, from 1 on
	Input string
	want  string
}

// Each calls f in a subtest of its own for every script in testdata.
func Each(t *testing.T, f func(t *testing.T, s *Script)) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("find scripts: %v, %d files", err, len(names))
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := &Script{Name: name, blocks: blocks(t, name, string(data))}
			f(t, s)
			if *rewrite {
				if err := os.WriteFile(name, []byte(s.out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// Run gives the blocks to f in turn, which says what came of each.
func (s *Script) Run(t *testing.T, f func(Block) string) {
	for i, b := range s.blocks {
		got := f(b)
		if i > 0 {
			s.out.WriteString("\n")
		}
		s.out.WriteString(b.Input + "----\n" + got)
		if got != b.want && !*rewrite {
			t.Errorf("%s:%d: got\n%swant\n%s", s.Name, b.Line, got, b.want)
		}
	}
}

func blocks(t *testing.T, name, data string) (out []Block) {
	in := bufio.NewScanner(strings.NewReader(data))
	b, expected := Block{Line: 1}, false
	for n := 1; in.Scan(); n++ {
		switch line := in.Text(); {
		case line == "----":
			expected = true
		case expected && line == "":
			out = append(out, b)
			b, expected = Block{Line: n + 1}, false
		case expected:
			b.want += line + "\n"
		default:
			b.Input += line + "\n"
		}
	}
	if !expected {
		t.Fatalf("%s:%d: block without ----", name, b.Line)
	}
	return append(out, b)
}
