package alert

// others returns further groups that are only to be sent again, as many as may go out in one call with g.
func (o *Outbox) others(g *groupState) []*groupState {
	var out []*groupState
	for _, m := range o.ready.groups {
		if len(out) >= o.traits.Batch-1 {
			break
		}
		if m != g && m.task == resend {
			out = append(out, m)
		}
	}
	return out
}
