package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// node is a JSON value that parts can be left out of. Objects in texts, as producers that encode twice write them, are opened.
type node struct {
	kind byte // '{', '[', or of a leaf its first byte
	text bool // the object stands in a JSON text
	leaf json.RawMessage
	keys []string
	kids []*node
	gone bool
}

// parseTree reads a record that is one JSON object. open tells of which keys the text is to be opened.
func parseTree(record []byte, open func(key string) bool) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	n, err := parseNode(raw, open)
	if err == nil && n.kind != '{' {
		err = fmt.Errorf("parse record: no object")
	}
	return n, err
}

func parseNode(raw json.RawMessage, open func(string) bool) (*node, error) {
	raw = bytes.TrimSpace(raw)
	n := &node{kind: raw[0], leaf: raw}
	if n.kind != '{' && n.kind != '[' {
		return n, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	for d.More() {
		key := ""
		if n.kind == '{' {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ = t.(string)
		}
		var inner json.RawMessage
		if err := d.Decode(&inner); err != nil {
			return nil, err
		}
		kid, err := parseNode(inner, open)
		if err != nil {
			return nil, err
		}
		if kid.kind == '"' && open(key) {
			kid.openText(open)
		}
		n.keys, n.kids = append(n.keys, key), append(n.kids, kid)
	}
	return n, nil
}

func (n *node) openText(open func(string) bool) {
	var text string
	if json.Unmarshal(n.leaf, &text) != nil || len(text) == 0 || text[0] != '{' {
		return
	}
	if inner, err := parseTree([]byte(text), open); err == nil {
		inner.text = true
		*n = *inner
	}
}

// append writes the value without the parts that are gone.
func (n *node) append(b []byte) []byte {
	switch {
	case n.text:
		inner := *n
		inner.text = false
		quoted, _ := json.Marshal(string(inner.append(nil)))
		return append(b, quoted...)
	case n.kind == '{', n.kind == '[':
		b = append(b, n.kind)
		first := true
		for i, kid := range n.kids {
			if kid.gone {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			if n.kind == '{' {
				quoted, _ := json.Marshal(n.keys[i])
				b = append(append(b, quoted...), ':')
			}
			b = kid.append(b)
		}
		return append(b, n.kind+2) // } and ] stand two behind { and [
	default:
		return append(b, n.leaf...)
	}
}

// empty tells what says nothing: null, and a text or container of nothing.
func (n *node) empty() bool {
	return n.kind == 'n' || n.kind == '"' && len(n.leaf) == 2 || (n.kind == '{' || n.kind == '[') && len(n.kids) == 0
}

// label tells whether a leaf could be a name: a short text, or a number.
func (n *node) label() bool {
	if n.kind != '"' {
		return n.number()
	}
	text, err := strconv.Unquote(string(n.leaf))
	return err == nil && isLabel([]byte(text))
}

func (n *node) number() bool { return n.kind == '-' || n.kind >= '0' && n.kind <= '9' }

// numOthers is how many other values there are of each.
const numOthers = 3

// others are other values than this one, the leaf's: one of its type and as like it as can be, and of numbers one that is too low
// and one that is too high.
func (n *node) others(leaf json.RawMessage) [numOthers]json.RawMessage {
	if n.number() {
		like := append(bytes.Clone(leaf), '1') // 0.21 becomes 0.211, 200 becomes 2001
		if string(leaf) == "0" || string(leaf) == "-0" {
			like = json.RawMessage("1")
		}
		return [numOthers]json.RawMessage{like, json.RawMessage("-1e9"), json.RawMessage("1e9")}
	}
	other := json.RawMessage("true")
	switch n.kind {
	case 't':
		other = json.RawMessage("false")
	case '"':
		other = otherText(leaf)
	}
	return [numOthers]json.RawMessage{other, other, other}
}

// otherText is a JSON text with another last character.
func otherText(leaf json.RawMessage) json.RawMessage {
	b := bytes.Clone(leaf)
	last := len(b) - 2
	switch c := b[last]; {
	case last == 0:
		return json.RawMessage(`"x"`)
	case c == '9':
		b[last] = '8'
	case c >= '0' && c < '9':
		b[last]++
	case last > 1 && b[last-1] == '\\' || c >= 0x80:
		return append(b[:last+1], `x"`...)
	case c == 'x':
		b[last] = 'y'
	default:
		b[last] = 'x'
	}
	return b
}
