// Package hooks hears of promotions that others make: the registry's webhook calls a [Handler], and a [Poller] looks, since a
// call may be lost or never set up. Both hand what they hear to an [Intake], which compares it with what the alerts topic tells
// already, a [Book], and writes what is news there as a registry_promoted record. What driftd itself has promoted is no news.
//
// Handler and Intake are for concurrent use; a Poller belongs to who ticks it; a Book is fed by alert.Follow.
package hooks

import (
	"sync"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

// settled is how long after a promotion of ours was given up it may still come through: the registry was slow.
const settled = 2 * time.Minute

// Book is where the label of each prompt points, as the alerts topic tells. It implements alert.Follower. Its methods may be called
// by any goroutine; it does no I/O.
type Book struct {
	progress *alert.Progress
	mu       struct {
		sync.Mutex
		labels []map[string]label // by partition, by prompt
	}
}

// label is that of one prompt.
type label struct {
	version string    // that it points at, empty where the topic does not tell
	at      time.Time // since when
	looked  bool      // told by the first look of this process, not by the topic
	changes int       // rises with every record of a promotion

	// asked is what the registry was last asked to promote by driftd; given up at the time ended, zero while it goes on.
	asked string
	ended time.Time
}

// NewBook returns an empty book about so many partitions of the alerts topic.
func NewBook(partitions int) *Book {
	b := &Book{progress: alert.NewProgress(partitions)}
	b.mu.labels = make([]map[string]label, partitions)
	return b
}

// Begin implements alert.Follower.
func (b *Book) Begin(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.progress.Begin(n)
	b.mu.labels[n] = map[string]label{}
}

// Live implements alert.Follower.
func (b *Book) Live(n int) { b.progress.Live(n) }

// Fold implements alert.Follower.
func (b *Book) Fold(n int, e alert.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.progress.Fold(n, e.Offset) {
		return
	}
	r := &e.Record
	l := b.mu.labels[n][r.Prompt]
	switch r.Type {
	case detector.RegistryPromoted:
		l.version, l.at, l.looked, l.asked = r.Version, r.Time, false, ""
	case detector.RollbackPromoting:
		l.asked, l.ended = r.Previous, time.Time{}
	case detector.RollbackPromoted:
		l.version, l.at, l.looked, l.asked = r.Previous, r.Time, false, ""
	case detector.RollbackRefused, detector.RollbackFailed:
		if l.asked == "" || l.asked != r.Previous || !l.ended.IsZero() {
			return
		}
		l.ended = r.Time
	default:
		return
	}
	l.changes++
	b.mu.labels[n][r.Prompt] = l
}

// Passed implements alert.Passer: who waits for the end of a partition waits for what cannot be read there as well.
func (b *Book) Passed(n int, next int64) { b.progress.Passed(n, next) }

// label returns what is known of a prompt's.
func (b *Book) label(prompt string) label {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, labels := range b.mu.labels {
		if l, ok := labels[prompt]; ok {
			return l
		}
	}
	return label{}
}

// look remembers the first look at a label of which the topic tells nothing; n is the prompt's partition.
func (b *Book) look(n int, prompt, version string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	labels := b.mu.labels[n]
	if l := labels[prompt]; labels != nil && l.version == "" {
		l.version, l.looked = version, true
		labels[prompt] = l
	}
}

// ours says whether driftd has asked for v and may have got it.
func (l *label) ours(v registry.Version, now time.Time) bool {
	return v.Is(l.asked) && (l.ended.IsZero() || now.Sub(l.ended) < settled)
}
