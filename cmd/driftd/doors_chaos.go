//go:build chaos

package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/driftd/driftd/internal/chaos/clock"
)

// doors changes what the daemon goes by, from the environment: DRIFTD_CLOCK names the file of an event clock, DRIFTD_SLACK_API is
// the base of Slack's Web API, and DRIFTD_PACE has fields of pace as name=duration, separated by commas. With a clock the process ends
// at the end of its standard input, which whoever sets the clock holds open.
func doors(o *daemonOptions) error {
	if file := os.Getenv("DRIFTD_CLOCK"); file != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(exitWrong)
		}()
		c, err := clock.Open(file)
		if err != nil {
			return err
		}
		o.Now, o.Passed = c.Now, func() time.Duration { return time.Duration(c.True().UnixNano()) }
	}
	o.SlackAPI = os.Getenv("DRIFTD_SLACK_API")
	for one := range strings.SplitSeq(os.Getenv("DRIFTD_PACE"), ",") {
		if one == "" {
			continue
		}
		name, value, _ := strings.Cut(one, "=")
		d, err := time.ParseDuration(value)
		field := reflect.ValueOf(&o.Pace).Elem().FieldByNameFunc(func(f string) bool { return strings.EqualFold(f, name) })
		if err != nil || !field.IsValid() {
			return fmt.Errorf("DRIFTD_PACE: %q: want a field of pace and a duration, as in heartbeat=20ms", one)
		}
		field.SetInt(int64(d))
	}
	return nil
}
