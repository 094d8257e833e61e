// Package detector evaluates the rules at each tick of event time and turns what they find into steps of alerts. A
// [Partition] is the whole of it without I/O: batches in, records out, a function of the log and the rules alone. A [Worker]
// ties partitions to Kafka and owns one goroutine for each; worker.go is the only file that knows Kafka. What is done about
// an alert is the act stage's business.
package detector

import "time"

// Record is one step of an alert, or one thing that was done about it: a JSON object in the alerts topic, the body of a
// webhook and a line of `driftd backtest --json`. ID and Step name a record for ever: both come out the same in a replay.
type Record struct {
	ID   string     `json:"id"`   // identity of the alert: a hash of rule and labels, 32 hex digits
	Step int        `json:"step"` // rises by one with each step of this alert, from 1 unless others were forgotten before it; an action carries the step it answers, an observation the newest, and figures the day since the epoch
	Type RecordType `json:"type"`
	Time time.Time  `json:"time"` // event time of a step, the actor's clock for an action; UTC

	Group     string            `json:"group"` // rule group
	Rule      string            `json:"rule"`
	Prompt    string            `json:"prompt"`
	Version   string            `json:"version,omitempty"` // absent of a volume or link_coverage: all versions
	Variant   string            `json:"variant,omitempty"`
	Cohort    map[string]string `json:"cohort,omitempty"` // dimensions sliced by; empty for the total
	Metric    string            `json:"metric"`
	Rubric    string            `json:"rubric,omitempty"` // whose scores a score_coverage counts; absent: the one with the most of them
	Kind      string            `json:"kind"`             // kind of rule: threshold, volume, …
	Stat      string            `json:"stat,omitempty"`
	Value     *float64          `json:"value,omitempty"`     // of the watched figure; absent where the window is empty, and of the observation of a sum or count
	Reference *float64          `json:"reference,omitempty"` // what it is compared with: the number in the rule, or the baseline's figure
	Bound     *float64          `json:"bound,omitempty"`     // the limit that was crossed, in the metric's unit
	Above     *float64          `json:"above,omitempty"`     // of an exceed: values above it count, in the metric's unit
	Below     *float64          `json:"below,omitempty"`     // of an exceed: values below it count
	Interval  []float64         `json:"interval,omitempty"`  // of the value: 95 %, low and high
	Samples   int64             `json:"samples"`             // in the window; calls for a volume, coverage or figures
	Window    string            `json:"window,omitempty"`    // of an observation 10m, whatever the rule's
	Onset     *time.Time        `json:"onset,omitempty"`     // first tick of the breach that led here

	FalseAlarms string   `json:"false_alarms,omitempty"` // the rule's budget, such as 1/30d
	Against     *Against `json:"against,omitempty"`

	// Why, as far as the log tells. Of firing steps of rules that watch values.
	Cause              Cause       `json:"cause,omitempty"`
	Because            []string    `json:"because,omitempty"`      // the facts that it rests on, as short sentences
	ExplainedBy        []Explained `json:"explained_by,omitempty"` // cohorts, the greatest share first
	Changed            []Changed   `json:"changed,omitempty"`      // near the onset, the nearest first; of a change, what changed; of a superseded version, what took its place
	OtherVersionsMoved bool        `json:"other_versions_moved,omitempty"`
	Model              string      `json:"model,omitempty"` // of most calls since the onset

	Previous  string   `json:"previous,omitempty"` // version that held most of the prompt's traffic before this one came
	Exemplars []string `json:"exemplars,omitempty"`
	Rollback  string   `json:"rollback,omitempty"` // what the rule allows: dry_run, approve, auto; absent is off
	// AutoFrom says that the rule asks for auto, but only when it has been live until then: Rollback is approve meanwhile.
	AutoFrom *time.Time `json:"auto_from,omitempty"`
	Target   *Target    `json:"target,omitempty"`  // what a rollback would promote; of steps and observations of rules that allow one
	Share    *float64   `json:"share,omitempty"`   // of an observation: of the prompt's calls in the last minute, how many were of Version; 0 to 1
	Trend    *Trend     `json:"trend,omitempty"`   // of a firing step: how the watched figure went
	Figures  []Figures  `json:"figures,omitempty"` // of a figures record: the day's, by version, the twenty that were called most, most first

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	// Of actions only.
	Actor    string `json:"actor,omitempty"`    // who did it: driftd, or a person
	Receiver string `json:"receiver,omitempty"` // through which receiver
	Reason   string `json:"reason,omitempty"`   // why it was refused, failed, or ended; of a step also worse: it fired before
	Ref      string `json:"ref,omitempty"`      // what the receiver gave back to find the message again
	Guard    string `json:"guard,omitempty"`    // that refused, or that --force overrode
	Force    string `json:"force,omitempty"`    // of a rollback_requested: the guard that its author overrides

	Silence *Silence `json:"silence,omitempty"` // of a silenced record, whose ID is the silence's
}

// Target is the version that a rollback would promote, as detect knows it.
type Target struct {
	Version   string     `json:"version"`
	Calls     int64      `json:"calls"`               // in the last 24 h, over all cohorts
	Last      *time.Time `json:"last,omitempty"`      // end of the newest minute with a call, as far as is remembered
	Templates int        `json:"templates,omitempty"` // distinct template hashes that it served, strays left out, as far as is remembered; 0 for not known
	Value     *float64   `json:"value,omitempty"`     // the rule's figure in the alert's cohort, all variants together: over the last 24 h; of an observation, over the last ten minutes
	Samples   int64      `json:"samples"`             // that Value is of; 0 also where too many alerts began in one minute to read it
}

// Trend is the watched figure of the alert's cohort by stretches of time up to the step, oldest first; null where there was nothing.
type Trend struct {
	From     time.Time  `json:"from"`
	Every    string     `json:"every"`              // length of a stretch: 1m, or 15m where the rule looks at more than an hour; the newest may be shorter
	Values   []*float64 `json:"values"`             // of the alert's version
	Previous []*float64 `json:"previous,omitempty"` // of the version before, over the same stretches
}

// Figures are a version's of one day, for people.
type Figures struct {
	Version string            `json:"version"` // empty for calls without one
	Calls   int64             `json:"calls"`
	P50     *float64          `json:"p50,omitempty"` // latency, seconds; absent where it is not known, as the others
	P95     *float64          `json:"p95,omitempty"`
	Cost    *float64          `json:"cost,omitempty"`   // USD, sum
	Errors  *float64          `json:"errors,omitempty"` // share, 0 to 1
	Scores  map[string]Scored `json:"scores,omitempty"` // by rubric, the fifty with the most scores
}

// Scored is a rubric's mean.
type Scored struct {
	Mean float64 `json:"mean"`
	N    int64   `json:"n"`
}

// Silence keeps receivers from being told of alerts whose labels match. The newest record of an id counts; one that ends before it
// starts was taken back.
type Silence struct {
	Matchers []Matcher `json:"matchers"` // all must match
	Starts   time.Time `json:"starts"`
	Ends     time.Time `json:"ends"`
	// UntilResolved ends it as soon as none of the alerts that it matched fires any more, Ends at the latest.
	UntilResolved bool   `json:"until_resolved,omitempty"`
	Comment       string `json:"comment,omitempty"`
}

// Matcher is a condition on one label; one that is missing is empty.
type Matcher struct {
	Label string `json:"label"`
	Op    string `json:"op"` // =, !=, =~, !~; regular expressions match the whole value
	Value string `json:"value"`
}

// Against says what a rule compares with.
type Against struct {
	Kind        string `json:"kind"` // previous_version, 24h, fixed, version, variant, environment
	Version     string `json:"version,omitempty"`
	Variant     string `json:"variant,omitempty"`
	Environment string `json:"environment,omitempty"`

	// Of a baseline that was sealed.
	Sealed  *time.Time `json:"sealed,omitempty"`
	Samples int64      `json:"samples,omitempty"`
}

// Cause is the likely cause of an alert. The set is closed.
type Cause string

const (
	CausePromptVersion Cause = "prompt version"
	CauseModelSnapshot Cause = "model snapshot"
	CauseOneCohort     Cause = "one cohort"
	CauseEverything    Cause = "everything moved: not the prompt"
	CauseUnclear       Cause = "unclear"
)

// Explained is a cohort and the share of the whole change that it makes up, weighted by its values.
type Explained struct {
	Cohort map[string]string `json:"cohort"`
	Share  float64           `json:"share"`
}

// Changed says that an axis took a new value.
type Changed struct {
	Axis string    `json:"axis"` // version, or one of rules.Axes
	From string    `json:"from"`
	To   string    `json:"to"`
	Time time.Time `json:"time"` // beginning of the minute that first had it
}

// RecordType is the closed set of things that can happen to an alert.
type RecordType string

// Steps are decided by the detect stage, from event time alone.
const (
	Pending  RecordType = "pending"
	Firing   RecordType = "firing" // also once more, with the reason worse, when an alert that fires has become clearly worse
	Resolved RecordType = "resolved"
)

// What else the detect stage tells. These are no steps: they carry the step that the alert is at, and may repeat.
const (
	// Observed tells, each minute, of an alert that fires or ends in it and whose rule allows a rollback, how its version and target go
	// on. Of a version of which nothing is new for three hours, and whose traffic stays, it comes each fifth minute; of many cohorts not
	// all are told.
	Observed RecordType = "observed"
	// DayFigures tells a prompt's figures once a UTC day, behind its end by a quarter of an hour at most.
	DayFigures RecordType = "figures"
)

// Actions are what the act stage, or a person, did about a step.
const (
	Notified     RecordType = "notified"
	NotifyFailed RecordType = "notify_failed"
	Acknowledged RecordType = "acknowledged"
	Silenced     RecordType = "silenced" // a silence was made or changed

	RollbackRequested RecordType = "rollback_requested" // by hand: its ID is its own
	RollbackProposed  RecordType = "rollback_proposed"
	RollbackReminded  RecordType = "rollback_reminded" // it still waits for a person
	RollbackApproved  RecordType = "rollback_approved"
	RollbackRejected  RecordType = "rollback_rejected"  // by a person, or by time
	RollbackRefused   RecordType = "rollback_refused"   // by a guard
	RollbackPromoting RecordType = "rollback_promoting" // the registry is about to be asked
	RollbackPromoted  RecordType = "rollback_promoted"  // and was read back
	RollbackFailed    RecordType = "rollback_failed"
	Recovered         RecordType = "recovered"
	Ineffective       RecordType = "ineffective"

	RollbacksStopped RecordType = "rollbacks_stopped" // the kill switch, for all prompts or for one
	RollbacksResumed RecordType = "rollbacks_resumed"
	RegistryPromoted RecordType = "registry_promoted" // someone else promoted Version in place of Previous
)

// IsStep tells the steps of an alert from what was done about them.
func (t RecordType) IsStep() bool { return t == Pending || t == Firing || t == Resolved }
