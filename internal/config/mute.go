package config

import (
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	weekdays     = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	clockPattern = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`)
)

// Week returns the zone, the days by time.Weekday and the minutes of the day, 0 to 1440, of a mute time without mistakes. To is
// of the next day where it is not after from.
func (m *MuteTime) Week() (z *time.Location, days [7]bool, from, to int) {
	z, _ = zone(m.Zone)
	for _, text := range m.Days {
		some, _ := readDays(text)
		for i, is := range some {
			days[i] = days[i] || is
		}
	}
	if len(m.Days) == 0 {
		days = [7]bool{true, true, true, true, true, true, true}
	}
	from, _ = readClock(m.From)
	to, _ = readClock(m.To)
	return z, days, from, to
}

func zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return time.UTC, errors.New("not a zone of the database")
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, err
	}
	return z, nil
}

// readDays reads mon, and mon-fri; fri-mon goes over the weekend.
func readDays(text string) (days [7]bool, ok bool) {
	first, last, isRange := strings.Cut(strings.ToLower(text), "-")
	if !isRange {
		last = first
	}
	i, end := slices.Index(weekdays, first), slices.Index(weekdays, last)
	if i < 0 || end < 0 {
		return days, false
	}
	for days[i] = true; i != end; {
		i = (i + 1) % 7
		days[i] = true
	}
	return days, true
}

// readClock reads hh:mm up to 24:00.
func readClock(text string) (minute int, ok bool) {
	m := clockPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	h, _ := strconv.Atoi(m[1])
	n, _ := strconv.Atoi(m[2])
	return h*60 + n, n < 60 && h*60+n <= 24*60
}
