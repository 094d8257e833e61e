package explain

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/driftd/driftd/consumer"
)

// What a JSON object's event is made of is found by trial: each key is left out in turn, and the decoder is asked again. So what
// is said of a key is what the decoder does with it, without a second copy of the decoder's rules.

const (
	// maxTries bounds the trials of one record.
	maxTries = 3000
	// maxCarried is how many bytes a value that nothing depends on may have to be there in later trials.
	maxCarried = 1 << 10
)

// trial is what was found out about a record.
type trial struct {
	probe *consumer.Probe
	root  *node
	tries int

	base    snapshot
	decides []string                // keys that make the record an event, and of what kind
	taken   map[string][]string     // keys by field
	passed  map[string][]passedOver // by field
	unread  []attribute
}

type passedOver struct{ key, value, by string }

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

// walk tries the members of a value. nodes collects the leaves that may be read, by name.
func (t *trial) walk(n *node, path []string, name func([]string) string, nodes map[string]*node) {
	var members []member
	for i, kid := range n.kids {
		if !kid.empty() {
			members = append(members, member{kid, append(slices.Clone(path), n.keys[i])})
		}
	}
	t.group(members, name, nodes)
}

// member is a part of a value and where it stands.
type member struct {
	*node
	path []string
}

func (m *member) container() bool { return m.kind == '{' || m.kind == '[' }

// apart is what to name of a member that is not read: of properties each, since lists of the config may name them.
func (m *member) apart() []member {
	if m.kind != '{' || m.path[len(m.path)-1] != "properties" {
		return []member{*m}
	}
	var parts []member
	for i, kid := range m.kids {
		if !kid.empty() {
			parts = append(parts, member{kid, append(slices.Clone(m.path), m.keys[i])})
		}
	}
	return parts
}

// group tries members together, and only if that changes something each half of them, since most keys of a record are not read.
func (t *trial) group(members []member, name func([]string) string, nodes map[string]*node) {
	if len(members) == 0 || t.tries > maxTries {
		return
	}
	changed := t.without(members)
	switch {
	case len(changed) == 0:
		for _, m := range members {
			for _, u := range m.apart() {
				t.unread = append(t.unread, attribute{name(u.path), u.label()})
			}
			if m.gone = len(m.leaf) > maxCarried; !m.gone {
				collect(m.node, m.path, name, nodes)
			}
		}
	case len(members) > 1:
		half := len(members) / 2
		t.group(members[:half], name, nodes)
		t.group(members[half:], name, nodes)
	case members[0].container():
		t.walk(members[0].node, members[0].path, name, nodes)
	default:
		t.reads(name(members[0].path), changed)
		if !slices.Contains(changed, fieldKind) {
			nodes[name(members[0].path)] = members[0].node
		}
	}
}

// without tells which fields change when members are left out, or else when their values are others: of two keys that say the
// same, leaving out the one that is read changes nothing.
func (t *trial) without(members []member) (changed []string) {
	leaves := make([]json.RawMessage, len(members))
	for i, m := range members {
		m.gone, leaves[i] = true, m.leaf
	}
	changed = difference(t.base, t.again())
	for _, m := range members {
		m.gone = false
	}
	for n := 0; n < numOthers && len(changed) == 0; n++ {
		some := false
		for i, m := range members {
			if n == 0 && !m.container() || m.number() {
				m.leaf, some = m.others(leaves[i])[n], true
			}
		}
		if some {
			changed = difference(t.base, t.again())
		}
	}
	for i, m := range members {
		m.leaf = leaves[i]
	}
	return changed
}

// reads notes what depends on a key.
func (t *trial) reads(key string, changed []string) {
	if slices.Contains(changed, fieldKind) {
		t.decides = append(t.decides, key)
		return
	}
	for _, f := range changed {
		if !slices.Contains(t.taken[f], key) {
			t.taken[f] = append(t.taken[f], key)
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
			t.unread = slices.DeleteFunc(t.unread, func(u attribute) bool { return u.key == key || strings.HasPrefix(key, u.key+".") })
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
