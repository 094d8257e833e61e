package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/strictyaml"
)

// routes are all of the API.
var routes = []route{
	get("/status", "How this daemon is, and what is open.", nil, (*Server).getStatus),
	get("/rules", "Where the rules with a false-alarm budget stand, in the partitions of this process; at most 200 series a rule.", nil, (*Server).getRules),
	get("/alerts", "Alerts: those that fire, then those that are pending, then resolved ones; the newest first.", []param{
		{"state", "Only these: firing, pending, resolved, or open for the first two."}, {"prompt", "Only of this prompt."}, {"rule", "Only of this rule."},
		{"limit", "How many at most; 1000 without it."},
	}, (*Server).getAlerts),
	get("/alerts/{id}", "One alert. Ids may be cut to any beginning of four characters or more that only one has.", nil, (*Server).getAlert),
	change("POST", "/alerts/{id}/acknowledge", "Take on an alert and all of its group: it is not said again until it gets worse.", http.StatusOK, (*Server).acknowledge),
	get("/silences", "Silences: in force, not yet begun, expired within a week.", nil, (*Server).getSilences),
	change("POST", "/silences", "Make a silence: alerts that match are not told until it ends.", http.StatusCreated, (*Server).silence),
	change("DELETE", "/silences/{id}", "End a silence now.", http.StatusOK, (*Server).unsilence),
	get("/rollbacks", "Rollbacks, the newest first, and the kill switches that are thrown.", []param{
		{"state", "Only in this state, or open for those that are not over."}, {"prompt", "Only of this prompt."},
	}, (*Server).getRollbacks),
	get("/rollbacks/{id}", "One rollback.", nil, (*Server).getRollback),
	change("POST", "/rollbacks", "Roll back a prompt by hand. The guards are those of any other rollback.", http.StatusCreated, (*Server).rollback),
	change("POST", "/rollbacks/{id}/approve", "Approve a rollback that waits.", http.StatusOK, (*Server).approve),
	change("POST", "/rollbacks/{id}/reject", "Reject a rollback that waits; a reason is required.", http.StatusOK, (*Server).reject),
	change("POST", "/rollbacks/stop", "Throw the kill switch, of a prompt or of all.", http.StatusOK, (*Server).stop),
	change("POST", "/rollbacks/resume", "Take a kill switch back.", http.StatusOK, (*Server).resume),
	get("/audit", "What people and driftd did, the newest first; deliveries are left out.", []param{
		{"prompt", "Only of this prompt."}, {"actor", "Only by this one, such as driftd or token:ci."}, {"limit", "How many at most; 100 without it."},
	}, (*Server).getAudit),
}

// Status is how the daemon is.
type Status struct {
	Version string      `json:"version"`
	Now     time.Time   `json:"now" doc:"The daemon's clock."`
	Ready   bool        `json:"ready" doc:"Every check is well."`
	Checks  []Check     `json:"checks"`
	Board   bool        `json:"board" doc:"The whole alerts topic has been read; before, what is asked for is not answered."`
	Firing  int         `json:"firing" doc:"How many alerts fire."`
	Waiting int         `json:"waiting" doc:"How many rollbacks wait for a person."`
	Stops   []desk.Stop `json:"stops"`
}

func (s *Server) getStatus(*call) (Status, error) {
	out := Status{Version: s.cfg.Version, Now: s.cfg.Now().UTC(), Ready: true, Checks: s.cfg.Ready(), Stops: []desk.Stop{}}
	for _, c := range out.Checks {
		out.Ready = out.Ready && c.OK
	}
	if s.cfg.Desk == nil {
		return out, nil
	}
	b := s.cfg.Desk.Board()
	out.Board, out.Stops = b.Ready(), b.Stops()
	out.Firing, out.Waiting = b.Open()
	return out, nil
}

// Rules are where the rules stand.
type Rules struct {
	Rules []detector.RuleStatus `json:"rules"`
}

func (s *Server) getRules(c *call) (Rules, error) {
	ctx, cancel := context.WithTimeout(c.Context(), rulesWithin)
	defer cancel()
	all, err := s.cfg.Rules(ctx)
	if err != nil {
		return Rules{}, &unavailable{Problem{Error: err.Error()}}
	}
	out := Rules{append([]detector.RuleStatus{}, all...)}
	for i := range out.Rules {
		out.Rules[i].Series = append([]detector.SeriesStatus{}, out.Rules[i].Series...)
	}
	return out, nil
}

// desk is where people act, once it knows all there is.
func (s *Server) desk() (*desk.Desk, error) {
	switch {
	case s.cfg.Desk == nil:
		return nil, &unavailable{Problem{Error: "the act stage does not run in this process", Hint: "ask one in which it does"}}
	case !s.cfg.Desk.Board().Ready():
		return nil, &unavailable{Problem{Error: "the alerts topic is still being read", Hint: "try again in a moment; /-/ready says how driftd is"}}
	}
	return s.cfg.Desk, nil
}

// Alerts are some of them.
type Alerts struct {
	Alerts []desk.Alert `json:"alerts"`
	Total  int          `json:"total" doc:"How many there are before the limit."`
}

func (s *Server) getAlerts(c *call) (Alerts, error) {
	d, err := s.desk()
	if err != nil {
		return Alerts{}, err
	}
	limit, err := c.limit(1000, 100_000)
	if err != nil {
		return Alerts{}, err
	}
	state, prompt, rule := c.param("state"), c.param("prompt"), c.param("rule")
	switch state {
	case "", "open", "firing", "pending", "resolved":
	default:
		return Alerts{}, bad("one of firing, pending, resolved, open", "there is no state %q", state)
	}
	all := slices.DeleteFunc(d.Board().Alerts(), func(a desk.Alert) bool {
		return state == "open" && a.State == detector.Resolved || state != "" && state != "open" && string(a.State) != state ||
			prompt != "" && a.Step.Prompt != prompt || rule != "" && a.Step.Rule != rule
	})
	return Alerts{all[:min(limit, len(all))], len(all)}, nil
}

func (s *Server) getAlert(c *call) (desk.Alert, error) {
	d, err := s.desk()
	if err != nil {
		return desk.Alert{}, err
	}
	return d.Board().Alert(c.PathValue("id"))
}

// Acknowledge is a body.
type Acknowledge struct {
	By
	Comment string `json:"comment,omitempty" doc:"What you are going to do, for the others."`
}

func (s *Server) acknowledge(c *call, in Acknowledge) (desk.Alert, error) {
	d, err := s.desk()
	if err != nil {
		return desk.Alert{}, err
	}
	if err := d.Acknowledge(c.Context(), c.who, c.PathValue("id"), in.Comment); err != nil {
		return desk.Alert{}, err
	}
	return d.Board().Alert(c.PathValue("id"))
}

// Audit is what was done.
type Audit struct {
	Events []desk.Event `json:"events"`
}

func (s *Server) getAudit(c *call) (Audit, error) {
	d, err := s.desk()
	if err != nil {
		return Audit{}, err
	}
	limit, err := c.limit(100, 100_000)
	if err != nil {
		return Audit{}, err
	}
	prompt, actor := c.param("prompt"), c.param("actor")
	all := slices.DeleteFunc(d.Board().Audit(1<<30), func(e desk.Event) bool {
		return prompt != "" && e.Prompt != prompt || actor != "" && e.Actor != actor
	})
	return Audit{all[:min(limit, len(all))]}, nil
}

// near says what may have been meant by an id that nothing has.
func (s *Server) near(c *call) string {
	given := c.PathValue("id")
	b := s.cfg.Desk.Board()
	var ids []string
	switch {
	case strings.Contains(c.URL.Path, "/silences"):
		for _, v := range b.Silences() {
			ids = append(ids, v.ID)
		}
	case strings.Contains(c.URL.Path, "/rollbacks"):
		for _, a := range b.Attempts() {
			if !a.State.Over() && (a.Step.Rule == given || a.Prompt == given) {
				return fmt.Sprintf("did you mean %s (%s)?", a.ID, a.Prompt)
			}
			ids = append(ids, a.ID)
		}
	default:
		for _, a := range b.Alerts() {
			if a.State != detector.Resolved && (a.Step.Rule == given || a.Step.Prompt == given) {
				return fmt.Sprintf("did you mean %s (%s of %s)?", a.ID, a.Step.Rule, a.Step.Prompt)
			}
			ids = append(ids, a.ID)
		}
	}
	cut := make([]string, len(ids))
	for i, id := range ids {
		cut[i] = id[:min(len(id), len(given))]
	}
	if near := strictyaml.Nearest(given, cut); near != "" {
		return fmt.Sprintf("did you mean %s?", ids[slices.Index(cut, near)])
	}
	kind, _, _ := strings.Cut(strings.TrimPrefix(c.URL.Path, prefix+"/"), "/")
	return "GET " + prefix + "/" + kind + " lists them"
}
