package main

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/driftd/driftd/internal/config"
)

// TestRegistries holds that each kind that the config offers has a client, which waits for caches as long as the config says.
func TestRegistries(t *testing.T) {
	field, ok := reflect.TypeFor[config.Registry]().FieldByName("Kind")
	if !ok {
		t.Fatal("there is no field Kind")
	}
	offered := slices.Sorted(slices.Values(strings.Split(field.Tag.Get("enum"), "|")))
	if known := slices.Sorted(maps.Keys(registries)); !slices.Equal(known, offered) {
		t.Errorf("there are clients for %v, the config offers %v", known, offered)
	}
	for _, kind := range offered {
		r := config.Registry{Kind: kind, URL: "https://registry.test", Label: "production", Secret: config.NewSecret("secret"), Grace: 90 * time.Second, Dir: t.TempDir()}
		client, err := newRegistry(&r, nil)
		if err != nil || client == nil || client.Traits().Grace != r.Grace {
			t.Errorf("%s: %v %v", kind, client, err)
		}
	}
	if client, err := newRegistry(nil, nil); client != nil || err != nil {
		t.Errorf("no registry: %v %v", client, err)
	}
	if _, err := newRegistry(&config.Registry{Kind: "other"}, nil); err == nil {
		t.Error("a kind without a client was taken")
	}
}
