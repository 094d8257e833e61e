package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
)

// Share is a part of something, written in percent.
type Share float64

var sharePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)%$`)

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (s *Share) UnmarshalStrict(n strictyaml.Node) {
	text, ok := n.Text()
	if !ok {
		n.Wrong("a percentage")
		return
	}
	m := sharePattern.FindStringSubmatch(text)
	if m == nil {
		n.Errorf("write it in percent, such as 20%", "`%s` is no percentage", text)
		return
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	*s = Share(v / 100)
}

// JSONSchema implements strictyaml.Schemer.
func (Share) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": sharePattern.String()}
}

// Words implements strictyaml.Worded.
func (Share) Words() string { return "percentage, such as 20%" }

// Daily is a time of each day on the clocks of a place. The zero value is never.
type Daily struct {
	Hour, Minute int
	Zone         *time.Location // nil is never
}

var dailyPattern = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2}) +(\S+)$`)

// UnmarshalStrict implements strictyaml.Unmarshaler.
func (d *Daily) UnmarshalStrict(n strictyaml.Node) {
	const hint = "write it as 9:00 Europe/Berlin"
	text, ok := n.Text()
	if !ok {
		n.Wrong("a time of day and its zone")
		return
	}
	m := dailyPattern.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		n.Errorf(hint, "`%s` is no time of day with its zone", text)
		return
	}
	d.Hour, _ = strconv.Atoi(m[1])
	d.Minute, _ = strconv.Atoi(m[2])
	if d.Hour > 23 || d.Minute > 59 {
		n.Errorf(hint, "`%s:%s` is no time of day", m[1], m[2])
		return
	}
	zone, err := time.LoadLocation(m[3])
	if err != nil || m[3] == "Local" {
		n.Errorf("zones are named as in the IANA database, such as Europe/Berlin or UTC", "there is no time zone `%s`", m[3])
		return
	}
	d.Zone = zone
}

// JSONSchema implements strictyaml.Schemer.
func (Daily) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "pattern": dailyPattern.String()}
}

// Words implements strictyaml.Worded.
func (Daily) Words() string { return "time of day and zone" }

// String writes it as it is read.
func (d Daily) String() string {
	if d.Zone == nil {
		return ""
	}
	return fmt.Sprintf("%d:%02d %s", d.Hour, d.Minute, d.Zone)
}
