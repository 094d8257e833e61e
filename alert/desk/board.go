// Package desk is where people act: a [Board] that shows the state of the whole alerts topic, and a [Desk] that takes what they
// do (acknowledge, silence, approve, reject, roll back, stop rollbacks), checks it against the board and writes it into the
// topic. Slack's buttons, the API and the command line all go through it. Nothing is kept but the topic: each instance reads all
// of it, so all of them agree.
//
// A board is fed by alert.Follow, one goroutine a partition, and read by anyone; it has a lock of its own and does no I/O.
package desk

import (
	"sync"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

// What a board keeps of what is over, for all partitions together; each has its share, and fewKept at least.
const (
	keptAlerts   = 2000 // resolved
	keptAttempts = 1000 // over
	keptAudit    = 5000
	fewKept      = 50

	keptEvents   = 12 // of one alert, the newest
	keptChanges  = 10 // of who promoted what, of one prompt
	keptSilences = 7 * 24 * time.Hour
)

// BoardConfig is what a Board needs.
type BoardConfig struct {
	Partitions int              // of the alerts topic
	Now        func() time.Time // the clock that silences go by
	// UntilWorseBy ends an acknowledgement: how much further beyond the bound a value must be, as a share of the bound.
	UntilWorseBy float64
}

// Board is the state of the whole alerts topic. It implements alert.Follower. Its methods may be called by any goroutine; what
// they return is the caller's.
type Board struct {
	cfg      BoardConfig
	progress *alert.Progress
	mu       struct {
		sync.Mutex
		parts    []*part
		silences *alert.Silences
	}
}

// NewBoard returns an empty board, which is not ready.
func NewBoard(cfg BoardConfig) *Board {
	b := &Board{cfg: cfg, progress: alert.NewProgress(cfg.Partitions)}
	b.mu.silences = alert.NewSilences()
	for range cfg.Partitions {
		b.mu.parts = append(b.mu.parts, newPart(&b.cfg))
	}
	return b
}

// Begin implements alert.Follower.
func (b *Board) Begin(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.parts[n] = newPart(&b.cfg)
	if !b.progress.Begin(n) {
		return
	}
	// What silences match goes over all partitions: it is found anew from what the others have.
	b.mu.silences = alert.NewSilences()
	for _, p := range b.mu.parts {
		for _, s := range p.silences {
			b.mu.silences.Fold(&s.Record)
		}
		for _, a := range p.alerts {
			b.mu.silences.Fold(a.step)
		}
	}
}

// Fold implements alert.Follower.
func (b *Board) Fold(n int, e alert.Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.progress.Fold(n, e.Offset) {
		return
	}
	p := b.mu.parts[n]
	for _, id := range p.fold(e) {
		b.mu.silences.Forget(id)
	}
	b.mu.silences.Fold(&e.Record)
	if e.Record.Type == detector.Silenced {
		for _, id := range p.expired() {
			b.mu.silences.Remove(id)
		}
	}
}

// Live implements alert.Follower.
func (b *Board) Live(n int) { b.progress.Live(n) }

// Ready says that every partition has been read to where it ended when it was begun: before, what is shown is not all there is.
func (b *Board) Ready() bool { return b.progress.Ready() }

// each calls f for every partition, under the lock.
func (b *Board) each(f func(p *part)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.mu.parts {
		f(p)
	}
}
