package web

import (
	"slices"
	"time"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/strictyaml"
)

// Silences are all of them.
type Silences struct {
	Silences []desk.Silence `json:"silences"`
}

func (s *Server) getSilences(*call) (Silences, error) {
	d, err := s.desk()
	if err != nil {
		return Silences{}, err
	}
	return Silences{d.Board().Silences()}, nil
}

// NewSilence is a body.
type NewSilence struct {
	By
	Matchers      []detector.Matcher `json:"matchers" doc:"All of them must match an alert's labels: alert (the rule), group, prompt, version, variant, the dimensions of its cohort, and what the rule says."`
	Starts        *time.Time         `json:"starts,omitempty" doc:"Now, without it."`
	Ends          *time.Time         `json:"ends,omitempty" doc:"Within 30 days; or for."`
	For           string             `json:"for,omitempty" doc:"How long, in place of ends: 90m, 2h, 7d."`
	UntilResolved bool               `json:"until_resolved,omitempty" doc:"End it as soon as none of the alerts that it matched fires any more."`
	Comment       string             `json:"comment" doc:"Why, for those who wonder."`
}

// Made is a silence, and how many alerts that fire it keeps quiet.
type Made struct {
	desk.Silence
	Alerts int    `json:"alerts"`
	Note   string `json:"note,omitempty" doc:"What may be a mistake."`
}

func (m Made) written() string { return m.ID }

func (s *Server) silence(c *call, in NewSilence) (Made, error) {
	d, err := s.desk()
	if err != nil {
		return Made{}, err
	}
	sil := detector.Silence{Matchers: in.Matchers, Starts: s.cfg.Now().UTC(), UntilResolved: in.UntilResolved, Comment: in.Comment}
	if in.Starts != nil {
		sil.Starts = *in.Starts
	}
	switch {
	case in.For != "" && in.Ends != nil:
		return Made{}, bad("leave one out", "both for and ends are given")
	case in.Ends != nil:
		sil.Ends = *in.Ends
	case in.For != "":
		long, err := strictyaml.ParseDuration(in.For)
		if err != nil {
			return Made{}, bad("such as 90m, 2h or 7d", "for cannot be %q", in.For)
		}
		sil.Ends = sil.Starts.Add(long)
	}
	id, err := d.Silence(c.Context(), c.who, sil)
	if err != nil {
		return Made{Silence: desk.Silence{ID: id}}, err
	}
	out := Made{}
	if out.Silence, err = d.Board().Silence(id); err != nil {
		return out, err
	}
	out.Alerts, out.Note = d.Board().Matching(out.Matchers), strange(out.Matchers, d.Board().Labels())
	return out, nil
}

// strange says which label of the matchers no alert has had, empty where all are known.
func strange(ms []detector.Matcher, known []string) string {
	for _, m := range ms {
		if slices.Contains(known, m.Label) {
			continue
		}
		note := "no alert so far has a label " + m.Label
		if near := strictyaml.Nearest(m.Label, known); near != "" {
			note += "; did you mean " + near + "?"
		}
		return note
	}
	return ""
}

func (s *Server) unsilence(c *call, _ By) (desk.Silence, error) {
	d, err := s.desk()
	if err != nil {
		return desk.Silence{}, err
	}
	// By its whole id: when it has ended, another one may begin so.
	v, err := d.Board().Silence(c.PathValue("id"))
	if err != nil {
		return v, err
	}
	if err := d.Unsilence(c.Context(), c.who, v.ID); err != nil {
		return v, err
	}
	return d.Board().Silence(v.ID)
}
