package detector

import "github.com/driftd/driftd/detector/evidence"

// hourly holds the scores of a series' first days by the hour, for a baseline that is the same hours of the day.
type hourly struct {
	began int64 // minute of the first scores
	tried int64 // whole days after which a baseline was looked for last
	seen  evidence.Seasonal
}

func (h *hourly) add(minute int64, w *evidence.Weights) {
	if h.seen.N() == 0 {
		h.began = minute
	}
	h.seen.Learn(hourOf(minute), w)
}

// seal is the baseline, once in each day at most: an hour more of some hours than of others would be no whole day. nil while there
// is too little.
func (h *hourly) seal(minute int64, by func(reference float64) float64) *baseline {
	days := (minute - h.began) / dayMinutes
	if days <= h.tried {
		return nil
	}
	h.tried = days
	blocks := h.seen.Seal()
	if blocks == nil {
		return nil
	}
	b := &baseline{rest: -1, at: minute, n: h.seen.N(), hours: evidence.Hours / len(blocks)}
	var whole evidence.Weights
	for i := range blocks {
		whole.Merge(&blocks[i].Weights)
		b.parts = append(b.parts, partOf(&blocks[i].Weights, blocks[i].Bound, by))
	}
	b.mean = whole.Mean()
	return b
}

// hourOf is the hour of the day, in UTC, of a minute since the epoch.
func hourOf(minute int64) int { return int(minute / 60 % evidence.Hours) }

func (h *hourly) save(dst []byte) []byte { return h.seen.Save(appendInts(dst, h.began, h.tried)) }

func (h *hourly) load(r *reader) {
	h.began, h.tried = r.varint(), r.varint()
	r.evidence(h.seen.Load)
}

// counts are how many scores of s each part of its baseline has had since the onset; nil where that cannot be told, for the windows
// hold a day.
func (d *drift) hourlyCounts(s *series, onset int64) []int64 {
	if onset < d.minute-dayMinutes || !d.mayRead(evidence.Hours+1) {
		return nil
	}
	counts := make([]int64, len(s.base.parts))
	for from := onset; from <= d.minute; {
		to := min((from/60+1)*60, d.minute+1)
		counts[s.base.part(from)] += d.store.Between(d.query(s), d.Metric, minuteTime(from), minuteTime(to)).N
		from = to
	}
	return counts
}
