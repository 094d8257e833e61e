package strictyaml

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Setting is a key that one text can set from elsewhere than the file: a scalar, or a list of scalars.
type Setting struct {
	Path   string // keys joined by dots
	Doc    string
	Words  string // what its values are
	List   bool   // values are separated by commas
	Hidden bool   // must never be shown
}

// Settings lists the settings of a struct type, in the order of its fields.
func Settings(t reflect.Type) []Setting { return settings(t, "", nil) }

func settings(t reflect.Type, prefix string, in []reflect.Type) []Setting {
	if slices.Contains(in, t) {
		return nil
	}
	var all []Setting
	k := structKeys(t)
	for i := range k.fields {
		f := &k.fields[i]
		ft := f.typ
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		path := prefix + f.name
		own := reflect.PointerTo(ft).Implements(unmarshalerType)
		switch {
		case ft.Kind() == reflect.Map:
		case ft.Kind() == reflect.Struct && !own:
			all = append(all, settings(ft, path+".", append(in, t))...)
		case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
		default:
			all = append(all, Setting{Path: path, Doc: f.doc, Words: valueWords(ft, f), List: ft.Kind() == reflect.Slice, Hidden: hides(ft)})
		}
	}
	return all
}

// Layer is the document as nested maps, for laying others over it: mappings are maps, and all else is a number that stands
// for the node.
func (d *Document) Layer() map[string]any {
	m := make(map[string]any)
	if d.root == nil || d.root.Kind != yaml.MappingNode {
		return m
	}
	return d.layer(d.root)
}

func (d *Document) layer(n *yaml.Node) map[string]any {
	m := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if _, twice := m[key.Value]; twice || key.Kind != yaml.ScalarNode {
			continue
		}
		if value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			m[key.Value] = d.layer(value)
			continue
		}
		m[key.Value] = d.leaf(value)
	}
	return m
}

func (d *Document) leaf(n *yaml.Node) int {
	d.leaves = append(d.leaves, n)
	return len(d.leaves) - 1
}

// Foreign makes a value of a text from elsewhere; origin names where it is from in messages. The result goes into a layer.
func (d *Document) Foreign(s Setting, origin, text string) any {
	scalar := func(text string) *yaml.Node {
		n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		d.origins[n] = origin
		return n
	}
	if !s.List {
		return d.leaf(scalar(text))
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	d.origins[list] = origin
	for item := range strings.SplitSeq(text, ",") {
		list.Content = append(list.Content, scalar(strings.TrimSpace(item)))
	}
	return d.leaf(list)
}

// SetLayer makes the document what the layer says. Where the file has a scalar or a list in place of a mapping, it stays: Decode
// reports it.
func (d *Document) SetLayer(m map[string]any) {
	if d.root == nil {
		if len(d.problems) > 0 || len(m) == 0 {
			return
		}
		d.root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}
	}
	d.setLayer(d.root, m)
}

func (d *Document) setLayer(n *yaml.Node, m map[string]any) (origin string) {
	if n.Kind != yaml.MappingNode {
		return ""
	}
	at := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if _, ok := at[n.Content[i].Value]; !ok && n.Content[i].Kind == yaml.ScalarNode {
			at[n.Content[i].Value] = i + 1
		}
	}
	for _, name := range sortedKeys(m) {
		i, ok := at[name]
		if inner, isMap := m[name].(map[string]any); isMap {
			if ok && n.Content[i].Kind == yaml.MappingNode {
				d.setLayer(n.Content[i], inner)
			} else if !ok || n.Content[i].Tag == "!!null" {
				made := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
				origin = d.setLayer(made, inner)
				d.origins[made] = origin
				d.put(n, i, ok, name, made)
			}
			continue
		}
		id, isLeaf := m[name].(int)
		if !isLeaf || id < 0 || id >= len(d.leaves) {
			continue
		}
		leaf := d.leaves[id]
		origin = d.origins[leaf]
		if !ok || n.Content[i] != leaf {
			d.put(n, i, ok, name, leaf)
		}
	}
	return origin
}

// put sets a key's value to one from elsewhere.
func (d *Document) put(n *yaml.Node, i int, there bool, name string, value *yaml.Node) {
	if there {
		if d.origins[value] != "" {
			d.hide(n.Content[i]) // it has no say any more, and might be a secret
		}
		n.Content[i] = value
		return
	}
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
	d.origins[key] = d.origins[value]
	n.Content = append(n.Content, key, value)
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
