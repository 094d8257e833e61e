package detector

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/driftd/driftd/windows"
)

const (
	figuresMinutes  = int64(quarter / time.Minute) // after midnight, in which the figures of a day are told: then its first quarter of an hour is no longer held
	figuresPrompts  = 100                          // at least, in a minute, so that few prompts are told at once
	figuresVersions = 20                           // of a prompt, the most called
	figuresRubrics  = 50                           // of a version, those with the most scores
)

// days tells the figures of each prompt's last UTC day, beginning with the tick at its end. A partition of many prompts takes a quarter of
// an hour, for as long as the whole day is held.
type days struct {
	from    time.Time // the day at hand
	pending []string  // prompts whose figures are not told yet, sorted
}

// tick appends the figures that are due.
func (d *days) tick(e *engine) {
	if e.now.Truncate(day).Equal(e.now) {
		d.from, d.pending = e.now.Add(-day), slices.DeleteFunc(e.store.Prompts(), func(p string) bool { return p == windows.Other })
	}
	if len(d.pending) == 0 {
		return
	}
	left := max(figuresMinutes-int64(e.now.Sub(d.from.Add(day))/time.Minute), 1) // ticks
	n := min(max(figuresPrompts, (len(d.pending)+int(left)-1)/int(left)), len(d.pending))
	for _, prompt := range d.pending[:n] {
		if rec := e.dayOf(prompt, d.from); rec != nil {
			e.out = append(e.out, emitted{Record: *rec})
		}
	}
	if d.pending = d.pending[n:]; len(d.pending) == 0 {
		d.pending = nil
	}
}

// dayOf are the figures of a prompt's day, nil when it was not called.
func (e *engine) dayOf(prompt string, from time.Time) *Record {
	key := sha256.Sum256(windows.AppendKey(nil, prompt, string(DayFigures)))
	rec := &Record{
		ID: ID(key[:16]).String(), Step: int(from.Unix() / int64(day/time.Second)), Type: DayFigures, Time: e.now, Prompt: prompt,
	}
	for _, version := range e.store.VersionNames(prompt) {
		cells := e.store.CellsOf(prompt, version)
		calls, of, latency := cells.Quarters(windows.Latency, from, from.Add(day))
		if calls == 0 {
			continue
		}
		rec.Samples += calls
		f := Figures{Version: version, Calls: calls}
		f.P50, f.P95 = known(rounded(latency.Quantile(0.5))), known(rounded(latency.Quantile(0.95)))
		if cost := of[windows.Cost]; cost.N > 0 {
			f.Cost = known(rounded(cost.Sum))
		}
		if errors := of[windows.Error]; errors.N > 0 {
			f.Errors = known(rounded(errors.Sum / float64(errors.N)))
		}
		f.Scores = scoresOf(of)
		rec.Figures = append(rec.Figures, f)
	}
	if rec.Figures == nil {
		return nil
	}
	slices.SortStableFunc(rec.Figures, func(a, b Figures) int { return cmp.Compare(b.Calls, a.Calls) })
	rec.Figures = rec.Figures[:min(len(rec.Figures), figuresVersions)]
	return rec
}

// scoresOf are the rubrics among the metrics.
func scoresOf(of map[string]windows.Total) map[string]Scored {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b].N, of[a].N), cmp.Compare(a, b)) })
	var scores map[string]Scored
	for _, name := range names {
		if n := of[name].N; n > 0 && !windows.Reserved(name) && len(scores) < figuresRubrics {
			if scores == nil {
				scores = make(map[string]Scored)
			}
			scores[name] = Scored{Mean: rounded(of[name].Sum / float64(n)), N: n}
		}
	}
	return scores
}

func (d *days) save(dst []byte) []byte {
	dst = appendMinute(dst, d.from)
	dst = binary.AppendUvarint(dst, uint64(len(d.pending)))
	return windows.AppendKey(dst, d.pending...)
}

func (d *days) load(r *reader) {
	*d = days{from: r.minute()}
	for range r.count() {
		d.pending = append(d.pending, r.text())
	}
}
