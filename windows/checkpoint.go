package windows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// The state log of a partition holds two kinds of records, each no longer than maxRecord:
//
//	'P' version crc32c · level · first minute · entries of a segment, written once
//	'C' version crc32c · id · part · parts · a part of a checkpoint
//
// A checkpoint names by their offsets the pane records that its windows need, so that starting reads those and nothing else.
// Every checkpoint is true for ever: a store is a function of its log, so it does not matter which of two writers wrote it.
const (
	stateVersion = 3
	maxRecord    = 800 << 10
	stateHeader  = 6
	panesRecord  = 'P'
	statesRecord = 'C'
)

// ErrState is the error for a damaged record of the state log.
var ErrState = errors.New("bad state record")

func appendRecord(kind byte, parts ...[]byte) []byte {
	out := append(make([]byte, 0, stateHeader+len(parts[len(parts)-1])+64), kind, stateVersion, 0, 0, 0, 0)
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.LittleEndian.PutUint32(out[2:], crc32.Checksum(out[stateHeader:], castagnoli))
	return out
}

func openRecord(record []byte) (kind byte, body []byte, err error) {
	if len(record) < stateHeader || record[1] != stateVersion ||
		crc32.Checksum(record[stateHeader:], castagnoli) != binary.LittleEndian.Uint32(record[2:]) {
		return 0, nil, ErrState
	}
	return record[0], record[stateHeader:], nil
}

// Checkpoint writes the panes that were sealed since the last one, then the state beside them with extra, the caller's own.
// write appends records to the state log in order and returns their offsets. After an error it may be called again.
func (s *Store) Checkpoint(extra []byte, write func(records [][]byte) ([]int64, error)) error {
	var records [][]byte
	var of []*segment
	for _, g := range s.segments() {
		for from := g.saved; from < len(g.buf); {
			to := g.cut(from)
			head := binary.AppendUvarint([]byte{g.levelByte(s)}, uint64(g.at))
			records = append(records, appendRecord(panesRecord, head, g.buf[from:to]))
			of = append(of, g)
			from = to
		}
	}
	if len(records) > 0 {
		offsets, err := write(records)
		if err != nil {
			return fmt.Errorf("write %d records of panes: %w", len(records), err)
		}
		for i, g := range of {
			g.refs = append(g.refs, offsets[i])
			g.saved = len(g.buf)
		}
	}
	state := s.appendState(nil, extra)
	id := binary.AppendUvarint(nil, s.batches)
	id = binary.LittleEndian.AppendUint32(id, crc32.Checksum(state, castagnoli))
	parts := slices.Collect(slices.Chunk(state, maxRecord))
	records = records[:0]
	for i, part := range parts {
		head := binary.AppendUvarint(slices.Clone(id), uint64(i))
		head = binary.AppendUvarint(head, uint64(len(parts)))
		records = append(records, appendRecord(statesRecord, head, part))
	}
	if _, err := write(records); err != nil {
		return fmt.Errorf("write checkpoint of %d bytes: %w", len(state), err)
	}
	return nil
}

// segments are those in use, minutes first.
func (s *Store) segments() []*segment {
	var out []*segment
	for i := range s.minutes {
		if s.minutes[i].used {
			out = append(out, &s.minutes[i])
		}
	}
	for i := range s.quarters {
		if s.quarters[i].used {
			out = append(out, &s.quarters[i])
		}
	}
	return out
}

func (g *segment) levelByte(s *Store) byte {
	for i := range s.minutes {
		if g == &s.minutes[i] {
			return 0
		}
	}
	return 1
}

// cut finds the end of the entries from one place on that fit a record.
func (g *segment) cut(from int) int {
	to := from
	for to < len(g.buf) {
		r := reader{b: g.buf[to:]}
		r.uvarint()
		r.bytes()
		next := len(g.buf) - len(r.b)
		if next-from > maxRecord && to > from {
			break
		}
		to = next
	}
	return to
}

// appendState encodes all but the sealed panes.
func (s *Store) appendState(dst, extra []byte) []byte {
	u := func(v uint64) { dst = binary.AppendUvarint(dst, v) }
	i := func(v int64) { dst = binary.AppendVarint(dst, v) }
	str := func(v string) { dst = AppendKey(dst, v) }
	flag := func(v bool) {
		if v {
			u(1)
		} else {
			u(0)
		}
	}
	u(s.batches)
	flag(s.started)
	i(s.sealed)
	i(s.clock)
	i(s.watermark)
	u(uint64(len(s.opt.Dimensions)))
	for _, d := range s.opt.Dimensions {
		str(d)
	}
	u(uint64(len(s.sources)))
	for k, src := range s.sources {
		dst = appendSource(dst, k)
		i(src.next.Offset)
		u(uint64(src.next.Index))
		i(src.watermark)
		i(src.clock)
	}
	u(uint64(len(s.metrics)) - uint64(NumBuiltin))
	for _, name := range s.metrics[NumBuiltin:] {
		str(name)
	}
	dst = s.axes.append(dst)
	u(uint64(len(s.prompts)))
	for _, p := range s.prompts {
		str(p.name)
		u(uint64(len(p.versions)))
		for _, v := range p.versions {
			str(v.name)
			i(v.first)
			i(v.last)
			i(v.sealed)
			str(v.previous)
			flag(v.newcomer)
		}
	}
	u(uint64(len(s.byID)))
	u(uint64(len(s.cells)))
	for _, c := range s.byID {
		if c == nil {
			continue
		}
		u(uint64(c.id))
		str(c.key)
		i(c.first)
		i(c.last)
		u(uint64(c.builtins))
		u(uint64(len(c.rubrics)))
		for _, r := range c.rubrics {
			u(uint64(r.metric))
			i(r.last)
		}
		u(uint64(len(c.open)))
		for _, p := range c.open {
			i(p.at)
			flag(p.quarter)
			flag(p.late)
			u(uint64(len(p.rows)))
			for _, w := range p.rows {
				dst = binary.LittleEndian.AppendUint64(dst, w)
			}
			u(uint64(len(p.partial)))
			dst = append(dst, p.partial...)
		}
	}
	segments := s.segments()
	u(uint64(len(segments)))
	for _, g := range segments {
		dst = append(dst, g.levelByte(s))
		i(g.at)
		u(uint64(g.saved))
		u(uint64(len(g.refs)))
		for _, ref := range g.refs {
			i(ref)
		}
	}
	u(uint64(len(extra)))
	return append(dst, extra...)
}
