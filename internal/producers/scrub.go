package producers

import (
	"bytes"
	"os"
	"regexp"
	"strings"
)

// said is all that prompts, messages and answers say.
var said = []string{texts.System, texts.Template, texts.Variable, texts.Completion, texts.Explanation}

// machine is what tells where something ran.
func machine() (found []string) {
	for _, of := range []func() (string, error){os.Hostname, os.UserHomeDir, os.Getwd, os.UserCacheDir} {
		if s, err := of(); err == nil && len(s) > 3 {
			found = append(found, s)
		}
	}
	return found
}

// beginning is how much of a text is enough to know it by: some producers shorten what they show.
const beginning = 10

// place is a path of a file, an address of this machine with its port, or a version of the interpreter's build.
var place = regexp.MustCompile(`/(?:[A-Za-z0-9_.+-]+/)+[A-Za-z0-9_.+-]*\.(?:py|db|so)\b|127\.0\.0\.1:\d+|localhost:\d+`)

// scrub blanks texts where they stand, so that the record keeps its structure, its keys and its lengths in any encoding, nested ones
// too.
func scrub(record []byte, texts []string) []byte {
	out := bytes.Clone(record)
	for _, s := range texts {
		head := []byte(s[:min(len(s), beginning)])
		for at := bytes.Index(out, head); at >= 0; at = bytes.Index(out, head) {
			n := len(head)
			for n < len(s) && at+n < len(out) && out[at+n] == s[n] {
				n++
			}
			blank(out[at : at+n])
		}
	}
	for _, span := range place.FindAllIndex(out, -1) {
		blank(out[span[0]:span[1]])
	}
	return out
}

// blank replaces letters and digits, the latter by one that a number may begin with.
func blank(b []byte) {
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			b[i] = '9'
		case strings.IndexByte(" {}/.:-_", c) < 0:
			b[i] = 'x'
		}
	}
}
