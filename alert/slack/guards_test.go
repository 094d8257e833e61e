package slack

import (
	"testing"

	stage "github.com/driftd/driftd/alert/rollback"
)

// What messages say about a guard holds for the guard: whether --force passes over it, and that there is one of that name.
func TestGuards(t *testing.T) {
	known := map[string]stage.Guard{}
	for _, g := range stage.Guards() {
		known[g.Name] = g
	}
	for name, says := range guards {
		g, ok := known[name]
		if !ok || g.Forced != says.pass {
			t.Errorf("%s: there is one: %v, --force passes over it: %v, and the message says %v", name, ok, g.Forced, says.pass)
		}
	}
	others := map[string]bool{ // advice is by the cause or the kind of the rule, or there is nothing to do
		"advisory": true, "everything_moved": true, "model_changed": true, "resolved": true,
	}
	for name := range known {
		if _, ok := guards[name]; !ok && !others[name] {
			t.Errorf("nothing is said about the guard %s", name)
		}
	}
}
