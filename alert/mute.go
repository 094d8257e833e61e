package alert

import "time"

// MuteTime is a weekly time in which nobody is to be told, as the clocks of a place show it: it holds whenever they show a time
// in it. So an hour that clocks show twice counts twice, and one that they leave out is never.
type MuteTime struct {
	Zone *time.Location
	Days [7]bool // by time.Weekday: on which it begins
	// From and To are minutes of the day, 0 to 1440; To is not in it. A To that is before From, or the same, is of the next day.
	From, To int
}

// Holds says whether t lies in it.
func (m *MuteTime) Holds(t time.Time) bool {
	t = t.In(m.Zone)
	day, minute := t.Weekday(), t.Hour()*60+t.Minute()
	if m.From < m.To {
		return m.Days[day] && m.From <= minute && minute < m.To
	}
	return m.Days[day] && minute >= m.From || m.Days[(day+6)%7] && minute < m.To
}

// week is how far ahead a change is looked for. One that comes by the week comes in it, clock changes included.
const week = 8 * 24 * time.Hour

// Next returns when it begins or ends after t: the first full minute at which Holds is another; a week later where it never is.
func (m *MuteTime) Next(t time.Time) time.Time {
	holds, end := m.Holds(t), t.Add(week)
	// Minute by minute, as clocks go: all of them change at a full minute. This is done twice a day.
	for at := t.Truncate(time.Minute).Add(time.Minute); at.Before(end); at = at.Add(time.Minute) {
		if m.Holds(at) != holds {
			return at
		}
	}
	return end
}
