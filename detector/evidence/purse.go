package evidence

// Purse shares a rule's budget among its series: how many false alarms the rule may be expected to give in all.
//
// At each pane the rule earns B/D of an alarm, for a budget of B a day and D panes a day, and the N series that it watches get
// an equal share b each. By the argument at Series each of them gives at most as many false alarms, in expectation, as it was
// paid. Expectations add up, whatever the series have to do with each other; so the rule gives at most B a day however the
// series come and go: one that comes is paid from then on, one that goes is no longer paid, and what it held is lost to the
// rule. With N constant it is the threshold A = N·D/B of every series.
//
// N must not look ahead: count the series that were watched before the pane's scores are read. One that is still learning its
// baseline is not watched.
//
// All series get the same, so one number does for them: what a series has been paid since it was last looked at is how far
// the purse has gone on. A series without scores costs nothing, neither time nor budget.
type Purse struct {
	paid float64 // to a series that was there from the beginning, in alarms
}

// Pay hands out one pane's earnings, budget alarms, among series. Without series nobody gets them.
func (p *Purse) Pay(budget float64, series int) {
	if series > 0 {
		p.paid += budget / float64(series)
	}
}

// Paid is the reading, for Series.Start and Series.Add.
func (p *Purse) Paid() float64 { return p.paid }

// Save appends the state.
func (p *Purse) Save(dst []byte) []byte { return appendFloat(dst, p.paid) }

// Load is the inverse of Save. It returns the bytes that follow.
func (p *Purse) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	p.paid = r.float()
	if r.err || p.paid < 0 {
		p.paid = 0
		return nil, errState
	}
	return r.b, nil
}
