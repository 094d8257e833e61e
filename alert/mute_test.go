package alert

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var everyDay = [7]bool{true, true, true, true, true, true, true}

// holding lists when it holds between two times, as the clocks there show them.
func holding(m *MuteTime, from, to time.Time) (out []string) {
	begin := func(t time.Time) string { return t.In(m.Zone).Format("02 15:04 MST") }
	holds := m.Holds(from)
	if holds {
		out = append(out, begin(from)+" -")
	}
	for at := m.Next(from); at.Before(to); at = m.Next(at) {
		if holds = !holds; holds {
			out = append(out, begin(at)+" -")
		} else {
			out[len(out)-1] += " " + begin(at)
		}
	}
	return out
}

func TestMuteTimes(t *testing.T) {
	f := func(what string, m MuteTime, from string, hours int, want ...string) {
		t.Helper()
		start, err := time.Parse(time.RFC3339, from)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, what, holding(&m, start, start.Add(time.Duration(hours)*time.Hour)), want...)
	}
	berlin, york := zone(t, "Europe/Berlin"), zone(t, "America/New_York")
	night := func(z *time.Location) MuteTime { return MuteTime{Zone: z, Days: everyDay, From: 22 * 60, To: 6 * 60} }

	f("nights", night(berlin), "2026-11-20T12:00:00Z", 48, "20 22:00 CET - 21 06:00 CET", "21 22:00 CET - 22 06:00 CET")
	f("a night with 25 hours", night(berlin), "2026-10-24T12:00:00Z", 24, "24 22:00 CEST - 25 06:00 CET")
	f("a night with 23 hours", night(berlin), "2027-03-27T12:00:00Z", 24, "27 22:00 CET - 28 06:00 CEST")
	f("the same in New York", night(york), "2026-10-31T16:00:00Z", 24, "31 22:00 EDT - 01 06:00 EST")
	f("and in spring", night(york), "2027-03-13T16:00:00Z", 24, "13 22:00 EST - 14 06:00 EDT")

	twice := MuteTime{Zone: berlin, Days: everyDay, From: 2*60 + 15, To: 2*60 + 45}
	f("in an hour that exists twice", twice, "2026-10-24T22:00:00Z", 12, "25 02:15 CEST - 25 02:45 CEST", "25 02:15 CET - 25 02:45 CET")
	f("the same a year later", twice, "2027-10-30T22:00:00Z", 12, "31 02:15 CEST - 31 02:45 CEST", "31 02:15 CET - 31 02:45 CET")
	f("in an hour that does not exist", twice, "2026-03-28T22:00:00Z", 12)
	f("nor in the next year", twice, "2027-03-27T22:00:00Z", 12)
	f("on a day like all others", twice, "2026-11-20T22:00:00Z", 12, "21 02:15 CET - 21 02:45 CET")
	into := MuteTime{Zone: berlin, Days: everyDay, From: 90, To: 150}
	f("ends where the clocks leave out its end", into, "2027-03-27T22:00:00Z", 12, "28 01:30 CET - 28 03:00 CEST")
	f("begins where they leave out its beginning", MuteTime{Zone: berlin, Days: everyDay, From: 150, To: 210}, "2027-03-27T22:00:00Z", 12, "28 03:00 CEST - 28 03:30 CEST")
	f("over the hour that exists twice", MuteTime{Zone: berlin, Days: everyDay, From: 60, To: 240}, "2026-10-24T22:00:00Z", 12, "25 01:00 CEST - 25 04:00 CET")
	f("New York's hour twice", MuteTime{Zone: york, Days: everyDay, From: 75, To: 105}, "2026-11-01T03:00:00Z", 12, "01 01:15 EDT - 01 01:45 EDT", "01 01:15 EST - 01 01:45 EST")
	f("New York's hour not at all", MuteTime{Zone: york, Days: everyDay, From: 135, To: 165}, "2027-03-14T04:00:00Z", 12)

	weekend := MuteTime{Zone: berlin, Days: [7]bool{time.Saturday: true, time.Sunday: true}, From: 0, To: 1440}
	f("weekends", weekend, "2026-11-20T12:00:00Z", 96, "21 00:00 CET - 23 00:00 CET")
	friday := MuteTime{Zone: time.UTC, Days: [7]bool{time.Friday: true}, From: 18 * 60, To: 8 * 60}
	f("the day on which it begins", friday, "2026-11-20T00:00:00Z", 72, "20 18:00 UTC - 21 08:00 UTC")
	f("a whole day from its time on", MuteTime{Zone: time.UTC, Days: [7]bool{time.Friday: true}, From: 600, To: 600}, "2026-11-20T00:00:00Z", 72, "20 10:00 UTC - 21 10:00 UTC")

	always := MuteTime{Zone: berlin, Days: everyDay, To: 1440}
	if at := always.Next(t0); at.Sub(t0) != week || !always.Holds(at) {
		t.Errorf("always: next at %v", at)
	}
}

// Next leaves out no change and makes none up.
func FuzzMute(f *testing.F) {
	f.Add(uint16(1320), uint16(360), uint8(127), int64(1792886400))
	f.Fuzz(func(t *testing.T, from, to uint16, days uint8, at int64) {
		m := MuteTime{Zone: zone(t, "America/New_York"), From: int(from) % 1440, To: int(to) % 1441}
		for i := range m.Days {
			m.Days[i] = days>>i&1 == 1
		}
		start := time.Unix(1_700_000_000+at%(4*365*86400), 0)
		next := m.Next(start)
		if next.Sub(start) < week && m.Holds(next) == m.Holds(start) {
			t.Fatalf("nothing changes at %v", next)
		}
		for p := start; p.Before(next); p = p.Add(time.Minute) {
			if m.Holds(p) != m.Holds(start) {
				t.Fatalf("it changes at %v, not at %v", p, next)
			}
		}
	})
}
