package slack

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/detector"
)

const (
	dialogID   = "driftd_silence"
	dialogFor  = "driftd_for"
	dialogText = "driftd_comment"

	untilResolved = "resolved"
)

// lengths are those that the dialog offers.
var lengths = []struct{ value, name string }{
	{"30m", "30 minutes"}, {"1h", "1 hour"}, {"2h", "2 hours"}, {"4h", "4 hours"}, {"12h", "12 hours"}, {"24h", "1 day"},
	{"72h", "3 days"}, {"168h", "a week"}, {untilResolved, "until it resolves"},
}

// opened is what a dialog was opened for; it comes back with what was filled in.
type opened struct {
	Receiver string `json:"receiver"`
	Alert    string `json:"alert"`
	Channel  string `json:"channel"`
}

// dialog asks for how long and why, and shows what will be silenced.
func dialog(p *press, ms []detector.Matcher) api.ModalViewRequest {
	var lines []string
	for _, m := range ms {
		lines = append(lines, cell(m.Label)+" "+m.Op+" "+cell(m.Value))
	}
	var options []*api.OptionBlockObject
	for _, l := range lengths {
		options = append(options, api.NewOptionBlockObject(l.value, label(l.name, 75), nil))
	}
	choose := api.NewOptionsSelectBlockElement(api.OptTypeStatic, nil, dialogFor, options...)
	choose.InitialOption = options[1]
	comment := api.NewPlainTextInputBlockElement(label("such as: deploying a fix", 150), dialogText)
	comment.MaxLength = 500
	meta, _ := json.Marshal(opened{p.receiver, p.alertID, p.channel}) // of strings: it cannot fail
	return api.ModalViewRequest{
		Type: api.VTModal, CallbackID: dialogID, PrivateMetadata: string(meta),
		Title: label("Silence", 24), Submit: label("Silence", 24), Close: label("Cancel", 24),
		Blocks: api.Blocks{BlockSet: []api.Block{
			api.NewSectionBlock(md(cut("Alerts whose labels match all of these are not told:\n```\n"+mrkdwn.Replace(strings.Join(lines, "\n"))+"\n```", maxSection)), nil, nil),
			api.NewInputBlock("for", label("For", 2000), nil, choose),
			api.NewInputBlock("comment", label("Why", 2000), nil, comment),
		}},
	}
}

// submitted makes the silence that was asked for in a dialog. Whether the person may is looked at again, since a dialog can stay
// open for long.
func (in *Interactions) submitted(ctx context.Context, a *app, call *api.InteractionCallback) string {
	var o opened
	if call.View.CallbackID != dialogID || json.Unmarshal([]byte(call.View.PrivateMetadata), &o) != nil || !userID.MatchString(call.User.ID) || call.View.State == nil {
		return "done" // none of ours
	}
	p := &press{app: a, user: call.User, receiver: o.Receiver, alertID: o.Alert, channel: o.Channel}
	found, leg, err := in.find(p)
	if err != nil {
		return in.unknown(ctx, p, err)
	}
	if no := in.denied(ctx, p, &leg, actSilenceDialog); no != "" {
		return in.tell(ctx, p, "denied", no)
	}
	if stale := unsilenceable(&found); stale != "" {
		return in.tell(ctx, p, "stale", stale)
	}
	s := detector.Silence{Matchers: matchers(&found, &leg)}
	for _, block := range call.View.State.Values {
		if v, ok := block[dialogText]; ok {
			s.Comment = clean(v.Value)
		}
		if v, ok := block[dialogFor]; ok {
			s.UntilResolved, s.Ends = ends(v.SelectedOption.Value, in.cfg.Now())
		}
	}
	if s.Comment == "" {
		s.Comment = "by a dialog in Slack"
	}
	_, err = in.cfg.People.Silence(ctx, p.who(), s)
	return in.answer(ctx, p, err)
}

// ends is when a silence of a length that the dialog offers is over; one that it does not offer is an hour.
func ends(length string, now time.Time) (resolved bool, end time.Time) {
	if length == untilResolved {
		return true, now.Add(resolvedWithin)
	}
	for _, l := range lengths {
		if l.value == length {
			d, _ := time.ParseDuration(length) // they are written above
			return false, now.Add(d)
		}
	}
	return false, now.Add(time.Hour)
}
