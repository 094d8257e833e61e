package protocol

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// fault makes something go wrong.
func (s *simulation) fault() {
	s.faults--
	st := s.stages[s.pick(len(s.stages))]
	if s.over {
		st = s.stages[1+s.pick(len(s.stages)-1)]
	}
	var p *process
	if n := len(st.processes); n > 0 {
		p = st.processes[s.pick(n)]
	}
	kinds := []string{"killed", "zombie", "joined", "stopped", "reset back", "state emptied", "state cut"}
	if s.w.losing && !s.over {
		kinds = append(kinds, "reset forward", "retention", "made again")
	}
	kind := kinds[s.pick(len(kinds))]
	switch kind {
	case "killed":
		if p == nil || !s.spare(st) {
			return
		}
		s.kill(p)
	case "zombie":
		if p == nil || len(st.processes) > 2 || !s.spare(st) {
			return
		}
		s.mu.Lock()
		p.frozen, s.moved = true, true
		s.mu.Unlock()
		s.spawn(st)
	case "joined":
		if len(st.processes) > 2 {
			return
		}
		s.spawn(st)
	case "stopped": // SIGTERM
		if p == nil || !s.spare(st) {
			return
		}
		p.cancel()
	case "reset back", "reset forward":
		if !s.reset(kind == "reset forward") {
			return
		}
	case "state emptied", "state cut":
		l := s.kafka.log("driftd.state", s.pick(samplesPartitions))
		to := l.next
		if kind == "state cut" {
			to = l.first + int64(s.pick(int(l.next-l.first)+1))
		}
		s.restart(s.stages[1])
		l.cut(to)
	case "retention":
		topic, part := s.source()
		l := s.kafka.log(topic, part)
		to := l.first + int64(s.pick(int(l.next-l.first)+1))
		s.fate(s.origin(topic, part)).gone(s.below(topic, part), to)
		l.cut(to)
	case "made again":
		topic, _ := s.source()
		if s.w.linked || s.w.again > 1 {
			return
		}
		s.w.again++
		for part := range s.kafka.topics[topic].parts {
			s.fate(s.origin(topic, part)).gone(s.below(topic, part), s.kafka.log(topic, part).next)
			delete(s.kafka.committed, place{"driftd-ingest", topic, part}) // as Kafka does
		}
		s.kafka.create(topic, sourcePartitions)
		s.mu.Lock()
		s.moved = true
		s.mu.Unlock()
	}
	s.did[kind]++
	s.note(fmt.Sprintf("%s %s", kind, st.name))
}

// source is a source partition.
func (s *simulation) source() (topic string, partition int) {
	topics := s.stages[0].topics
	return topics[s.pick(len(topics))], s.pick(sourcePartitions)
}

// below is what the group will not read again unless it is reset: nothing is lost of it.
func (s *simulation) below(topic string, partition int) int64 {
	c := s.kafka.committed[place{"driftd-ingest", topic, partition}]
	if id := s.kafka.topics[topic].id; !strings.Contains(c.metadata, hex.EncodeToString(id[:])) {
		return 0 // it is of an earlier topic of this name, or set by hand
	}
	return c.offset
}

// restart kills all processes of a stage.
func (s *simulation) restart(st *stage) {
	for _, p := range slices.Clone(st.processes) {
		s.kill(p)
	}
}

// reset moves the committed offset of a source partition, as a tool does while nobody is in the group.
func (s *simulation) reset(forward bool) bool {
	topic, part := s.source()
	at := place{"driftd-ingest", topic, part}
	c, ok := s.kafka.committed[at]
	l := s.kafka.log(topic, part)
	if !ok || l.next == l.first || !s.spare(s.stages[0]) {
		return false
	}
	s.restart(s.stages[0])
	if forward {
		to := c.offset + int64(s.pick(int(max(l.next-c.offset, 0))+1))
		s.fate(s.origin(topic, part)).gone(s.below(topic, part), to)
		s.kafka.committed[at] = commit{offset: to}
		return true
	}
	c.offset = l.first + int64(s.pick(int(max(c.offset-l.first, 0))+1))
	if below := s.below(topic, part); s.pick(2) == 1 {
		c.metadata = ""    // most tools keep none
		if s.w.again > 0 { // it may be of an earlier topic, and is obeyed in this one
			s.fate(s.origin(topic, part)).gone(below, c.offset)
		}
	}
	s.kafka.committed[at] = c
	return true
}

// story is what happened.
func (s *simulation) story() string { return strings.Join(s.told, "\n") }
