package detector

import "time"

// axes knows of every prompt version which values its axes have, and which of them changed lately. There is one per engine,
// whatever the rules.
type axes struct{}

func newAxes() *axes { return &axes{} }

// changes are those of a prompt version in (from, to], the oldest first: axes that took a new value, and the version's own
// coming, which is one of the axis "version".
func (t *axes) changes(prompt, version string, from, to time.Time) []Changed { return nil }

// model is the one that answers most calls of a prompt version lately; "" where none is known.
func (t *axes) model(prompt, version string) string { return "" }

// onModel are the prompt versions of the partition that have had calls in the last hour and that the model answers most of,
// sorted.
func (t *axes) onModel(model string) [][2]string { return nil }
