package web

import (
	"context"
	"slices"
	"strings"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/internal/strictyaml"
)

// Rollbacks are some of them.
type Rollbacks struct {
	Rollbacks []desk.Attempt `json:"rollbacks"`
	Stops     []desk.Stop    `json:"stops"`
}

func (s *Server) getRollbacks(c *call) (Rollbacks, error) {
	d, err := s.desk()
	if err != nil {
		return Rollbacks{}, err
	}
	state, prompt := c.param("state"), c.param("prompt")
	all := slices.DeleteFunc(d.Board().Attempts(), func(a desk.Attempt) bool {
		return state == "open" && a.State.Over() || state != "" && state != "open" && string(a.State) != state || prompt != "" && a.Prompt != prompt
	})
	return Rollbacks{all, d.Board().Stops()}, nil
}

func (s *Server) getRollback(c *call) (desk.Attempt, error) {
	d, err := s.desk()
	if err != nil {
		return desk.Attempt{}, err
	}
	return d.Board().Attempt(c.PathValue("id"))
}

// NewRollback is a body.
type NewRollback struct {
	By
	Prompt string `json:"prompt" doc:"The prompt."`
	To     string `json:"to,omitempty" doc:"The version to promote; without it the one before the current one, where that is known."`
	Reason string `json:"reason,omitempty" doc:"Why, for those who read it later; required with force."`
	Force  string `json:"force,omitempty" doc:"The one guard that is passed over; it is audited."`
}

// Asked is a rollback that was asked for.
type Asked struct{ desk.Attempt }

func (a Asked) written() string { return a.ID }

func (s *Server) rollback(c *call, in NewRollback) (Asked, error) {
	d, err := s.desk()
	if err != nil {
		return Asked{}, err
	}
	id, err := d.Rollback(c.Context(), c.who, in.Prompt, in.To, in.Reason, in.Force)
	if err != nil {
		return Asked{desk.Attempt{ID: id}}, err
	}
	a, err := d.Board().Attempt(id)
	return Asked{a}, err
}

// Reason is a body.
type Reason struct {
	By
	Reason string `json:"reason,omitempty" doc:"Why."`
}

func (s *Server) approve(c *call, in Reason) (desk.Attempt, error) { return s.decide(c, in, true) }
func (s *Server) reject(c *call, in Reason) (desk.Attempt, error)  { return s.decide(c, in, false) }

func (s *Server) decide(c *call, in Reason, approve bool) (desk.Attempt, error) {
	d, err := s.desk()
	if err != nil {
		return desk.Attempt{}, err
	}
	a, err := d.Board().Attempt(c.PathValue("id"))
	if err != nil {
		return a, err
	}
	if err := d.Decide(c.Context(), c.who, a.ID, approve, in.Reason); err != nil {
		return a, err
	}
	return d.Board().Attempt(a.ID)
}

// Switch is a body.
type Switch struct {
	By
	Prompt string `json:"prompt,omitempty" doc:"Of this prompt; of all without it."`
	Reason string `json:"reason,omitempty" doc:"Why; required to stop."`
}

// Stops are the kill switches that are thrown.
type Stops struct {
	Stops []desk.Stop `json:"stops"`
	Note  string      `json:"note,omitempty" doc:"What may be a mistake."`
}

func (s *Server) stop(c *call, in Switch) (Stops, error) {
	out, err := s.turn(c, in, (*desk.Desk).Stop)
	if prompt := strings.TrimSpace(in.Prompt); err == nil && prompt != "" {
		if known := s.cfg.Desk.Board().Prompts(); !slices.Contains(known, prompt) {
			out.Note = "nothing is known so far of a prompt " + prompt
			if near := strictyaml.Nearest(prompt, known); near != "" {
				out.Note += "; did you mean " + near + "?"
			}
		}
	}
	return out, err
}

func (s *Server) resume(c *call, in Switch) (Stops, error) { return s.turn(c, in, (*desk.Desk).Resume) }

func (s *Server) turn(c *call, in Switch, do func(d *desk.Desk, ctx context.Context, who, prompt, reason string) error) (Stops, error) {
	d, err := s.desk()
	if err != nil {
		return Stops{}, err
	}
	prompt := strings.TrimSpace(in.Prompt)
	if prompt == "" && in.Prompt != "" {
		return Stops{}, bad("leave it out for all prompts", "this is no name of a prompt")
	}
	if err := do(d, c.Context(), c.who, prompt, in.Reason); err != nil {
		return Stops{}, err
	}
	return Stops{Stops: d.Board().Stops()}, nil
}
