package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
	"github.com/driftd/driftd/alert/desk"
	"github.com/driftd/driftd/detector"
)

const (
	// resolvedWithin is when a silence until resolved ends at the latest.
	resolvedWithin = 7 * 24 * time.Hour

	byButton = "by a button in Slack"
)

// buttonValue is what a button carries: the receiver that shows it, and the alert or rollback.
func buttonValue(receiver, id string) string { return receiver + "/" + id }

// press is something that someone pressed.
type press struct {
	app      *app
	user     api.User
	receiver string
	alertID  string
	attempt  string // of a decision
	channel  string
	response string // address of an answer that only that person sees
	trigger  string
}

// who is how the audit log names the person.
func (p *press) who() string {
	name := clean(p.user.Name)
	if name == "" {
		name = p.user.ID
	}
	return fmt.Sprintf("slack:%s (%s)", p.user.ID, cut(name, 80))
}

// handle does what was pressed and returns how it went, for the metric.
func (in *Interactions) handle(ctx context.Context, a *app, call *api.InteractionCallback) string {
	switch call.Type {
	case api.InteractionTypeBlockActions:
		result := "done"
		for _, action := range call.ActionCallback.BlockActions {
			p := &press{app: a, user: call.User, channel: call.Channel.ID, response: call.ResponseURL, trigger: call.TriggerID}
			if p.read(action) {
				result = in.pressed(ctx, p, action.ActionID)
			}
		}
		return result
	case api.InteractionTypeViewSubmission:
		return in.submitted(ctx, a, call)
	}
	return "done" // nothing of ours
}

// read takes what the button carries; false for none of ours.
func (p *press) read(action *api.BlockAction) bool {
	if !strings.HasPrefix(action.ActionID, "driftd_") {
		return false
	}
	receiver, id, ok := strings.Cut(action.Value, "/")
	if !ok || id == "" || !userID.MatchString(p.user.ID) {
		return false
	}
	p.receiver, p.alertID = receiver, id
	if action.ActionID == actApprove || action.ActionID == actReject {
		p.attempt = id
		p.alertID = id[:max(strings.LastIndexByte(id, '-'), 0)]
	}
	return true
}

func (in *Interactions) pressed(ctx context.Context, p *press, action string) string {
	found, leg, err := in.find(p)
	if err != nil {
		return in.unknown(ctx, p, err)
	}
	if no := in.denied(ctx, p, &leg, action); no != "" {
		return in.tell(ctx, p, "denied", no)
	}
	now := in.cfg.Now()
	switch action {
	case actAcknowledge:
		return in.answer(ctx, p, in.cfg.People.Acknowledge(ctx, p.who(), p.alertID, ""))
	case actApprove:
		return in.answer(ctx, p, in.cfg.People.Decide(ctx, p.who(), p.attempt, true, ""))
	case actReject:
		return in.answer(ctx, p, in.cfg.People.Decide(ctx, p.who(), p.attempt, false, byButton))
	case actSilenceHour, actSilenceResolved, actSilenceDialog:
		if stale := unsilenceable(&found); stale != "" {
			return in.tell(ctx, p, "stale", stale)
		}
	}
	s := detector.Silence{Matchers: matchers(&found, &leg), Ends: now.Add(time.Hour), Comment: byButton}
	switch action {
	case actSilenceResolved:
		s.UntilResolved, s.Ends = true, now.Add(resolvedWithin)
	case actSilenceHour:
	case actSilenceDialog:
		if _, err := p.app.api.OpenViewContext(ctx, p.trigger, dialog(p, s.Matchers)); err != nil {
			in.cfg.Log.Warn("cannot open a dialog in Slack", "error", explain(err, p.app.secrets()...))
			return in.tell(ctx, p, "failed", "Slack did not open the dialog: "+escape(explain(err, p.app.secrets()...))+". Please press once more.")
		}
		return "done"
	default:
		return "done"
	}
	_, err = in.cfg.People.Silence(ctx, p.who(), s)
	return in.answer(ctx, p, err)
}

// unknown tells someone that the alert cannot be found.
func (in *Interactions) unknown(ctx context.Context, p *press, err error) string {
	if errors.Is(err, ErrStarting) {
		return in.tell(ctx, p, "failed", "driftd has just started and still reads what happened. Please press again in a moment.")
	}
	return in.tell(ctx, p, "stale", "driftd knows nothing of this alert any more.")
}

// unsilenceable says why an alert cannot be silenced from its message any more; empty when it can.
func unsilenceable(a *desk.Alert) string {
	switch {
	case a.State == detector.Resolved:
		return "This alert resolved at " + utc(a.Since) + "; there is nothing to silence."
	case a.Silenced != "":
		return "This alert is silenced already."
	}
	return ""
}

// matchers are those of a silence for an alert's message: what all alerts in it have in common.
func matchers(a *desk.Alert, leg *alert.Leg) []detector.Matcher {
	by := leg.GroupBy
	if len(by) == 0 {
		by = alert.DefaultGroupBy()
	}
	var out []detector.Matcher
	for _, label := range by {
		out = append(out, detector.Matcher{Label: label, Op: "=", Value: a.Labels[label]})
	}
	return out
}

// denied says who may, to someone who may not; empty for those who may.
func (in *Interactions) denied(ctx context.Context, p *press, leg *alert.Leg, action string) string {
	ids, what := leg.Responders, "acknowledge or silence it"
	if action == actApprove || action == actReject {
		ids, what = leg.Approvers, "decide on a rollback"
		if len(ids) == 0 {
			return "Nobody may decide on rollbacks in Slack here: the route names no `approvers`. It can be done with driftd approve."
		}
	} else if len(ids) == 0 {
		return ""
	}
	ok, problem := p.app.groups.among(ctx, ids, p.user.ID)
	if ok {
		return ""
	}
	s := "Sorry, that is for others: " + mentions(ids) + " may " + what + " here."
	if problem != "" {
		s += " " + escape(problem)
	}
	return s
}

// answer tells the person what came of it, where the message will not.
func (in *Interactions) answer(ctx context.Context, p *press, err error) string {
	var done *desk.DoneError
	var invalid *desk.InvalidError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &done):
		return in.tell(ctx, p, "stale", "Already "+done.What+" by "+who(done.By)+" at "+utc(done.At)+".")
	case errors.As(err, &invalid):
		return in.tell(ctx, p, "stale", upper(escape(invalid.Error()))+".")
	case errors.Is(err, desk.ErrNotFound):
		return in.tell(ctx, p, "stale", "driftd knows nothing of this any more.")
	case errors.Is(err, desk.ErrUnseen):
		return in.tell(ctx, p, "done", "It is written down; the message will show it in a moment.")
	}
	in.cfg.Log.Warn("could not do what was pressed in Slack", "who", p.who(), "error", err)
	return in.tell(ctx, p, "failed", "driftd could not write that down. Please press once more.")
}

// tell says something to the person alone, and returns result.
func (in *Interactions) tell(ctx context.Context, p *press, result, text string) string {
	options := []api.MsgOption{api.MsgOptionText(cut(text, maxText), false), api.MsgOptionDisableLinkUnfurl()}
	err := errors.New("no response_url")
	if p.response != "" {
		_, _, err = p.app.api.PostMessageContext(ctx, p.channel, append(options, api.MsgOptionResponseURL(p.response, api.ResponseTypeEphemeral))...)
	}
	if err != nil && p.channel != "" {
		_, err = p.app.api.PostEphemeralContext(ctx, p.channel, p.user.ID, options...)
	}
	if err != nil {
		in.cfg.Log.Warn("could not answer in Slack", "who", p.who(), "error", explain(err, p.app.secrets()...))
	}
	return result
}

func utc(t time.Time) string { return clock(t, time.Now()) + " UTC" }

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
