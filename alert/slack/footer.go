package slack

import (
	"strings"

	"github.com/driftd/driftd/alert"
)

// footer is what one looks up: traces, runbook, the rule with its promise, and whose it is.
func footer(n *alert.Notification, traceURL string) string {
	r := &n.Worst().Record
	var parts []string
	if len(n.Firing) > 0 && len(r.Exemplars) > 0 {
		var links []string
		for _, id := range r.Exemplars[:min(len(r.Exemplars), maxTraces)] {
			links = append(links, traceLink(traceURL, id))
		}
		parts = append(parts, "Traces "+strings.Join(links, " "))
	}
	if u := r.Annotations["runbook_url"]; u != "" {
		parts = append(parts, link(u, "Runbook"))
	}
	if b := budget(r); b != "" && len(n.Firing) > 0 {
		parts = append(parts, b)
	}
	parts = append(parts, "rule "+escape(brief(r.Group))+"/"+escape(brief(r.Rule)))
	if team := r.Labels["team"]; team != "" {
		parts = append(parts, escape(brief(team)))
	}
	return strings.Join(parts, " · ")
}
