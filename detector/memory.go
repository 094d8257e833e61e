package detector

import (
	"encoding/binary"

	"github.com/driftd/driftd/detector/evidence"
	"github.com/driftd/driftd/windows"
)

// A sequential rule remembers
//
//	version 1 byte · minute · purse · number of series · series in order
//
// and of each series where it stands: side, prompt, version, cohort; minute of its newest scores; values outside the range;
// what is there, as bits; learner; baseline and evidence; stretch.
const (
	hasLearner = 1 << iota
	hasBase
	isWatched
	hasStretch
	hasHourly
	hasAll = 1<<iota - 1
)

const sequentialVersion = 1

func (k *sequential) save(dst []byte) []byte {
	if k.register.n == 0 && k.purse.Paid() == 0 {
		return dst
	}
	dst = append(dst, sequentialVersion)
	dst = k.purse.Save(appendInts(dst, k.minute))
	dst = binary.AppendUvarint(dst, uint64(k.register.n))
	for _, s := range k.sorted() {
		dst = append(dst, byte(s.release.side))
		dst = windows.AppendKey(dst, s.prompt, s.version)
		dst = binary.AppendUvarint(dst, uint64(len(s.cohort)))
		dst = windows.AppendKey(dst, s.cohort...)
		dst = appendInts(dst, s.last, s.clamped)
		has := byte(0)
		for i, is := range []bool{s.learner != nil, s.begun(), s.watched, s.alert != nil, s.hourly != nil} {
			if is {
				has |= 1 << i
			}
		}
		dst = append(dst, has)
		if s.learner != nil {
			dst = s.learner.save(dst)
		}
		if s.hourly != nil {
			dst = s.hourly.save(dst)
		}
		if has&hasBase != 0 {
			dst = k.saveEvidence(dst, s)
		}
		if s.alert != nil {
			dst = s.stretch.save(dst)
		}
	}
	return dst
}

// load also makes the rule forget what it has learned so far.
func (k *sequential) load(src []byte) error {
	k.register = register{releases: make(map[releaseKey]*release)}
	k.purse, k.minute = evidence.Purse{}, -1
	k.fresh, k.firing, k.wait = nil, nil, nil
	if len(src) == 0 {
		return nil
	}
	if src[0] != sequentialVersion {
		return errState
	}
	r := reader{rest: src[1:]}
	k.minute = r.varint()
	r.evidence(k.purse.Load)
	for range r.count() {
		key := releaseKey{side: int(r.fixed(1)[0]), prompt: r.text(), version: r.text()}
		cohort := make([]string, r.count())
		for i := range cohort {
			cohort[i] = r.text()
		}
		if len(cohort) == 0 {
			cohort = nil
		}
		if key.side > compareSide || len(cohort) > len(k.group.SliceBy) {
			return errState
		}
		s, made := k.seriesAt(key, cohort)
		s.last, s.clamped = r.varint(), r.varint()
		has := r.fixed(1)[0]
		if has&hasLearner != 0 {
			s.learner = &learner{}
			s.learner.load(&r)
		}
		if has&hasHourly != 0 {
			s.hourly = &hourly{}
			s.hourly.load(&r)
		}
		if has&hasBase != 0 {
			k.loadEvidence(&r, s)
		}
		if has&isWatched != 0 {
			k.watch(s)
		}
		if has&hasStretch != 0 {
			s.stretch.load(&r)
		}
		if r.bad || !made || has > hasAll || has&isWatched != 0 && has&hasBase == 0 {
			return errState
		}
	}
	if r.bad || len(r.rest) > 0 {
		return errState
	}
	return nil
}

// evidence reads a part whose length only its own Load knows.
func (r *reader) evidence(load func(src []byte) (rest []byte, err error)) {
	rest, err := load(r.rest)
	if err != nil {
		r.bad, rest = true, nil
	}
	r.rest = rest
}
