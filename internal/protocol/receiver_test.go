package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/registry"
	"github.com/driftd/driftd/detector"
)

func encode(r *detector.Record) []byte {
	value, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return value
}

// receiver is told of alerts.
type receiver struct {
	name   string
	traits alert.Traits
	told   map[string]detector.RecordType // what it knows of each alert
	refs   int
}

// reached is a receiver as a process reaches it.
type reached struct {
	*receiver
	p *process
}

func (r reached) Traits() alert.Traits { return r.traits }

func (r reached) Deliver(ctx context.Context, n *alert.Notification) (ref string, err error) {
	var failed error
	err = r.p.ask(ctx, &call{what: "notify " + r.name, faulty: rare, do: func(o outcome) {
		if o.happens() {
			for _, m := range n.Firing {
				r.told[m.Record.ID] = detector.Firing
			}
			for _, m := range n.Resolved {
				r.told[m.Record.ID] = detector.Resolved
			}
			if ref = n.Ref; ref == "" {
				r.refs++
				ref = fmt.Sprint(r.refs)
			}
		}
		if o != fine && o != doubled {
			failed = errBroken
		}
	}})
	if err == nil {
		err = failed
	}
	return ref, err
}

// registryFake is a registry whose answer may come late, or never. It knows no idempotency keys.
type registryFake struct {
	current map[string]string
	moves   map[string]int // that changed something, by prompt
}

func newRegistry() *registryFake {
	return &registryFake{current: map[string]string{}, moves: map[string]int{}}
}

var versions = []registry.Version{{ID: "v2", CreatedAt: start.Add(-time.Hour)}, {ID: "v1", CreatedAt: start.Add(-2 * time.Hour)}}

func (r *registryFake) of(prompt string) registry.Version {
	v, _ := registry.Find(versions, r.current[prompt])
	if v.ID == "" {
		return versions[0]
	}
	return v
}

// asked is the registry as a process reaches it.
type asked struct {
	*registryFake
	p *process
}

func (r asked) Traits() registry.Traits { return registry.Traits{} }

func (r asked) Current(ctx context.Context, prompt string) (v registry.Version, err error) {
	err = r.p.ask(ctx, &call{what: "current " + prompt, do: func(outcome) { v = r.of(prompt) }})
	return v, err
}

func (r asked) List(ctx context.Context, prompt string) ([]registry.Version, error) {
	return versions, r.p.ask(ctx, &call{what: "list " + prompt, do: func(outcome) {}})
}

func (r asked) Move(ctx context.Context, m registry.Move) error {
	var answer error
	err := r.p.ask(ctx, &call{what: "move " + m.Prompt, faulty: rare, do: func(o outcome) {
		if o.happens() {
			done, err := m.Compare(r.of(m.Prompt))
			if answer = err; err == nil && !done {
				r.current[m.Prompt] = m.To.ID
				r.moves[m.Prompt]++
			}
		}
		if o != fine && o != doubled {
			answer = errBroken
		}
	}})
	if err == nil {
		err = answer
	}
	return err
}
