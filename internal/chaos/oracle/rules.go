package oracle

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// ruleSet is a rule file with threshold rules, as far as it says what must happen.
type ruleSet struct {
	scales map[string]scale
	rules  []rule
}

// rule is one rule.
type rule struct {
	group, name, metric, stat string
	match                     map[string]string
	by                        []string
	total                     bool
	window                    time.Duration
	below, above              *float64
	recoverAbove              *float64
	recoverBelow              *float64
	least                     int64
	wait, keep                time.Duration
}

type fileText struct {
	Rubrics map[string]struct {
		Min, Max *float64
		Labels   map[string]float64
		Better   string
	}
	Groups []struct {
		Name    string
		Match   map[string]string
		SliceBy []string `yaml:"slice_by"`
		Total   *bool
		Labels  map[string]string
		Rules   []ruleText
	}
}

type ruleText struct {
	Alert, Rubric, Metric string
	Threshold             struct {
		Stat, Window string
		Below, Above string
		RecoverAbove string `yaml:"recover_above"`
		RecoverBelow string `yaml:"recover_below"`
	}
	MinSamples    int64             `yaml:"min_samples"`
	For           string            `yaml:"for"`
	KeepFiringFor string            `yaml:"keep_firing_for"`
	Labels        map[string]string `yaml:"labels"`
	Annotations   map[string]string `yaml:"annotations"`
	Rollback      string            `yaml:"rollback"`
}

func parseRules(text []byte) (*ruleSet, error) {
	var file fileText
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	d.KnownFields(true)
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	set := &ruleSet{scales: make(map[string]scale)}
	for name, r := range file.Rubrics {
		set.scales[name] = scale{r.Min, r.Max, r.Labels}
	}
	for _, g := range file.Groups {
		for _, t := range g.Rules {
			r := rule{group: g.Name, name: t.Alert, metric: t.Rubric + t.Metric, stat: t.Threshold.Stat, match: g.Match, by: g.SliceBy, least: t.MinSamples}
			r.total = len(g.SliceBy) == 0 || g.Total == nil || *g.Total
			for _, d := range []struct {
				to   *time.Duration
				text string
			}{{&r.window, t.Threshold.Window}, {&r.wait, t.For}, {&r.keep, t.KeepFiringFor}} {
				if d.text == "" {
					continue
				}
				var err error
				if *d.to, err = time.ParseDuration(d.text); err != nil {
					return nil, fmt.Errorf("read rule %s: %w", t.Alert, err)
				}
			}
			for _, b := range []struct {
				to   **float64
				text string
			}{{&r.below, t.Threshold.Below}, {&r.above, t.Threshold.Above}, {&r.recoverAbove, t.Threshold.RecoverAbove}, {&r.recoverBelow, t.Threshold.RecoverBelow}} {
				var err error
				if *b.to, err = bound(b.text); err != nil {
					return nil, fmt.Errorf("read rule %s: %w", t.Alert, err)
				}
			}
			if r.window == 0 || r.stat == "" {
				return nil, fmt.Errorf("read rule %s: it is no threshold", t.Alert)
			}
			set.rules = append(set.rules, r)
		}
	}
	return set, nil
}

// bound reads a number, a percentage or a duration.
func bound(text string) (*float64, error) {
	if text == "" {
		return nil, nil
	}
	scale := 1.0
	digits := text
	if t, ok := strings.CutSuffix(text, "%"); ok {
		digits, scale = t, 100
	} else if d, err := time.ParseDuration(text); err == nil && text != "0" {
		v := d.Seconds()
		return &v, nil
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, err
	}
	v /= scale
	return &v, nil
}

// watch tells whether any rule looks at the prompt.
func (s *ruleSet) watch(prompt string) bool {
	for i := range s.rules {
		if s.rules[i].takes("prompt", prompt) {
			return true
		}
	}
	return false
}

// takes tells whether the rule's group takes a value of a label.
func (r *rule) takes(label, value string) bool {
	pattern, ok := r.match[label]
	if !ok {
		return true
	}
	matched, err := path.Match(pattern, value)
	return err == nil && matched
}

// matches tells whether the rule looks at a cell.
func (r *rule) matches(c Cell, dimensions []string) bool {
	if !r.takes("prompt", c.Prompt) || !r.takes("version", c.Version) {
		return false
	}
	for i, v := range c.Values() {
		if !r.takes(dimensions[i], v) {
			return false
		}
	}
	return true
}
