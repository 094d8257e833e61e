package oracle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// reading is what is known while the records are read.
type reading struct {
	Config
	want   *Want
	scales map[string]scale
	places map[place]*log
	events []*event // that are to be counted
	spans  []*event // that scores and calls may link to
}

// log is a source partition.
type log struct {
	newest int64 // event time of the records so far
	next   int64 // offset
	seen   map[string]int64
}

// read takes a record's events apart and keeps those that may count.
func (r *reading) read(rec *Record) error {
	at := slices.IndexFunc(r.Sources, func(s Source) bool { return s.Topic == rec.Topic })
	if at < 0 {
		return fmt.Errorf("read record: topic %s is no source", rec.Topic)
	}
	source := &r.Sources[at]
	key := place{rec.Topic, rec.Partition, rec.Incarnation}
	l := r.places[key]
	if l == nil {
		l = &log{seen: make(map[string]int64)}
		r.places[key] = l
	}
	if rec.Offset < l.next {
		return fmt.Errorf("read record: %s[%d]@%d comes behind offset %d", rec.Topic, rec.Partition, rec.Offset, l.next-1)
	}
	l.next = rec.Offset + 1
	if len(rec.Value) == 0 {
		return nil
	}
	if !rec.Unread {
		r.want.Counts.Records++
	}
	events, err := r.decode(source, rec.Value)
	if reason, ok := errors.AsType[fault](err); ok {
		if rec.Unread {
			return nil
		}
		r.want.Dead = append(r.want.Dead, Dead{rec.Topic, rec.Partition, rec.Incarnation, rec.Offset, -1, string(reason)})
		return nil
	}
	if err != nil {
		return err
	}
	newest := l.newest
	for i, e := range events {
		e.place, e.offset, e.index, e.unread = key, rec.Offset, i, rec.Unread && i >= rec.Counted
		if r.admit(e, l) {
			l.take(e, &newest, r, source)
		}
	}
	l.newest = newest
	return nil
}

func (r *reading) decode(s *Source, value []byte) ([]*event, error) {
	switch s.Encoding {
	case "otlp_proto":
		return decodeOTLP(value, r.Dimensions)
	case "driftd_json":
		e, err := decodeNative(value, r.Dimensions)
		return []*event{e}, err
	}
	return nil, fmt.Errorf("read topic %s: unknown encoding %q", s.Topic, s.Encoding)
}

// admit refuses an event that can have no place in time, or figures that no call has.
func (r *reading) admit(e *event, l *log) bool {
	switch {
	case e.fault != "":
	case e.time < year2000:
		e.refuse("bad_time")
	case e.time >= year2100:
		e.refuse("future")
	default:
		e.checkFigures()
	}
	if e.fault != "" && !e.unread {
		r.bury(e, e.fault)
	}
	return e.fault == ""
}

func (r *reading) bury(e *event, reason string) {
	r.want.Dead = append(r.want.Dead, Dead{e.topic, e.partition, e.incarnation, e.offset, e.index, reason})
}

// take keeps an event unless it came before, or comes too late for any window.
func (l *log) take(e *event, newest *int64, r *reading, source *Source) {
	*newest = max(*newest, e.time)
	if source.Dedup > 0 && l.repeats(e, int64(source.Dedup), r) {
		if !e.unread {
			r.want.Counts.Repeated++
		}
		return
	}
	if !e.score {
		r.spans = append(r.spans, e)
	}
	if e.unread {
		return
	}
	late := l.newest - e.time
	switch {
	case late > longest+int64(time.Hour):
		r.want.Counts.TooLate++
		return
	case late > longest-int64(time.Hour):
		r.want.unsure("%s[%d]@%d is late by about as much as the longest window is long", e.topic, e.partition, e.offset)
	}
	r.events = append(r.events, e)
}

// repeats tells whether the event came before in its partition: a span of the same id, or a score on the same rubric, of the same time and
// about the same span. What came before is known for a horizon behind the time that the partition has reached. Events that were
// refused for their time or figures do not stand for others, and what has no ids is never the same.
func (l *log) repeats(e *event, horizon int64, r *reading) bool {
	if e.trace == "" || e.span == "" || !e.score && !e.call && len(e.scores) == 0 {
		return false
	}
	key := "span " + e.trace + " " + e.span
	if e.score {
		if len(e.scores) != 1 {
			r.want.unsure("%s[%d]@%d is a score event with %d scores", e.topic, e.partition, e.offset, len(e.scores))
			return false
		}
		key = fmt.Sprintf("score %s %s %s %d", e.trace, e.span, e.scores[0].rubric, e.time)
	}
	before, known := l.seen[key]
	l.seen[key] = max(before, e.time)
	if !known {
		return false
	}
	apart := l.newest - before
	if apart > horizon-3*disorder && apart < horizon+3*disorder {
		r.want.unsure("%s[%d]@%d comes again about as late as repetitions are known", e.topic, e.partition, e.offset)
	}
	return apart <= horizon
}

// link gives spans and scores that name no prompt the labels of what they belong to.
func (r *reading) link() {
	traces, responses := make(map[string][]*event), make(map[string]*event)
	for _, s := range r.spans {
		if s.trace != "" {
			traces[s.trace] = append(traces[s.trace], s)
		}
	}
	own := make(map[*event]labels) // what the spans say of themselves
	for _, s := range r.spans {
		own[s] = s.labels
	}
	nested := make(map[*event]bool)
	for _, s := range r.spans {
		if s.call && s.prompt == "" {
			nested[s] = s.inherit(traces[s.trace], own)
		}
		if s.call && s.response != "" {
			responses[s.response] = s
		}
	}
	kept := r.events[:0]
	for _, e := range r.events {
		if e.score && e.prompt == "" {
			e.belong(traces[e.trace], responses, r.want)
		}
		if e.prompt != "" {
			kept = append(kept, e)
			continue
		}
		if e.call && !nested[e] {
			r.want.Counts.Promptless++
		}
		for range e.scores {
			r.bury(e, "unlinked")
		}
	}
	r.events = kept
}

// inherit gives a call the prompt of its nearest ancestor that names one, else the only one that spans of its trace name which are no
// calls. inside tells that the call is part of another one, which is counted in its place.
func (e *event) inherit(trace []*event, own map[*event]labels) (inside bool) {
	var from *labels
	dims := strings.Split(e.dims, "\x00")
	fill := func(l labels) {
		for i, d := range strings.Split(l.dims, "\x00") {
			if dims[i] == "" {
				dims[i] = d
			}
		}
	}
	for parent, depth := e.parent, 0; parent != "" && depth < 64; depth++ {
		i := slices.IndexFunc(trace, func(s *event) bool { return s.span == parent })
		if i < 0 || trace[i] == e {
			break
		}
		if l := own[trace[i]]; from == nil && l.prompt != "" {
			from = &l
		}
		inside = inside || trace[i].call
		fill(own[trace[i]])
		parent = trace[i].parent
	}
	if inside {
		return true
	}
	for _, s := range trace {
		l := own[s]
		if from != nil && from.prompt != "" {
			break
		}
		if !s.call && l.prompt != "" {
			from = &l
		}
	}
	if from == nil {
		return false
	}
	fill(*from)
	e.prompt, e.dims = from.prompt, strings.Join(dims, "\x00")
	if e.version == "" {
		e.version = from.version
	}
	return false
}

// belong gives a score the labels of the call that it names by its response or its span.
func (e *event) belong(trace []*event, responses map[string]*event, w *Want) {
	if s := responses[e.response]; e.response != "" && s != nil {
		e.labels = s.labels
		return
	}
	for _, s := range trace {
		if e.span != "" && s.span == e.span && s.prompt != "" {
			e.labels = s.labels
			return
		}
	}
	// What it is about was cut off: the calls right below stand for it, else the calls of the trace, else whatever of the trace names a
	// prompt, where all of them say the same.
	for _, stands := range []func(s *event) bool{
		func(s *event) bool { return s.call && s.parent == e.span }, func(s *event) bool { return s.call }, func(*event) bool { return true },
	} {
		var one *event
		same := true
		for _, s := range trace {
			if s.prompt != "" && stands(s) {
				same = same && (one == nil || one.labels == s.labels)
				one = s
			}
		}
		if one != nil && same {
			e.labels = one.labels
			return
		}
	}
	// Where none of them names a prompt there is nothing to link to.
	if slices.ContainsFunc(trace, func(s *event) bool { return s.prompt != "" }) {
		w.unsure("%s[%d]@%d is about a span that is not there, of a trace that is", e.topic, e.partition, e.offset)
	}
}

// judge counts the events in their panes, and refuses what cannot be counted.
func (r *reading) judge(rules *ruleSet) {
	newest := make(map[place]int64)
	offset := make(map[place]int64)
	before := make(map[place]int64)
	for _, e := range r.events {
		if offset[e.place] != e.offset {
			before[e.place], offset[e.place] = newest[e.place], e.offset
		}
		if late := before[e.place] - e.time; late > disorder && rules.watch(e.prompt) && (e.call || len(e.scores) > 0) {
			r.want.unsure("%s[%d]@%d is late by %v, of %s, which rules watch", e.topic, e.partition, e.offset, time.Duration(late), e.prompt)
		}
		newest[e.place] = max(newest[e.place], e.time)
		if e.checkLabels(); e.fault != "" {
			r.bury(e, e.fault)
			continue
		}
		scores, refused := e.judgeScores(r.scales)
		for _, reason := range refused {
			r.bury(e, reason)
		}
		r.want.Counts.Scores += len(scores)
		p := r.want.pane(e)
		for rubric, v := range scores {
			p.add(rubric, v)
		}
		if !e.call {
			continue
		}
		r.want.Counts.Calls++
		p.Calls++
		for _, name := range figureNames {
			v, ok := e.figures[name]
			if ok || name == "error" || name == "fallback" {
				p.add(name, v)
			}
		}
	}
}
