package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Fields are described by tags:
//
//	yaml:"name" or yaml:"name,required"   key; a required text or list must not be empty either
//	doc:"…"                               one sentence for the schema and the reference
//	default:"30s"                         YAML of the value where the key is absent
//	enum:"a|b"                            all words that are allowed
//	later:"c|d"                           words, or on a field named _ keys, that will be: refused with "not supported yet"
//	min:"1" max:"100"                     of numbers, both included
//	item:"rule"                           what one item of the list or map is called in messages
type field struct {
	index    int
	name     string
	required bool
	doc      string
	def      string
	hasDef   bool
	enum     []string
	later    []string
	min, max *float64
	item     string
	typ      reflect.Type
	isItem   bool // it is one item of the list it describes
}

// called is what messages call the value.
func (f *field) called() string {
	switch {
	case f.isItem && f.item != "":
		return "a " + f.item
	case f.isItem:
		return "an item of `" + f.name + "`"
	case f.name == "":
		return "the file"
	}
	return "`" + f.name + "`"
}

// keys is what a struct type may hold.
type keys struct {
	fields []field
	byName map[string]*field
	later  []string
}

var keysOf sync.Map // reflect.Type → *keys

func structKeys(t reflect.Type) *keys {
	if k, ok := keysOf.Load(t); ok {
		return k.(*keys)
	}
	k := &keys{byName: make(map[string]*field)}
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Name == "_" {
			k.later = append(k.later, words(sf.Tag.Get("later"))...)
			continue
		}
		tag, ok := sf.Tag.Lookup("yaml")
		if !ok || tag == "-" {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		f := field{index: i, name: name, required: option == "required", doc: sf.Tag.Get("doc"), item: sf.Tag.Get("item"),
			enum: words(sf.Tag.Get("enum")), later: words(sf.Tag.Get("later")), typ: sf.Type}
		f.def, f.hasDef = sf.Tag.Lookup("default")
		f.min, f.max = number(t, sf, "min"), number(t, sf, "max")
		k.fields = append(k.fields, f)
	}
	for i := range k.fields {
		k.byName[k.fields[i].name] = &k.fields[i]
	}
	keysOf.Store(t, k)
	return k
}

func (k *keys) names() []string {
	names := make([]string, len(k.fields))
	for i, f := range k.fields {
		names[i] = f.name
	}
	return names
}

func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "|")
}

func number(t reflect.Type, sf reflect.StructField, key string) *float64 {
	s := sf.Tag.Get(key)
	if s == "" {
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("BUG: %s.%s: tag %s: %v", t, sf.Name, key, err))
	}
	return &v
}

// Hidden is implemented by types whose text must never be shown.
type Hidden interface{ Hidden() }

var hiddenType = reflect.TypeFor[Hidden]()

// hides is true of types that hold hidden text somewhere.
func hides(t reflect.Type) bool {
	if known, ok := hidesOf.Load(t); ok {
		return known.(bool)
	}
	h := hidesIn(t, nil)
	hidesOf.Store(t, h)
	return h
}

var hidesOf sync.Map // reflect.Type → bool

func hidesIn(t reflect.Type, seen []reflect.Type) bool {
	if t.Implements(hiddenType) || reflect.PointerTo(t).Implements(hiddenType) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return hidesIn(t.Elem(), seen)
	case reflect.Struct:
		for _, s := range seen {
			if s == t {
				return false
			}
		}
		for i := range t.NumField() {
			if hidesIn(t.Field(i).Type, append(seen, t)) {
				return true
			}
		}
	}
	return false
}
