package slack

import (
	"github.com/driftd/driftd/alert/phrase"
	"github.com/driftd/driftd/detector"
)

// The words that all receivers share.
var (
	figures = phrase.Figures
	measure = phrase.Measure
	samples = phrase.Samples
	crossed = phrase.Crossed
	lasted  = phrase.Lasted
	clock   = phrase.Clock
	brief   = phrase.Brief
	plural  = phrase.Plural
	cut     = phrase.Cut
	clean   = phrase.Clean
)

// was tells the figure that it is compared with, empty where that is just the number in the rule.
func was(r *detector.Record) string { return escape(phrase.Was(r)) }
