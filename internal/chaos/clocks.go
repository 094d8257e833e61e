package main

import (
	"time"

	"github.com/driftd/driftd/internal/chaos/stream"
)

var clockRows = []row{
	{name: "clocks", does: "the machine's clock 10 min back, 10 min ahead, right", rounds: 2, slot: 12 * time.Minute, do: clocks},
}

// clocks sets the clock of the machine wrong, and right again, while driftd runs.
func clocks(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	w := r.world
	if _, err := w.Start("all"); err != nil {
		return err
	}
	err := r.each(func(int) error {
		for _, d := range []time.Duration{-10 * time.Minute, 10 * time.Minute, 0} {
			began, at := time.Now(), w.Clock.True()
			w.Clock.Jump(d)
			if err := r.recovers(began, at.Add(time.Minute)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.finish()
}
