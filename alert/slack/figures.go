package slack

import (
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// The words that all receivers share.
var (
	figure    = phrase.Figure
	figures   = phrase.Figures
	number    = phrase.Number
	measure   = phrase.Measure
	samples   = phrase.Samples
	samplesOf = phrase.SamplesOf
	lasted    = phrase.Lasted
	clock     = phrase.Clock
	brief     = phrase.Brief
	plural    = phrase.Plural
	cut       = phrase.Cut
	clean     = phrase.Clean
)

// was tells the figure that it is compared with, empty where that is just the number in the rule.
func was(r *detector.Record) string { return escape(phrase.Was(r)) }

// crossed says on which side of its bound the value lies: ", below 0.85"; nothing of kinds that gather evidence, but what is
// allowed where the rule says it.
func crossed(r *detector.Record) string {
	_, bound := figures(r)
	switch {
	case r.Kind == "exceed" && bound != "":
		return ", allowed " + bound
	case phrase.Sequential(r):
		return ""
	}
	return phrase.Crossed(r)
}

// between is where the value surely lies, of kinds that gather evidence: " (0.75–0.81)".
func between(r *detector.Record) string {
	if !phrase.Sequential(r) {
		return ""
	}
	return phrase.Between(r)
}
