package strictyaml

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

func sprintf(format string, args []any) string { return fmt.Sprintf(format, args...) }

// Defaults fills the struct that into points to with the defaults of its tags.
func Defaults(into any) {
	d := Parse("", nil)
	d.setDefaults(reflect.ValueOf(into).Elem())
}

func (d *Document) setDefaults(v reflect.Value) {
	if v.Kind() != reflect.Struct || v.Addr().Type().Implements(unmarshalerType) {
		return
	}
	k := structKeys(v.Type())
	for i := range k.fields {
		d.setDefault(v.Field(k.fields[i].index), &k.fields[i])
	}
}

// setDefault reads the default's tag as if it stood in the file; a struct has those of its fields.
func (d *Document) setDefault(v reflect.Value, f *field) {
	if !f.hasDef {
		d.setDefaults(v)
		return
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(f.def), &doc); err != nil {
		panic(fmt.Sprintf("BUG: default of `%s`: %v", f.name, err))
	}
	own := Parse("default", nil)
	own.root = doc.Content[0]
	own.decode(own.root, v, f, nil)
	if len(own.problems) > 0 {
		panic(fmt.Sprintf("BUG: default of `%s`: %v", f.name, own.problems[0].Message))
	}
}
