package rules

import (
	"time"

	"github.com/driftd/driftd/internal/strictyaml"
	"github.com/driftd/driftd/windows"
)

// scoreDelay is the shortest window in which calls and the scores on them can be compared at all.
const scoreDelay = 15 * time.Minute

// scoredOn reads the rubric that stands beside a coverage.
func (c *ruleCheck) scoredOn() {
	name, at := c.file.Rubric, c.doc.At(&c.file.Rubric)
	switch {
	case !at.Present():
	case c.rule.Metric != windows.ScoreCoverage:
		at.KeyErrorf("remove it", "%s is of calls, scored or not", c.rule.Metric)
		c.ok = false
	case at.Faulty() || name == "":
		c.ok = false
	case windows.Reserved(name):
		c.wrong(at, "name a rubric, or remove it", "`%s` is a metric, not a rubric", name)
	default:
		c.rule.ScoredOn = name
		if _, ok := c.l.rubrics[name]; !ok {
			c.noScale(at, "whether there is such a rubric is not known")
		}
	}
}

// coverage refuses what makes no sense for a share of calls, and warns of what hardly does.
func (c *ruleCheck) coverage(g *groupFile) {
	f := c.file.Threshold
	if c.rule.Rollback != RollbackOff {
		what := "a version that is not scored may be as good as ever"
		if c.rule.AllVersions() {
			what = "link_coverage is of all versions: there is none to roll back"
		}
		c.wrong(c.doc.At(&c.file.Rollback), "remove it", "%s", what)
	}
	if pattern, ok := g.Match["version"]; ok && c.rule.AllVersions() && !Glob(pattern, "") {
		c.wrong(c.doc.At(&c.file.Metric), "put the rule into a group that does not match versions", "all calls that the group matches have a version, `%s`", pattern)
	}
	if f == nil {
		return
	}
	if c.rule.AllVersions() && (f.Against.kind == "previous_version" || f.Against.kind == "version") {
		c.wrong(c.doc.At(&f.Against), "write 24h", "link_coverage is of all versions: there is none beside them")
	}
	if at := c.doc.At(&f.Window); c.rule.Metric == windows.ScoreCoverage && f.Window > 0 && f.Window < scoreDelay {
		at.Warnf("1h is a good one", "scores come minutes after their calls: in a window of %s there may be scores of other calls", strictyaml.FormatDuration(f.Window))
	}
}
