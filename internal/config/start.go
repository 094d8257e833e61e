package config

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// StartAt is where reading begins in a topic that has never been read.
type StartAt int

const (
	Earliest StartAt = iota // what the topic has
	Latest                  // what comes from now on
	AtTime                  // what came at Start.Time or later
)

// Start is where reading begins.
type Start struct {
	At   StartAt
	Time time.Time // of AtTime
}

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (s *Start) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("earliest, latest or a time")
		return
	}
	switch text {
	case "earliest":
		s.At = Earliest
	case "latest":
		s.At = Latest
	default:
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			hint := "write earliest, latest or a time such as 2026-11-20T14:00:00Z"
			if near := strictyaml.Nearest(text, []string{"earliest", "latest"}); near != "" {
				hint = "did you mean `" + near + "`?"
			}
			n.Errorf(hint, "`%s` is no place to start from", text)
			return
		}
		s.At, s.Time = AtTime, t
	}
}

// JSONSchema implements strictyaml.Schemer.
func (Start) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"enum": []string{"earliest", "latest"}},
		map[string]any{"type": "string", "format": "date-time"},
	}}
}

// Words implements strictyaml.Worded.
func (Start) Words() string { return "earliest, latest or a time" }
