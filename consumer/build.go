package consumer

import (
	"fmt"
	"slices"
	"strings"
)

// rowsOf are a field's rows of a preset.
func rowsOf(f Field, preset presets, all bool) (rows []name) {
	for _, r := range table[f] {
		if preset.has(r.in, all) {
			rows = append(rows, r)
		}
	}
	return rows
}

// listOf is the list of a field; that of an axis may stand at the dimension that it is too.
func listOf(f Field, o *AttributeOptions) []string {
	for _, d := range o.Dimensions {
		if axis, ok := axisFields[d.Name]; ok && axis == f && len(d.Attributes) > 0 {
			return d.Attributes
		}
	}
	return o.Lists[fieldNames[f]]
}

// listed are the rows of a field whose attributes are given by a list; without one those of the preset. What one wrote into
// a list is not to be shadowed by another attribute.
func listed(f Field, rows []name, list []string) []name {
	if len(list) == 0 {
		return rows
	}
	calls := slices.ContainsFunc(table[f], func(r name) bool { return r.call })
	var out []name
	for _, attr := range list {
		known := false
		for _, r := range table[f] {
			if r.attr == attr {
				if r.only.test == unless {
					r.only = condition{}
				}
				out, known = append(out, r), true
			}
		}
		if !known {
			out = append(out, name{attr: attr, call: calls, how: usualConversion(f)})
		}
	}
	return out
}

// usualConversion is that of an attribute of one's own.
func usualConversion(f Field) *conversion {
	if f == FieldOperation {
		return kind
	}
	return nil
}

// dimensionRows are those of a dimension: its list, else the axis that it is, else the usual places.
func dimensionRows(dim string, list []string, lists map[string][]string, preset presets, all bool) (rows []name) {
	axis, isAxis := axisFields[dim]
	switch {
	case isAxis && len(list) > 0:
		return listed(axis, nil, list)
	case isAxis:
		return listed(axis, rowsOf(axis, preset, all), lists[dim])
	case len(list) > 0:
		for _, attr := range list {
			rows = append(rows, name{attr: attr, how: metadataConversion(attr, dim)})
		}
		return rows
	}
	for _, m := range metadata {
		if preset.has(m.in, all) {
			attr := strings.Replace(m.attr, "NAME", dim, 1)
			rows = append(rows, name{attr: attr, how: metadataConversion(attr, dim)})
		}
	}
	return rows
}

// metadataConversion is how a dimension is read from an attribute: as the producer writes what a user told it.
func metadataConversion(attr, dim string) *conversion {
	for _, m := range metadata {
		if !strings.Contains(m.attr, "NAME") && m.attr == attr {
			return member("JSON object: "+dim, false, "", dim)
		}
		if prefix := strings.TrimSuffix(m.attr, "NAME"); m.how != nil && strings.HasPrefix(attr, prefix) {
			return m.how
		}
	}
	return nil
}

// builder puts a table together.
type builder struct {
	a    *Attributes
	uses [][]use // by slot
	call []int   // slots
}

func (b *builder) slot(attr string) int {
	if i := slices.Index(b.a.attrs, attr); i >= 0 {
		return i
	}
	b.a.attrs, b.uses = append(b.a.attrs, attr), append(b.uses, nil)
	return len(b.a.attrs) - 1
}

// add makes an attribute serve a field.
func (b *builder) add(f Field, place int, r name) {
	slot := b.slot(r.attr)
	u := use{
		slot: int16(slot), rank: rank{uint16(place + 1), f}, test: r.only.test, is: r.only.is, how: r.how,
	}
	if u.test != always {
		u.other = int16(b.slot(r.only.attr))
	}
	b.uses[slot] = append(b.uses[slot], u)
	b.mark(r)
}

// mark keeps that only model calls carry an attribute.
func (b *builder) mark(r name) {
	if r.call {
		b.call = append(b.call, b.slot(r.attr))
	}
}

func (b *builder) finish() error {
	a := b.a
	if len(a.attrs) > MaxNames {
		return fmt.Errorf("build attribute table: more than %d attribute names", MaxNames)
	}
	for _, uses := range b.uses {
		a.first = append(a.first, int32(len(a.uses)))
		a.uses = append(a.uses, uses...)
		var quick rank
		if len(uses) == 1 && uses[0].test == always && uses[0].how == nil {
			quick = uses[0].rank
		}
		a.quick = append(a.quick, quick)
	}
	a.first = append(a.first, int32(len(a.uses)))
	for _, slot := range b.call {
		a.calls.add(slot)
	}
	a.keys = newKeyTable(a.attrs)
	return nil
}
