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
	Step int        `json:"step"` // rises by one with each step of this alert, from 1 unless others were forgotten before it; an action carries the step it answers
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
	Value     *float64          `json:"value,omitempty"`     // of the watched figure; absent where the window is empty
	Reference *float64          `json:"reference,omitempty"` // what it is compared with: the number in the rule, or the baseline's figure
	Bound     *float64          `json:"bound,omitempty"`     // the limit that was crossed, in the metric's unit
	Above     *float64          `json:"above,omitempty"`     // of an exceed: values above it count, in the metric's unit
	Below     *float64          `json:"below,omitempty"`     // of an exceed: values below it count
	Interval  []float64         `json:"interval,omitempty"`  // of the value: 95 %, low and high
	Samples   int64             `json:"samples"`             // in the window; calls for a volume or coverage
	Window    string            `json:"window,omitempty"`
	Onset     *time.Time        `json:"onset,omitempty"` // first tick of the breach that led here

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

	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`

	// Of actions only.
	Actor    string `json:"actor,omitempty"`    // who did it: driftd, or a person
	Receiver string `json:"receiver,omitempty"` // through which receiver
	Reason   string `json:"reason,omitempty"`   // why it was refused, failed, or ended
	Ref      string `json:"ref,omitempty"`      // what the receiver gave back to find the message again
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
	Firing   RecordType = "firing"
	Resolved RecordType = "resolved"
)

// Actions are what the act stage did about a step.
const (
	Notified         RecordType = "notified"
	NotifyFailed     RecordType = "notify_failed"
	RollbackProposed RecordType = "rollback_proposed"
	RollbackRefused  RecordType = "rollback_refused"
	RollbackPromoted RecordType = "rollback_promoted"
	RollbackFailed   RecordType = "rollback_failed"
	Recovered        RecordType = "recovered"
)

// IsStep tells the steps of an alert from what was done about them.
func (t RecordType) IsStep() bool { return t == Pending || t == Firing || t == Resolved }
