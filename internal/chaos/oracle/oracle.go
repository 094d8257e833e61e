// Package oracle computes from the records of the source topics alone what driftd must make of them: every pane and window, every step
// of a threshold alert with its time and value, and what becomes a dead letter. It reads everything at once and shares no code with what
// it judges: it has decoders, sums, windows and alerts of its own, written from what the design says. It is meant to be read, not to be
// fast, and knows of the attributes of OpenTelemetry and the kinds of rules what chaos runs use.
//
// It holds where it does not matter how partitions interleave. What it finds in the records that makes it matter, such as a late event
// of a prompt that a rule watches, or a quantile within a digest's error of its bound, stands in [Want.Unsure].
package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Record is a record of a source topic as it stands there.
type Record struct {
	Topic       string
	Partition   int32
	Incarnation string // tells a topic from one of its name that was deleted before, as dead letters have it: its id in hex
	Offset      int64
	Value       []byte
	// Unread records stand in the log, but were passed over: nothing in them counts, though what counts may be linked to it, and is the
	// same as what was in them.
	Unread  bool
	Counted int // of an unread one: how many of its events did count, the first ones
}

// Source is a source topic.
type Source struct {
	Topic    string
	Encoding string        // otlp_proto or driftd_json
	Dedup    time.Duration // horizon within which what came before does not count again; 0 is none
}

// Config says how driftd was set up.
type Config struct {
	Sources    []Source
	Dimensions []string // beside prompt and version
	Rules      []byte   // a rule file
	Until      time.Time
}

// Want is what must come out.
type Want struct {
	Dimensions []string
	Until      time.Time                // figures and steps are of before it, or then
	Panes      map[Cell]map[int64]*Pane // by minute since 1970
	Beyond     map[string]bool          // prompts of which there is more behind Until
	Steps      []Step                   // in the order of time, then of rules and subjects
	Dead       []Dead                   // dead letters, in the order of topics and places
	Counts     Counts
	Unsure     []string // why the rest may be wrong; empty where the records are as this package needs them
}

// Counts are of what was read.
type Counts struct {
	Records    int // that are not empty
	Calls      int // that count
	Scores     int
	Repeated   int // events that came before, within the horizon of dedup
	TooLate    int // events that are older than any window
	Promptless int // calls without a prompt
}

// Dead is a record or an event that must be in the dead letters.
type Dead struct {
	Topic       string
	Partition   int32
	Incarnation string // as of its Record
	Offset      int64
	Index       int // of the event in its record; -1 for the record
	Reason      string
}

func (d Dead) String() string {
	return fmt.Sprintf("%s[%d]@%d#%d %s", d.Topic, d.Partition, d.Offset, d.Index, d.Reason)
}

// Compute reads the records, of one partition in the order of their offsets.
func Compute(records []Record, c Config) (*Want, error) {
	rules, err := parseRules(c.Rules)
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	w := &Want{Dimensions: c.Dimensions, Until: c.Until, Panes: make(map[Cell]map[int64]*Pane), Beyond: make(map[string]bool)}
	r := &reading{Config: c, want: w, scales: rules.scales, places: make(map[place]*log)}
	for _, rec := range records {
		if err := r.read(&rec); err != nil {
			return nil, fmt.Errorf("oracle: %w", err)
		}
	}
	r.link()
	r.judge(rules)
	w.cutOff()
	w.alerts(rules)
	slices.SortFunc(w.Dead, func(a, b Dead) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Incarnation, b.Incarnation), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Reason, b.Reason))
	})
	w.Dead = slices.Compact(w.Dead)
	return w, nil
}

func (w *Want) unsure(format string, args ...any) {
	if len(w.Unsure) < 100 {
		w.Unsure = append(w.Unsure, fmt.Sprintf(format, args...))
	}
}
