package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/driftd/driftd/detector"
	"github.com/driftd/driftd/internal/kafkalog"
	"github.com/driftd/driftd/internal/web"
	"github.com/driftd/driftd/rules"
)

// version of the binary, as the build says it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" {
		return "(devel)"
	}
	return v
}

// describe registers the metrics that belong to no stage.
func (d *daemon) describe() {
	d.metrics.NewGauge(fmt.Sprintf(`driftd_build_info{version=%q,go=%q}`, version(), runtime.Version()), func() float64 { return 1 })
	d.metrics.NewGauge("driftd_rules_last_reload_successful", func() float64 {
		if d.lastReload() == "" {
			return 1
		}
		return 0
	})
	d.metrics.NewGauge("driftd_rules_loaded", func() float64 {
		n := 0
		for _, g := range d.rules.Load().Groups {
			n += len(g.Rules)
		}
		return float64(n)
	})
	d.metrics.GetOrCreateCounter("driftd_rules_last_reload_timestamp_seconds").Set(uint64(time.Now().Unix()))
}

func (d *daemon) lastReload() string {
	d.reloaded.Lock()
	defer d.reloaded.Unlock()
	return d.reloaded.detail
}

// reload reads anew and puts into force the rules, and the tokens and certificates of HTTP. Bad ones change nothing; the error has
// the text of `driftd check`. It is for concurrent use.
func (d *daemon) reload() error {
	err := d.reloadRules()
	if keys := d.web.Refresh(); keys != nil {
		err = errors.Join(err, fmt.Errorf("the tokens and certificates of HTTP were not read anew, the old ones stay: %w", keys))
	}
	return err
}

func (d *daemon) reloadRules() error {
	if d.Reload == nil {
		return errors.New("there are no rule files to read")
	}
	set, problems := d.Reload()
	if problems.Err() != nil {
		text := problems.Text()
		d.reloaded.Lock()
		d.reloaded.detail = text
		d.reloaded.Unlock()
		d.Log.Error("rules were not reloaded, the old ones stay", "errors", problems.Errors(), "first", problems.Err())
		return errors.New(text)
	}
	d.use(set)
	return nil
}

func (d *daemon) use(set *rules.Set) {
	d.reloaded.Lock()
	defer d.reloaded.Unlock()
	d.reloaded.detail = ""
	d.rules.Store(set)
	if d.detect != nil {
		d.detect.SetRules(set)
	}
	d.metrics.GetOrCreateCounter("driftd_rules_last_reload_timestamp_seconds").Set(uint64(time.Now().Unix()))
	d.Log.Info("rules are in force", "files", len(set.Files), "groups", len(set.Groups))
}

// standsBy is what is said of a receiver that another process tells.
const standsBy = "stands by: another process tells"

// ready tells how each part is. A receiver in trouble does not make driftd unready: nothing is lost, and the others go on.
func (d *daemon) ready() []web.Check {
	ok, detail := d.client.Reachable()
	checks := []web.Check{{Name: "kafka", OK: ok, Detail: detail}}
	topics := web.Check{Name: "topics", Detail: "not looked at yet"}
	if problem := d.topics.Load(); problem != nil {
		topics.OK, topics.Detail = *problem == "", *problem
	}
	checks = append(checks, topics)
	loaded := web.Check{Name: "rules", OK: true}
	if detail := d.lastReload(); detail != "" {
		loaded.Detail = "the last reload failed, the rules before it are in force:\n" + detail
	}
	checks = append(checks, loaded, d.keysCheck())
	members := make(map[string]kafkalog.Membership)
	for _, m := range d.client.Memberships() {
		members[m.Group] = m
	}
	if d.Stages.ingest {
		c := member(members, "ingest", d.groupID("ingest"))
		// The topic of events that are offered again is always there, and nobody's source.
		c.OK = c.OK && len(members[d.groupID("ingest")].Missing) < len(d.Config.Sources)
		if w := d.ingest.Load(); w != nil {
			held(&c, w.Trouble())
		}
		checks = append(checks, c)
	}
	if w := d.ingest.Load(); w != nil {
		if gaps := w.Gaps(); len(gaps) > 0 {
			checks = append(checks, web.Check{Name: "gaps", OK: true, Detail: strings.Join(gaps, "\n")})
		}
		if trouble := w.Unlinkable(); len(trouble) > 0 {
			checks = append(checks, web.Check{Name: "linking", OK: true, Detail: strings.Join(trouble, "\n")})
		}
	}
	if d.Stages.detect {
		c := member(members, "detect", d.groupID("detect"))
		if d.detect != nil {
			held(&c, d.detect.Trouble())
		}
		checks = append(checks, c)
	}
	for _, r := range d.act {
		s := r.State()
		c := member(members, "act "+s.Name, d.groupID("act-"+s.Name))
		switch {
		case !c.OK:
		case s.Problem != "":
			c.Detail, c.Trouble = s.Problem, true
		case s.Outstanding > 0:
			c.Detail = fmt.Sprintf("%d to be told", s.Outstanding)
		case members[d.groupID("act-"+s.Name)].Partitions == 0:
			c.Detail = standsBy
		default:
			c.Detail = ""
		}
		checks = append(checks, c)
	}
	if d.desk != nil {
		checks = append(checks, d.deskCheck())
	}
	return append(append(checks, d.slackChecks()...), d.registryChecks()...)
}

// held adds what keeps partitions of a stage from going on.
func held(c *web.Check, trouble []string) {
	if len(trouble) > 0 {
		c.OK, c.Trouble = false, true
		c.Detail = strings.Join(append([]string{c.Detail}, trouble...), "\n")
	}
}

// standing tells where the rules with a budget stand, in the partitions of this process.
func (d *daemon) standing(ctx context.Context) ([]detector.RuleStatus, error) {
	if d.detect == nil {
		return nil, errors.New("the detect stage does not run in this process: ask one in which it does")
	}
	return d.detect.Status(ctx)
}

// member tells whether a stage has joined its group, and with what share. A process that has joined is well without a share:
// others have it.
func member(members map[string]kafkalog.Membership, name, group string) web.Check {
	m, made := members[group]
	c := web.Check{Name: name, OK: m.Joined, Detail: m.Problem}
	switch {
	case m.Joined:
		c.Detail = fmt.Sprintf("%d partitions", m.Partitions)
		if m.Partitions == 1 {
			c.Detail = "1 partition"
		}
	case !made:
		c.Detail = "waits for driftd's topics"
	case c.Detail == "" && len(m.Missing) == 0:
		c.Detail = "joining"
	}
	for _, topic := range m.Missing {
		if c.Detail != "" {
			c.Detail += "; "
		}
		c.Detail += "topic " + topic + " does not exist, waiting for it"
	}
	return c
}
