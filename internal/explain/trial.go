package explain

import (
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// What a JSON object's event is made of is found by trial: each key is left out in turn, and the decoder is asked again. So what
// is said of a key is what the decoder does with it, without a second copy of the decoder's rules.

// maxTries bounds the trials of one record.
const maxTries = 3000

// trial is what was found out about a record.
type trial struct {
	probe *consumer.Probe
	root  *node
	tries int

	base    snapshot
	decides []string                // keys that make the record an event, and of what kind
	taken   map[string][]string     // keys by field
	passed  map[string][]passedOver // by field
	unread  []unreadKey
}

type passedOver struct{ key, value, by string }

// unreadKey is a key that nothing depends on.
type unreadKey struct {
	key   string
	label bool
}

// snapshot is the fields of an event by name; nil is no event.
type snapshot map[string]string

// try finds out what a record's event depends on. name makes a name for people of a key's path.
func try(p *consumer.Probe, record []byte, open func(string) bool, name func(path []string) string) *trial {
	root, err := parseTree(record, open)
	if err != nil {
		return nil
	}
	t := &trial{probe: p, root: root, taken: map[string][]string{}, passed: map[string][]passedOver{}}
	if t.base = t.again(); t.base == nil {
		return nil
	}
	nodes := map[string]*node{}
	t.walk(root, nil, name, nodes)
	for _, field := range sortedKeys(t.taken) {
		t.shadows(field, nodes)
	}
	return t
}

// again decodes what is left of the record.
func (t *trial) again() snapshot {
	t.tries++
	found := t.probe.Record(&consumer.Record{Value: t.root.append(nil)})
	if len(found.Events) == 0 {
		return nil
	}
	return snap(&found.Events[0], t.probe.Dimensions())
}

// walk tries the members of a value. nodes collects those that are read, by name.
func (t *trial) walk(n *node, path []string, name func([]string) string, nodes map[string]*node) {
	for i, kid := range n.kids {
		if kid.empty() || t.tries > maxTries {
			continue
		}
		at := append(slices.Clone(path), n.keys[i])
		kid.gone = true
		changed := difference(t.base, t.again())
		kid.gone = false
		container := kid.kind == '{' || kid.kind == '['
		if len(changed) == 0 && !container {
			leaf := kid.leaf
			for _, kid.leaf = range kid.others() {
				if changed = difference(t.base, t.again()); len(changed) > 0 {
					break
				}
			}
			kid.leaf = leaf
		}
		key := name(at)
		switch {
		case len(changed) == 0:
			t.unread = append(t.unread, unreadKey{key, kid.label()})
			collect(kid, at, name, nodes)
		case container:
			t.walk(kid, at, name, nodes)
		case slices.Contains(changed, fieldKind):
			t.decides = append(t.decides, key)
		default:
			nodes[key] = kid
			for _, f := range changed {
				if !slices.Contains(t.taken[f], key) {
					t.taken[f] = append(t.taken[f], key)
				}
			}
		}
	}
}

// maxShadows bounds the leaves that are tried as what a field would be taken from else.
const maxShadows = 200

// collect adds the leaves of a value.
func collect(n *node, path []string, name func([]string) string, nodes map[string]*node) {
	if n.kind != '{' && n.kind != '[' {
		if len(nodes) < maxShadows && !n.empty() {
			nodes[name(path)] = n
		}
		return
	}
	for i, kid := range n.kids {
		collect(kid, append(slices.Clone(path), n.keys[i]), name, nodes)
	}
}

// shadows finds what a field would be taken from if what it is taken from were not there.
func (t *trial) shadows(field string, nodes map[string]*node) {
	if strings.HasPrefix(field, fieldScores) || t.base[field] == "" {
		return
	}
	by := strings.Join(t.taken[field], " and ")
	var gone []*node
	defer func() {
		for _, n := range gone {
			n.gone = false
		}
	}()
	hide := func(keys []string) {
		for _, k := range keys {
			if n := nodes[k]; n != nil {
				n.gone = true
				gone = append(gone, n)
			}
		}
	}
	hide(t.taken[field])
	for t.tries < maxTries {
		base := t.again()
		if base == nil || base[field] == "" {
			return
		}
		var found []string
		for _, key := range sortedKeys(nodes) {
			if n := nodes[key]; !n.gone {
				n.gone = true
				now := t.again()
				n.gone = false
				if now != nil && now[field] != base[field] {
					found = append(found, key)
				}
			}
		}
		if len(found) == 0 {
			return
		}
		for _, key := range found {
			t.passed[field] = append(t.passed[field], passedOver{key, base[field], by})
			t.unread = slices.DeleteFunc(t.unread, func(u unreadKey) bool { return u.key == key || strings.HasPrefix(key, u.key+".") })
		}
		hide(found)
	}
}

// difference is the names of the fields that are not the same.
func difference(a, b snapshot) (fields []string) {
	if b == nil || a[fieldKind] != b[fieldKind] {
		return []string{fieldKind}
	}
	for _, f := range sortedKeys(a) {
		if a[f] != b[f] {
			fields = append(fields, f)
		}
	}
	for _, f := range sortedKeys(b) {
		if _, ok := a[f]; !ok {
			fields = append(fields, f)
		}
	}
	return fields
}
