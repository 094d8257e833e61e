package demo

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/driftd/driftd/rules"
)

// counts are what driftd's metrics say.
type counts struct{ samples, values, skipped, late, tooLate, limited, lost, dead int64 }

// problem says what is wrong when so many events were written; empty when each was counted once, in time.
func (c *counts) problem(events int64) string {
	switch {
	case c.samples != events:
		return fmt.Sprintf("%s were written, %s were counted", some(events, "event"), rules.Grouped(c.samples))
	case c.late+c.tooLate > 0:
		return some(c.late+c.tooLate, "event") + " came late"
	case c.limited+c.lost+c.dead > 0:
		return fmt.Sprintf("%d events fell under limits, %d samples records were lost, %d events were refused", c.limited, c.lost, c.dead)
	}
	return ""
}

// scrape reads /metrics.
func scrape(ctx context.Context, url string) (*counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("read metrics: %s", res.Status)
	}
	return parseCounts(res.Body)
}

// parseCounts sums what is wanted over all labels.
func parseCounts(r io.Reader) (*counts, error) {
	c := &counts{}
	into := map[string]*int64{
		"driftd_detector_samples_total": &c.samples, "driftd_detector_values_total": &c.values, "driftd_detector_skipped_samples_total": &c.skipped,
		"driftd_detector_late_samples_total": &c.late, "driftd_detector_too_late_samples_total": &c.tooLate,
		"driftd_detector_limited_samples_total": &c.limited, "driftd_detector_lost_records_total": &c.lost, "driftd_consumer_dead_total": &c.dead,
	}
	found := make(map[string]bool)
	s := bufio.NewScanner(r)
	for s.Scan() {
		name, rest, _ := strings.Cut(s.Text(), " ")
		name, _, labelled := strings.Cut(name, "{")
		if labelled {
			rest = s.Text()[strings.LastIndex(s.Text(), "}")+1:]
		}
		if to := into[name]; to != nil {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				return nil, fmt.Errorf("read metric %s: %w", name, err)
			}
			*to += int64(v)
			found[name] = true
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	for name := range into {
		if !found[name] {
			return nil, fmt.Errorf("read metrics: there is no %s", name)
		}
	}
	return c, nil
}
