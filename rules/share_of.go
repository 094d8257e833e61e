package rules

import "github.com/driftd/driftd/internal/strictyaml"

// shareOf is whose share a traffic_share is: a word, or one key and what it names.
type shareOf struct {
	of   ShareOf
	name string
}

type shareOfKeys struct {
	Version string `yaml:"version" doc:"A version by name."`
	Variant string `yaml:"variant" doc:"A variant by name, over all versions."`
}

const shareOfHint = "write superseded, current, {version: v24} or {variant: canary}"

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (s *shareOf) UnmarshalStrict(n strictyaml.Node) {
	if n.IsMapping() {
		var keys shareOfKeys
		n.Decode(&keys)
		switch {
		case keys.Version != "" && keys.Variant != "":
			n.Errorf("keep one of them", "`of` has more than one key")
		case keys.Version != "":
			s.of, s.name = OfVersion, keys.Version
		case keys.Variant != "":
			s.of, s.name = OfVariant, keys.Variant
		case !n.Misspelt(&keys):
			n.Errorf(shareOfHint, "`of` names nothing")
		}
		return
	}
	text, ok := n.Text()
	if !ok {
		n.Wrong("a word or one key with a value")
		return
	}
	switch text {
	case "superseded":
		return
	case "current":
		s.of = OfCurrent
		return
	}
	hint := shareOfHint
	if near := strictyaml.Nearest(text, []string{"superseded", "current"}); near != "" {
		hint = "did you mean `" + near + "`?"
	} else if versionLike.MatchString(text) {
		hint = "write {version: " + text + "}"
	} else if likely[text] == "variant" {
		hint = "write {variant: " + text + "}"
	}
	n.Errorf(hint, "`of` cannot be `%s`", text)
}

// JSONSchema implements strictyaml.Schemer.
func (shareOf) JSONSchema() map[string]any {
	text := map[string]any{"type": []string{"string", "number"}}
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"superseded", "current"}},
		map[string]any{"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
			"properties": map[string]any{"version": text, "variant": text}},
	}}
}

// Words implements strictyaml.Worded.
func (shareOf) Words() string { return "superseded, current, {version: …} or {variant: …}" }
