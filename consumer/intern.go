package consumer

import (
	"encoding/binary"
	"slices"

	"github.com/driftd/driftd/windows"
)

// labels is what a span says of its prompt, or what linking found out. They do not change, but for the place where the index has
// them.
type labels struct {
	Prompt, Version []byte
	Dimensions      [][]byte
	TemplateHash    []byte
	Model           []byte
	Variant         []byte
	Environment     []byte
	Fallback        int8        // 0 is unknown, 1 no, 2 yes
	text            string      // the canonical form of all this, their key
	places          [2][2]place // in each index of a linker: in its generation at hand, and in the last closed one that was asked
	held            [2]int32    // how often generations of each index have them
	fold            int         // how they were made: of folds
}

// size is about the memory that labels take, with what it takes to find them, bytes.
func (l *labels) size() int { return 576 + 2*len(l.text) }

// part returns a value of their cell: prompt, version, then the dimensions; empty when they have none.
func (l *labels) part(i int) []byte {
	switch i {
	case 0:
		return l.Prompt
	case 1:
		return l.Version
	default:
		return l.Dimensions[i-2]
	}
}

func (l *labels) parts() int { return 2 + len(l.Dimensions) }

// interner gives equal labels once, as long as it knows them. It belongs to one goroutine.
type interner struct {
	known  recent[*labels]
	lately *labels // given last; often it is the same again
	key    []byte
}

// of returns the labels of an event; nil when there are none, or one of them is not sound: that may be a text of any length, and
// is not kept.
func (n *interner) of(e *Event) *labels {
	if !e.labelled() {
		return nil
	}
	n.key = appendLabels(n.key[:0], e)
	if n.lately != nil && n.lately.text == string(n.key) {
		return n.lately
	}
	l, known := n.known.get(n.key)
	if !known {
		if checkLabels(e).Reason != Fine || checkAxes(e).Reason != Fine {
			return nil
		}
		l = newLabels(string(n.key), len(e.Dimensions))
		n.known.put(l.text, l)
	}
	n.lately = l
	return l
}

// labelled tells whether the event has any label, as most spans of a service have not.
func (e *Event) labelled() bool {
	return len(e.Prompt) > 0 || len(e.Version) > 0 || len(e.TemplateHash) > 0 || len(e.Model) > 0 || len(e.Variant) > 0 ||
		len(e.Environment) > 0 || slices.ContainsFunc(e.Dimensions, func(d []byte) bool { return len(d) > 0 })
}

// newLabels makes labels of a key.
func newLabels(key string, dims int) *labels {
	parts := []byte(key)
	part := func() []byte {
		n, w := binary.Uvarint(parts)
		v := parts[w : w+int(n) : w+int(n)]
		parts = parts[w+int(n):]
		return v
	}
	l := &labels{Prompt: part(), Version: part(), Dimensions: make([][]byte, dims), text: key}
	for i := range l.Dimensions {
		l.Dimensions[i] = part()
	}
	l.TemplateHash, l.Model, l.Variant, l.Environment = part(), part(), part(), part()
	l.Fallback = int8(parts[0])
	return l
}

// folds are what of labels is folded into windows.Other, each time more: it leaves of them what detect leaves of a cell that is beyond
// its limits on axes, cohorts, versions, or series.
var folds = [...]struct{ axes, dimensions, version, prompt bool }{
	{}, {axes: true}, {axes: true, dimensions: true}, {axes: true, version: true}, {axes: true, dimensions: true, version: true},
	{true, true, true, true},
}

// appendFolded appends the key of labels that are folded.
func (l *labels) appendFolded(dst []byte, fold int) []byte {
	part := func(folded bool, v []byte) {
		if folded && len(v) > 0 {
			dst = windows.AppendKey(dst, windows.Other)
		} else {
			dst = windows.AppendKey(dst, v)
		}
	}
	f := &folds[fold]
	part(f.prompt, l.Prompt)
	part(f.version, l.Version)
	for _, d := range l.Dimensions {
		part(f.dimensions, d)
	}
	for _, a := range [...][]byte{l.TemplateHash, l.Model, l.Variant, l.Environment} {
		part(f.axes, a)
	}
	return append(dst, byte(l.Fallback))
}

// appendLabels appends the key of an event's labels.
func appendLabels(dst []byte, e *Event) []byte {
	dst = windows.AppendKey(dst, e.Prompt, e.Version)
	dst = windows.AppendKey(dst, e.Dimensions...)
	dst = windows.AppendKey(dst, e.TemplateHash, e.Model, e.Variant, e.Environment)
	return append(dst, fallback(e))
}

// fallback is 0 when the event does not say whether a fallback prompt was used, 1 when none was, 2 when one was.
func fallback(e *Event) byte {
	switch {
	case !e.Has.Has(windows.BuiltinFallback):
		return 0
	case e.Values[windows.BuiltinFallback] == 0:
		return 1
	default:
		return 2
	}
}
