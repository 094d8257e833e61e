package consumer

// Reason says why an event or a record went to the dead letters. The set is closed: it labels a metric.
type Reason uint8

const (
	Fine Reason = iota

	// Of whole records.
	Encoding     // does not look like the encoding that is set for its topic
	Malformed    // cut short, damaged, or not well formed
	WrongType    // a known key of a JSON event has a value of another type
	DuplicateKey // a known key stands twice in a JSON event
	TooDeep      // nested deeper than any event is
	CorruptBatch // the broker's batch around it fails its checksum or uses an unknown codec

	// Of single events.
	BadTime         // none, or before the year 2000: wrong unit
	Future          // more than five minutes ahead of the ingest worker's clock
	BadID           // a trace or span id of a wrong length or alphabet
	BadValue        // not finite, negative, beyond any meaning, or no number
	NegativeLatency // ends before it starts
	PromptName      // too long, or with line breaks or control characters: template text in a name's place
	LabelValue      // a version, dimension or axis that is too long or has control characters
	InvalidUTF8     // in a label
	RubricName      // missing, too long, with control characters, or that of a built-in metric
	NoValue         // a score with neither value nor label
	UnknownLabel    // a score's label that its rubric's scale does not have
	OutOfRange      // a score outside its rubric's range
	TooManyScores   // in one event
	DuplicateRubric // one event with two scores on one rubric
	Unlinked        // a score that names no prompt

	numReasons
)

var reasonNames = [numReasons]string{
	"", "encoding", "malformed", "wrong_type", "duplicate_key", "too_deep", "corrupt_batch", "bad_time", "future", "bad_id",
	"bad_value", "negative_latency", "prompt_name", "label_value", "invalid_utf8", "rubric_name", "no_value", "unknown_label",
	"out_of_range", "too_many_scores", "duplicate_rubric", "unlinked",
}

func (r Reason) String() string { return reasonNames[r] }
