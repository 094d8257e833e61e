package detector

import (
	"cmp"
	"slices"
)

// other is what moves beside the alert, or does not.
type other struct {
	prompt, version string
	motion          motion
	move            move
	early           bool // it moved before the version of the alert came
}

// lookElsewhere finds out whether the other versions of the prompt moved, and other prompts on the same model.
func (q *inquiry) lookElsewhere() {
	if !q.clues.real {
		return
	}
	own := q.rec.Version
	from := min(q.before.from.Sub(q.turn), -shortBefore) // a canary is not compared with what was before
	for _, v := range q.store.Live(q.rec.Prompt, q.turn.Add(-shortBefore)) {
		if v == own || len(q.versions) == maxVersions {
			continue
		}
		rows := q.table(q.rec.Prompt, sided{version: v, span: span{q.turn.Add(from), q.turn}}, q.since(v, q.turn), q.focus)
		o := other{version: v, move: moveOf(rows)}
		o.motion = o.move.beside(&q.effect, q.relative)
		if q.clues.began && v == q.before.version && o.motion != moved {
			last := q.turn.Add(-nearOnset)
			rows := q.table(q.rec.Prompt, sided{version: v, span: span{q.before.from, last}}, sided{version: v, span: span{last, q.turn}}, q.focus)
			if m := moveOf(rows); m.beside(&q.effect, q.relative) == moved {
				o.motion, o.move, o.early = moved, m, true
			}
		}
		q.versions = append(q.versions, o)
	}
	model := q.axes.model(q.rec.Prompt, own)
	if model != "" {
		for i, on := range q.axes.onModel(model) {
			if len(q.prompts) == maxPrompts || i == maxOnModel {
				break
			}
			if on[0] == q.rec.Prompt {
				continue
			}
			rows := q.table(on[0], sided{version: on[1], span: span{q.turn.Add(from), q.turn}}, q.since(on[1], q.turn), nil)
			o := other{prompt: on[0], version: on[1], move: moveOf(rows)}
			o.motion = o.move.beside(&q.effect, q.relative)
			if o.motion == moved && (q.clues.edited || q.clues.model) && q.movedEarlier(&o) {
				continue // it has moved, but not with this version, of which is known what changed
			}
			if o.motion != unknown {
				q.prompts = append(q.prompts, o)
			}
		}
	}
	q.clues.versions, q.clues.prompts = together(q.versions), majority(q.prompts)
	q.clues.shared = model != ""
	for _, o := range slices.Concat(q.versions, q.prompts) {
		prompt := cmp.Or(o.prompt, q.rec.Prompt)
		on := model != "" && q.axes.model(prompt, o.version) == model
		q.clues.shared = q.clues.shared && (o.motion != moved || on && q.swapped(prompt, o.version))
		q.clues.spared = q.clues.spared || o.motion == stood && o.prompt == "" && on
	}
}

// movedEarlier says that a version of another prompt had moved half an hour before the turn: it was nearer by then to what it is since
// than to what it was.
func (q *inquiry) movedEarlier(o *other) bool {
	last := sided{version: o.version, span: span{q.turn.Add(-nearOnset), q.turn}}
	m := moveOf(q.table(o.prompt, last, q.since(o.version, q.turn), nil))
	return !m.thin() && m.rate*q.direction < o.move.rate*q.direction/2
}

// swapped says that the model under a version changed near the turn.
func (q *inquiry) swapped(prompt, version string) bool {
	return slices.ContainsFunc(q.axes.changes(prompt, version, q.turn.Add(-nearOnset), q.turn.Add(nearOnset)), func(c Changed) bool { return c.Axis == axisModel })
}

// together is how all of those moved that can be judged.
func together(others []other) (m motion) {
	for _, o := range others {
		switch {
		case o.motion == unknown || o.motion == m:
		case m == unknown:
			m = o.motion
		default:
			return mixed
		}
	}
	return m
}

// majority is how most of those moved that can be judged; mixed where they are even.
func majority(others []other) motion {
	n := 0
	for _, o := range others {
		switch o.motion {
		case moved:
			n++
		case stood:
			n--
		}
	}
	switch {
	case n > 0:
		return moved
	case n < 0:
		return stood
	case len(others) > 0:
		return mixed
	}
	return unknown
}
