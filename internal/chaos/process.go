package main

import (
	"time"

	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
)

var processRows = []row{
	{name: "kill", does: "SIGKILL, all stages in one process", rounds: 5, do: kill},
	{name: "kill-stages", does: "SIGKILL of a stage, a process each", rounds: 6, do: killStages},
}

// kill ends the only process at any moment, and starts another one.
func kill(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		began, at := time.Now(), r.world.Clock.True()
		p.Kill()
		if p, err = r.world.Start("all"); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// killStages runs each stage in a process of its own and ends one of them at any moment.
func killStages(r *run) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	stages := []string{"ingest", "detect", "act"}
	running := map[string]*rig.Process{}
	var err error
	for _, s := range stages {
		if running[s], err = r.world.Start(s); err != nil {
			return err
		}
	}
	err = r.each(func(round int) error {
		s := stages[round%len(stages)]
		began, at := time.Now(), r.world.Clock.True()
		running[s].Kill()
		if running[s], err = r.world.Start(s); err != nil {
			return err
		}
		return r.recovers(began, at)
	})
	if err != nil {
		return err
	}
	return r.finish()
}
