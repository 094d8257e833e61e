package detector

import (
	"math"
	"strconv"
	"time"

	"github.com/driftd/driftd/rules"
	"github.com/driftd/driftd/windows"
)

// Of rules that look at an hour at most the trend goes by minutes over the last hour, of others by quarters of an hour over the last day.
const (
	trendMinutes  = 60
	trendQuarters = 96
)

// trend is how the watched figure of the record's cohort went, of its version and of the one before; nil where there is nothing to show,
// or left reads of the store are not enough. A figure that takes distributions is read where there are few enough cells for that, and is
// not replaced by a mean, which would not go with the value of the alert.
func (e *engine) trend(r *rule, rec *Record, left int) (t *Trend, reads int) {
	if !watchesValues(r) || rec.Version == "" {
		return nil, 0
	}
	quarters := r.Window() > time.Hour
	t = &Trend{Every: rules.Duration(time.Minute).String()}
	n, each := trendMinutes, hourReads
	if quarters {
		t.Every, n, each = rules.Duration(quarter).String(), trendQuarters, dayReads
	}
	read := func(version string) (values []*float64) {
		cells := e.cellsOf(r, rec, version)
		cost := r.reads(cells.Len(), each)
		if reads+cost > left {
			return nil
		}
		reads += cost
		t.From = cells.Panes(r.Metric, quarters, r.shaped(), func(i int, st windows.Stretch) {
			if values == nil {
				values = make([]*float64, n)
			}
			values[i] = known(rounded(r.figure(st)))
		})
		return values
	}
	if t.Values = read(rec.Version); t.Values == nil {
		return nil, reads
	}
	if rec.Previous != "" && rec.Previous != rec.Version {
		t.Previous = read(rec.Previous)
	}
	return t, reads
}

// rounded keeps six digits of a figure that is drawn: a trend is most of a record's bytes.
func rounded(v float64) float64 {
	if math.IsNaN(v) {
		return v
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return v // infinite
	}
	return short
}
