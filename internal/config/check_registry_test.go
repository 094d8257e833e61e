package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestRegistryKinds holds that each kind that the schema offers has its keys in the table, and no other.
func TestRegistryKinds(t *testing.T) {
	field, ok := reflect.TypeFor[Registry]().FieldByName("Kind")
	if !ok {
		t.Fatal("there is no field Kind")
	}
	offered := slices.Sorted(slices.Values(strings.Split(field.Tag.Get("enum"), "|")))
	if known := slices.Sorted(maps.Keys(registryKinds)); !slices.Equal(known, offered) {
		t.Errorf("the table has %v, the schema %v", known, offered)
	}
}
