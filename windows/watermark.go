package windows

import "time"

// idleAfter is how long, on the log's clock, a silent source partition is waited for.
const idleAfter = int64(60 * time.Second)

// forgetAfter is how long the cursor of a silent source is kept, on the log's clock: longer than any samples topic is.
const forgetAfter = int64(14 * 24 * time.Hour)

// farBehind is how far a source may be behind the furthest one to be waited for: a day, the longest window. What it brings is in
// no window of the others' time, and what they bring meanwhile has to be held in open panes.
const farBehind = quartersKept * quarterMinutes * minuteNanos

// Timeless is the watermark of a source whose events are late by nature: it says nothing about the time, so nobody waits for it
// and it leaves nobody behind.
const Timeless = int64(-1)

// clockwork tells the time from the log alone.
type clockwork struct {
	sources   map[Source]*source
	clock     int64 // newest ingest clock, Unix ns
	watermark int64 // Unix ns; 0 before the first
}

// source is what a store knows of a source partition.
type source struct {
	next      Position // the first position not counted yet
	watermark int64    // Unix ns; 0 before the first, or Timeless
	clock     int64    // of its last record, or of its announcement
}

// see moves the clocks by a batch's header and returns its source.
func (w *clockwork) see(b *Batch) *source {
	if b.Clock > w.clock {
		w.wake(b.Clock)
		w.clock = b.Clock
	}
	for _, a := range b.Announced {
		if w.sources[a] == nil {
			w.sources[a] = &source{clock: w.clock}
		}
	}
	src := w.sources[b.Source]
	if src == nil {
		src = &source{}
		w.sources[b.Source] = src
	}
	src.clock = max(src.clock, b.Clock)
	if b.Watermark == Timeless {
		src.watermark = Timeless
	} else {
		src.watermark = max(src.watermark, b.Watermark)
	}
	w.advance()
	return src
}

// wake gives the sources as long as ever to be heard of again when none was for that long: it was ingest that stood still, not
// they, and the first to be back must not leave the others behind.
func (w *clockwork) wake(clock int64) {
	if clock-w.clock <= idleAfter {
		return
	}
	for _, src := range w.sources {
		if src.clock >= w.clock-idleAfter {
			src.clock = clock
		}
	}
}

// advance sets the watermark to the least over the live sources; it never moves back.
func (w *clockwork) advance() {
	furthest := int64(0)
	for k, src := range w.sources {
		switch {
		case src.clock < w.clock-forgetAfter:
			delete(w.sources, k)
		case src.clock >= w.clock-idleAfter:
			furthest = max(furthest, src.watermark)
		}
	}
	least := furthest
	for _, src := range w.sources {
		if src.clock < w.clock-idleAfter || src.watermark == Timeless {
			continue
		}
		if src.watermark == 0 || src.watermark >= furthest-farBehind {
			least = min(least, src.watermark)
		}
	}
	w.watermark = max(w.watermark, least)
}

// Watermark is the event time up to which the input is taken as complete: the least of the live source partitions, zero
// before the first. A source partition is live while its last record is no older than a minute on the log's clock; time in which no
// source partition wrote does not count. One whose own watermark is more than 24 h behind the furthest is not waited for either:
// what it brings joins its panes as late samples as far as they are held, and is dropped as too late before that, until it has
// caught up. Of samples from before the first watermark see Advance.
func (w *clockwork) Watermark() time.Time {
	if w.watermark == 0 {
		return time.Time{}
	}
	return time.Unix(0, w.watermark).UTC()
}

// Clock is the newest ingest clock in the log, zero before the first.
func (w *clockwork) Clock() time.Time {
	if w.clock == 0 {
		return time.Time{}
	}
	return time.Unix(0, w.clock).UTC()
}
