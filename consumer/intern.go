package consumer

import (
	"bytes"
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
	text            string      // the canonical form of all this
	places          [2][2]place // in each index of a linker: in its generation at hand, and in the last closed one that was asked
}

// internBytes bounds the labels that an interner remembers by their text; past it the memory starts afresh.
const internBytes = 4 << 20

// interner gives equal labels once. It belongs to one goroutine.
type interner struct {
	known  map[string]*labels
	bytes  int
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
	l, known := n.known[string(n.key)]
	if !known {
		if checkLabels(e).Reason != Fine || checkAxes(e).Reason != Fine {
			return nil
		}
		l = newLabels(e, string(n.key))
		if n.known == nil || n.bytes > internBytes {
			n.known, n.bytes = make(map[string]*labels), 0
		}
		n.known[string(n.key)] = l
		n.bytes += 256 + 2*len(n.key)
	}
	n.lately = l
	return l
}

// labelled tells whether the event has any label, as most spans of a service have not.
func (e *Event) labelled() bool {
	return len(e.Prompt) > 0 || len(e.Version) > 0 || len(e.TemplateHash) > 0 || len(e.Model) > 0 || len(e.Variant) > 0 ||
		len(e.Environment) > 0 || slices.ContainsFunc(e.Dimensions, func(d []byte) bool { return len(d) > 0 })
}

// newLabels makes labels of sound ones, whose key is given.
func newLabels(e *Event, key string) *labels {
	l := &labels{
		Prompt: bytes.Clone(e.Prompt), Version: bytes.Clone(e.Version), TemplateHash: bytes.Clone(e.TemplateHash),
		Model: bytes.Clone(e.Model), Variant: bytes.Clone(e.Variant), Environment: bytes.Clone(e.Environment),
		Fallback: int8(key[len(key)-1]), text: key,
	}
	for _, d := range e.Dimensions {
		l.Dimensions = append(l.Dimensions, bytes.Clone(d))
	}
	return l
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
