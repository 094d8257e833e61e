package slack

import (
	"fmt"

	api "github.com/slack-go/slack"

	"github.com/driftd/driftd/alert"
)

// What the buttons are called when they are pressed.
const (
	actAcknowledge     = "driftd_acknowledge"
	actSilenceHour     = "driftd_silence_1h"
	actSilenceResolved = "driftd_silence_until_resolved"
	actSilenceDialog   = "driftd_silence_dialog"
	actApprove         = "driftd_approve"
	actReject          = "driftd_reject"
)

// decide are the buttons below a rollback that waits for a person.
func decide(n *alert.Notification, v View) []api.Block {
	a := attempt(n)
	if !v.Buttons || a == nil || a.State != alert.RollbackWaiting || len(n.Leg.Approvers) == 0 {
		return nil
	}
	to, bad, prompt := goal(&a.Step), brief(a.Step.Version), brief(a.Step.Prompt)
	approve := button(actApprove, buttonValue(v.Receiver, a.ID()), "Approve rollback", api.StylePrimary)
	approve.Confirm = confirm("Roll back "+prompt+"?", fmt.Sprintf("driftd checks its guards and asks the registry to promote %s in place of %s.", to, bad), "Approve", api.StylePrimary)
	reject := button(actReject, buttonValue(v.Receiver, a.ID()), "Reject", api.StyleDanger)
	reject.Confirm = confirm("Reject the rollback?", fmt.Sprintf("%s stays current; nothing is promoted for this alert.", bad), "Reject", api.StyleDanger)
	return []api.Block{api.NewActionBlock("", approve, reject)}
}

// buttons are those of an alert that fires: take it on, or have peace for a while.
func buttons(n *alert.Notification, v View) []api.Block {
	if !v.Buttons {
		return nil
	}
	id := buttonValue(v.Receiver, n.Worst().Record.ID)
	var all []api.BlockElement
	if n.Acknowledged == nil {
		all = append(all, button(actAcknowledge, id, "Acknowledge", api.StyleDefault))
	}
	if n.Silenced == nil {
		all = append(all,
			button(actSilenceHour, id, "Silence 1 h", api.StyleDefault),
			button(actSilenceResolved, id, "Silence until resolved", api.StyleDefault),
			button(actSilenceDialog, id, "Silence …", api.StyleDefault))
	}
	if len(all) == 0 {
		return nil
	}
	return []api.Block{api.NewActionBlock("", all...)}
}

func button(action, value, text string, style api.Style) *api.ButtonBlockElement {
	b := api.NewButtonBlockElement(action, cut(value, 2000), label(text, 75))
	b.Style = style
	return b
}

// confirm asks once more. Its texts are plain ones.
func confirm(title, text, yes string, style api.Style) *api.ConfirmationBlockObject {
	return api.NewConfirmationBlockObject(label(title, 100), label(text, 300), label(yes, 30), label("Cancel", 30)).WithStyle(style)
}
