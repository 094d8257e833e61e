package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/driftd/driftd/internal/strictyaml"
)

// against is what a rule compares with: a word, or one key and what it names.
type against struct {
	kind  string // "", 24h, previous_version, fixed, version, variant, environment
	fixed limit
	name  string // of the version, variant or environment
}

type againstKeys struct {
	Fixed       *limit `yaml:"fixed" doc:"A number, in the metric's unit."`
	Version     string `yaml:"version" doc:"A version by name."`
	Variant     string `yaml:"variant" doc:"A variant, such as control."`
	Environment string `yaml:"environment" doc:"An environment, such as eval."`
}

const againstHint = "write previous_version, 24h, same_hours, {fixed: 0.91}, {version: v22}, {variant: control} or {environment: eval}"

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (a *against) UnmarshalStrict(n strictyaml.Node) {
	if n.IsMapping() {
		var keys againstKeys
		n.Decode(&keys)
		set := 0
		if keys.Fixed != nil {
			a.kind, a.fixed = "fixed", *keys.Fixed
			set++
		}
		for _, k := range []struct{ kind, name string }{{"version", keys.Version}, {"variant", keys.Variant}, {"environment", keys.Environment}} {
			if k.name != "" {
				a.kind, a.name = k.kind, k.name
				set++
			}
		}
		if set > 1 {
			n.Errorf("keep one of them", "`against` has more than one key")
		} else if set == 0 && !n.Misspelt(&keys) {
			n.Errorf(againstHint, "`against` names nothing")
		}
		return
	}
	text, ok := n.Text()
	if !ok {
		n.Wrong("a word or one key with a value")
		return
	}
	switch text {
	case "24h", "previous_version", "same_hours":
		a.kind = text
		return
	}
	hint := againstHint
	if text == "24" || text == "1d" {
		hint = "write 24h"
	} else if strings.HasPrefix(text, "prev") {
		hint = "did you mean `previous_version`?"
	} else if _, err := strictyaml.ParseNumber(text); err == nil {
		hint = "write {fixed: " + text + "}"
	} else if near := strictyaml.Nearest(text, []string{"previous_version", "24h", "same_hours"}); near != "" {
		hint = "did you mean `" + near + "`?"
	} else if versionLike.MatchString(text) {
		hint = "write {version: " + text + "}"
	} else if kind := likely[text]; kind != "" {
		hint = "write {" + kind + ": " + text + "}"
	}
	n.Errorf(hint, "`against` cannot be `%s`", text)
}

var versionLike = regexp.MustCompile(`^v[0-9]`)

// likely are names that are given to variants and environments.
var likely = map[string]string{"control": "variant", "baseline": "variant", "canary": "variant", "eval": "environment", "production": "environment", "prod": "environment", "staging": "environment"}

// JSONSchema implements strictyaml.Schemer.
func (against) JSONSchema() map[string]any {
	text := map[string]any{"type": []string{"string", "number"}}
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"24h", "previous_version", "same_hours"}},
		map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
			"properties": map[string]any{"fixed": limit{}.JSONSchema(), "version": text, "variant": text, "environment": text}},
	}}
}

// Words implements strictyaml.Worded.
func (against) Words() string {
	return "previous_version, 24h, same_hours, {fixed: …}, {version: …}, {variant: …} or {environment: …}"
}

// against finds the reference, which must be one of those that the rule's kind is compared with. One that is wrong is marked
// so, and limits are not judged by it.
func (c *ruleCheck) against(f *against, allowed ...AgainstKind) Against {
	at := c.doc.At(f)
	if f.kind == "" {
		if at.Present() { // what is wrong was told where it was decoded
			f.kind, c.ok = againstWrong, false
		}
		return Against{}
	}
	a := Against{Name: f.name}
	for k := AgainstLast24h; k <= AgainstSameHours; k++ {
		if (Against{Kind: k}).Word() == f.kind {
			a.Kind = k
		}
	}
	if !slices.Contains(allowed, a.Kind) {
		hint, message := c.notAgainst(a)
		c.wrong(at, hint, "%s", message)
		return Against{}
	}
	switch dimension := f.kind; a.Kind {
	case AgainstVariant, AgainstEnvironment:
		if c.dimension(at, dimension) {
			c.itself(at, dimension, f.name)
		}
	case AgainstVersion:
		c.itself(at, dimension, f.name)
	}
	return a
}

// itself refuses to compare the only value that the group lets pass with that value.
func (c *ruleCheck) itself(at strictyaml.Place, dimension, name string) {
	if c.group.Match[dimension] == name {
		c.wrong(at, "widen `match` of the group, or compare with another", "the group matches %s %s alone: it would be compared with itself", dimension, name)
	}
}

// dimension asks for a dimension of the config that the rule cannot do without.
func (c *ruleCheck) dimension(at strictyaml.Place, name string) bool {
	if known := c.l.opts.Dimensions; known != nil && !slices.Contains(known, name) {
		c.wrong(at, "add "+name+" to `dimensions` of the config", "driftd keeps the %ss of a prompt apart only where %s is a dimension", name, name)
		return false
	}
	return true
}

// notAgainst says why the rule cannot be compared with it, and with what it can.
func (c *ruleCheck) notAgainst(a Against) (hint, message string) {
	if a.Kind == AgainstSameHours {
		if hint = "make it a `drift` rule"; c.rule.Kind() != "canary" {
			hint = "write 24h, or " + hint
		}
		return hint, "only a drift is compared with the same hours of a day"
	}
	switch c.rule.Kind() {
	case "volume":
		switch a.Kind {
		case AgainstPreviousVersion:
			return "write 24h", "the number of calls is compared with the last 24h, not with the previous version"
		case AgainstFixed:
			return "write the number of calls under `below` or `above`, without `against`", "the number of calls is compared with the last 24h alone"
		}
		return "write 24h", "the number of calls is compared with the last 24h alone"
	case "canary":
		hint = "write previous_version, {version: v22} or {variant: control}"
		if a.Kind != AgainstEnvironment {
			hint += ", or make it a `drift` rule"
		}
		return hint, "a canary is compared with what serves at the same time"
	case "shape":
		return "write previous_version, 24h, {version: v22}, {variant: control} or {environment: eval}", "a number has no shape"
	}
	return "make it a `drift` rule, which keeps what an evaluation gave", "a threshold is compared with what came in the last day, and an evaluation may be older"
}
