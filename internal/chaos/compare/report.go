package compare

import (
	"fmt"
	"strings"
)

// Report counts the differences by name. The zero Report says that there is none.
type Report struct {
	Events        int // calls and scores that had to be counted
	Lost          int // calls and scores that are missing from their panes
	Doubled       int // and such that are there too often
	WrongWindows  int // panes and windows of the right counts, with other figures
	Steps         int // of alerts that had to come
	AlertsMissing int // steps that did not come
	AlertsDoubled int // steps that came twice
	AlertsWrong   int // steps that should not be, or say something else than they should
	Other         int // dead letters, and whatever else is not as it should be
	Said          []string
}

// most is how many differences of each kind are told; the others are only counted.
const most = 5

// Same tells whether there is no difference.
func (r *Report) Same() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.WrongWindows == 0 && r.AlertsMissing == 0 && r.AlertsDoubled == 0 && r.AlertsWrong == 0 && r.Other == 0
}

// String is a line of counts, and below it the first differences of each kind.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events: %d lost, %d doubled, %d wrong windows; %d alert steps: %d missing, %d doubled, %d wrong; %d other",
		r.Events, r.Lost, r.Doubled, r.WrongWindows, r.Steps, r.AlertsMissing, r.AlertsDoubled, r.AlertsWrong, r.Other)
	for _, s := range r.Said {
		b.WriteString("\n  " + s)
	}
	return b.String()
}

// note counts n differences of a kind, and tells of the first ones.
func (r *Report) note(count *int, n int, format string, args ...any) {
	told := *count
	if *count += n; told == 0 || len(r.Said) < 3*most && told < most {
		r.Said = append(r.Said, fmt.Sprintf(format, args...))
	}
}

// Add adds the counts and findings of another report.
func (r *Report) Add(o *Report) {
	r.Events += o.Events
	r.Lost += o.Lost
	r.Doubled += o.Doubled
	r.WrongWindows += o.WrongWindows
	r.Steps += o.Steps
	r.AlertsMissing += o.AlertsMissing
	r.AlertsDoubled += o.AlertsDoubled
	r.AlertsWrong += o.AlertsWrong
	r.Other += o.Other
	r.Said = append(r.Said, o.Said...)
}
