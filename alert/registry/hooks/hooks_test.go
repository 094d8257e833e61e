package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/detector"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// topic is the alerts topic of one partition, followed by a book.
type topic struct {
	t      *testing.T
	book   *Book
	set    *metrics.Set
	intake *Intake
	spoken []string

	mu      sync.Mutex
	now     time.Time
	records []detector.Record
	behind  bool  // the book does not read on
	down    error // of the broker
}

func newTopic(t *testing.T, old ...detector.Record) *topic {
	w := &topic{t: t, book: NewBook(1), set: metrics.NewSet(), now: noon}
	w.book.Begin(0)
	for _, r := range old {
		w.add(r)
	}
	w.book.Live(0)
	w.intake = New(Config{
		Book: w.book, Log: w, Now: w.clock, Metrics: w.set, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Spoken: func(string) []string { return w.spoken },
	})
	return w
}

func (w *topic) clock() time.Time { return w.now }

func (w *topic) add(r detector.Record) (offset int64) {
	w.mu.Lock()
	w.records = append(w.records, r)
	offset = int64(len(w.records) - 1)
	behind := w.behind
	w.mu.Unlock()
	if !behind {
		w.book.Fold(0, alert.Entry{Offset: offset, Record: r})
	}
	return offset
}

func (w *topic) Append(_ context.Context, r detector.Record) (int, int64, error) {
	if w.down != nil {
		return 0, 0, w.down
	}
	return 0, w.add(r), nil
}

func (w *topic) End(context.Context, string) (int, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 0, int64(len(w.records)), w.down
}

// told are the records that say that someone promoted something.
func (w *topic) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for i := range w.records {
		if r := &w.records[i]; r.Type == detector.RegistryPromoted {
			out = append(out, fmt.Sprintf("%s %s for %q by %s at %s", r.Prompt, r.Version, r.Previous, r.Actor, r.Time.Format("15:04:05")))
		}
	}
	return strings.Join(out, "; ")
}

func (w *topic) want(told string) {
	w.t.Helper()
	if got := w.told(); got != told {
		w.t.Errorf("told %s, want %s", got, told)
	}
}

func (w *topic) counted(metric string, r result, want uint64) {
	w.t.Helper()
	if got := w.set.GetOrCreateCounter(fmt.Sprintf("%s{result=%q}", metric, r)).Get(); got != want {
		w.t.Errorf("%s %s: %d, want %d", metric, r, got, want)
	}
}

// ours is a record of a rollback of p from v23 to v22.
func ours(typ detector.RecordType, at time.Time) detector.Record {
	return detector.Record{ID: "9f3c", Step: 3, Type: typ, Time: at, Prompt: "p", Version: "v23", Previous: "v22", Actor: "driftd"}
}

func promoted(version string, at time.Time) detector.Record {
	return detector.Record{ID: "aa", Step: 1, Type: detector.RegistryPromoted, Time: at, Prompt: "p", Version: version, Actor: "jane"}
}

var errDown = errors.New("broker is down")

// TestBadTail: what nobody can read at the end of a partition keeps nobody waiting.
func TestBadTail(t *testing.T) {
	w := newTopic(t)
	c := w.handler("webhook")
	w.records = append(w.records, detector.Record{}) // passed over
	var follower alert.Follower = w.book
	follower.(alert.Passer).Passed(0, 1)
	c.call(204, `{"prompt":"p","version":"v23","author":"jane"}`)
	w.want(`p v23 for "" by jane at 12:00:00`)
}
