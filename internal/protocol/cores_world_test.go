package protocol

import (
	"fmt"
	"slices"
	"time"

	"github.com/driftd/driftd/consumer"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/windows"
)

// cores is a run of the cores of the stages on logs in memory: what workers do around them is played. One goroutine decides who does
// what next, and what becomes of it, so that thousands of schedules are played a second.
type cores struct {
	evidence
	*chance
	faults  int // that are still to come
	did     map[string]int
	story   []string
	now     time.Time // of the clock that events go by
	events  []event
	written int
	losing  bool // see world
	again   int

	sources []*sourceLog
	logs    []*sourceLog // those of earlier topics too
	state   [samplesPartitions]stateLog
	ingest  [][]*reading // by source partition: the last one owns it, those before are zombies
	detect  [][]*folding // by samples partition
	act     *telling
	told    [samplesPartitions]int64 // committed by act
	knows   map[string]detector.RecordType
	late    []func() // writes under way
}

// sourceLog is a source partition of a topic.
type sourceLog struct {
	origin
	*fate
	first             int64
	events            []*event // by offset
	committed, copied consumer.Commit
}

type stateLog struct {
	first   int64
	records [][]byte
}

// coresRules are of the kind that costs least.
var coresRules = parsed(`
groups:
  - name: g
    rules:
      - {alert: Quiet, volume: {below: 3, window: 1m}}
`)

// coresPlan is what of a world is not left to chance.
type coresPlan struct {
	number           int // of the stream
	sources, samples int // partitions
	losing           bool
}

func (w *cores) options() detector.PartitionOptions {
	return detector.PartitionOptions{Windows: windowOptions, Rules: coresRules, Partitions: len(w.detect)}
}

// newCores makes a small world, some even smaller: what can go wrong at all mostly does in one of those.
func newCores(c *chance, p coresPlan, faults int) *cores {
	w := &cores{
		evidence: newEvidence(), chance: c, faults: faults, did: map[string]int{},
		now: start, events: streamOf(p.number, false), losing: p.losing, knows: map[string]detector.RecordType{},
	}
	w.sources, w.ingest, w.detect = make([]*sourceLog, p.sources), make([][]*reading, p.sources), make([][]*folding, p.samples)
	w.make()
	for i := range w.detect {
		w.told[i] = -1
		w.fold(i)
	}
	w.tell()
	return w
}

// make makes the source topic, or makes it again.
func (w *cores) make() {
	w.again++
	for i := range w.sources {
		o := origin{topic: "spans", id: [16]byte{byte(w.again), 7}, partition: i}
		l := &sourceLog{origin: o, fate: w.fate(o), committed: consumer.Commit{Offset: -1}, copied: consumer.Commit{Offset: -1}}
		if was := w.sources[i]; was != nil {
			l.copied = was.copied
		}
		w.sources[i], w.logs = l, append(w.logs, l)
	}
	for i := range w.sources {
		w.read(i)
	}
}

// run plays until all that was written has passed through.
func (w *cores) run() {
	for calm, steps := 0, 0; ; steps++ {
		if steps > 50_000 {
			w.bad("it does not come to an end")
			return
		}
		if w.faults > 0 && w.pick(40) == 1 {
			w.fault()
		}
		if len(w.late) > 0 && w.pick(12) == 1 {
			w.late[0]()
			w.late = w.late[1:]
		}
		if w.step() {
			continue
		}
		if len(w.late) > 0 && w.pick(2) == 0 {
			w.late[0]()
			w.late = w.late[1:]
			continue
		}
		if calm == 3 { // and then all comes to its end
			w.faults = 0
		}
		if w.written == len(w.events) && len(w.late) == 0 {
			if calm++; calm > 6 { // ticks after the last event, in which windows come to theirs
				return
			}
		}
		w.tick()
	}
}

// step lets somebody do something; false when nobody has anything to do.
func (w *cores) step() bool {
	sources := len(w.sources)
	actors := sources + len(w.detect) + 1
	from := w.pick(actors)
	for i := range actors {
		switch at := (from + i) % actors; {
		case at < sources:
			all := w.ingest[at]
			if w.goOn(all[w.pick(len(all))]) || w.goOn(all[len(all)-1]) {
				return true
			}
		case at < actors-1:
			all := w.detect[at-sources]
			if w.advance(all[w.pick(len(all))]) || w.advance(all[len(all)-1]) {
				return true
			}
		case w.deal():
			return true
		}
	}
	return false
}

// tick lets time go by, which it does when all that there is has been dealt with: nobody is kept waiting for a minute.
func (w *cores) tick() {
	w.now = w.now.Add(30 * time.Second)
	time.Sleep(5 * time.Second) // for what is to be tried again
	for ; w.written < len(w.events) && w.events[w.written].at <= w.now.Sub(start); w.written++ {
		e := &w.events[w.written]
		if e.partition >= len(w.sources) {
			continue
		}
		l := w.sources[e.partition]
		if e.counts != "" {
			mark(&l.counts, int64(len(l.events)))
		}
		l.events = append(l.events, e)
	}
	if w.act.dead && (w.faults == 0 || w.pick(3) == 0) { // alerts may have ended meanwhile
		w.tell()
	}
	for i := range w.ingest {
		w.ingest[i] = slices.DeleteFunc(w.ingest[i], func(r *reading) bool { return r.dead })
		for _, r := range w.ingest[i] {
			r.core.Beat(w.announced())
		}
	}
}

func (w *cores) announced() (all []windows.Source) {
	for _, l := range w.sources {
		all = append(all, windows.Source{Topic: l.topic, Partition: int32(l.partition), Incarnation: l.id})
	}
	return all
}

// outcome decides what becomes of something that is written.
func (w *cores) outcome() outcome {
	if w.faults == 0 {
		return fine
	}
	o := w.chance.outcome()
	if o != fine {
		w.faults--
		w.did[o.String()]++
	}
	return o
}

// fault makes something go wrong.
func (w *cores) fault() {
	kinds := []string{"ingest killed", "ingest is a zombie", "detect killed", "detect is a zombie", "act killed", "reset back", "state emptied", "state cut"}
	if w.losing {
		kinds = append(kinds, "reset forward", "retention", "made again")
	}
	kind := kinds[w.pick(len(kinds))]
	i, d := w.pick(len(w.sources)), w.pick(len(w.detect))
	l := w.sources[i]
	next := int64(len(l.events))
	switch kind {
	case "ingest killed":
		w.kill(w.last(i))
	case "ingest is a zombie":
		w.read(i)
	case "detect killed":
		w.detect[d][len(w.detect[d])-1].dead = true
		w.fold(d)
	case "detect is a zombie":
		w.fold(d)
	case "act killed":
		w.act.dead = true
	case "reset back":
		l.committed.Offset = l.first + int64(w.pick(int(max(l.committed.Offset-l.first, 0))+1))
		if w.pick(2) == 1 {
			l.committed.Metadata = "" // most tools keep none
		}
		w.kill(w.last(i))
	case "state emptied", "state cut":
		s := &w.state[d]
		n := int64(len(s.records))
		if kind == "state cut" {
			n = s.first + int64(w.pick(int(n-s.first)+1))
		}
		s.first = n
		for _, f := range w.detect[d] { // or it would name what is gone
			f.dead = true
		}
		w.fold(d)
	case "reset forward":
		from := max(l.committed.Offset, 0)
		to := from + int64(w.pick(int(next-from)+1))
		l.gone(from, to)
		l.committed = consumer.Commit{Offset: to}
		w.kill(w.last(i))
	case "retention":
		to := l.first + int64(w.pick(int(next-l.first)+1))
		l.gone(max(l.committed.Offset, 0), to)
		l.first = to
		w.kill(w.last(i)) // it would find out
	case "made again":
		if w.again > 2 {
			return
		}
		for i, l := range w.sources {
			l.gone(max(l.committed.Offset, 0), int64(len(l.events)))
			w.last(i).dead = true
		}
		w.make()
	}
	w.faults--
	w.did[kind]++
	w.story = append(w.story, fmt.Sprint(kind, " ", i, d))
}

func (w *cores) last(i int) *reading { return w.ingest[i][len(w.ingest[i])-1] }

// check looks at what is left when all is over, and compares it with the events.
func (w *cores) check() (doubled, lost int) {
	doubled, lost = w.count()
	type pane struct {
		prompt string
		minute int64
	}
	want := map[pane]windows.Moments{}
	for _, l := range w.logs {
		for at, e := range l.events {
			if marked(l.counted, at) {
				m := want[pane{e.counts, e.time.Unix() / 60}]
				m.N, m.Sum = m.N+1, m.Sum+e.latency
				want[pane{e.counts, e.time.Unix() / 60}] = m
			}
		}
	}
	for _, prompt := range prompts {
		f := w.detect[kafkalog.PartitionFor(prompt, len(w.detect))]
		store := f[len(f)-1].core.Store()
		for minute := start.Unix()/60 - 1; minute <= start.Add(length).Unix()/60; minute++ {
			from := time.Unix(60*minute, 0)
			got, want := store.Between(windows.Query{Prompt: prompt, Version: "v1"}, windows.Latency, from, from.Add(time.Minute)), want[pane{prompt, minute}]
			if got.N != want.N || got.Sum != want.Sum {
				w.bad("%s at %s has %d events that sum up to %v, want %d and %v", prompt, from.UTC().Format(time.TimeOnly), got.N, got.Sum, want.N, want.Sum)
			}
		}
	}
	for p, f := range w.detect {
		next, fires := map[string]int{}, map[string]bool{}
		for _, a := range w.firsts(p) {
			r := a.record
			if next[r.ID]++; r.Step != next[r.ID] {
				w.bad("step %d of %s comes in place of %d, or is told in two ways", r.Step, r.ID, next[r.ID])
			}
			if delete(fires, r.ID); r.Type == detector.Firing {
				fires[r.ID] = true
			}
		}
		if _, firing := f[len(f)-1].core.Alerts(); firing != len(fires) {
			w.bad("%d alerts of partition %d fire, the log has %d", firing, p, len(fires))
		}
	}
	w.toldOf("the receiver", w.knows)
	return doubled, lost
}
