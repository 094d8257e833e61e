package kafkalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/segmentio/kafka-go"
)

var (
	// ErrUnknownTopic is answered for a topic or partition that does not exist, or not yet.
	ErrUnknownTopic = errors.New("unknown topic or partition")
	// ErrNotOwner is answered to the commit of a claim that has gone to another member.
	ErrNotOwner = errors.New("the partition belongs to another member of the group")
	// ErrTooLarge is answered for a record batch above the broker's or the topic's limit (1 MiB unless configured).
	ErrTooLarge = errors.New("the record batch is above the limit of the broker or topic")

	// ErrDenied is answered for what the brokers' access rules do not let us do.
	ErrDenied = errors.New("not authorized")

	errNoBroker = errors.New("no broker could be reached")
)

// OutOfRangeError says that an offset is not in the log, and what is: First is the log's start, Next its end.
type OutOfRangeError struct {
	Topic               string
	Partition           int
	Offset, First, Next int64
}

func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("fetch %s[%d]@%d: out of range, the log holds %d to %d", e.Topic, e.Partition, e.Offset, e.First, e.Next)
}

// PartitionCountError says that a topic exists with another number of partitions than it must have.
type PartitionCountError struct {
	Topic      string
	Want, Have int
}

func (e *PartitionCountError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, want %d: the count is pinned when the topics are made", e.Topic, e.Have, e.Want)
}

// ProduceError says which partitions were not acknowledged; all others were. A partition listed here may have been written
// nevertheless, when the answer was lost.
type ProduceError struct{ Failed []PartitionError }

// PartitionError is the failure of one partition's batch.
type PartitionError struct {
	Topic     string
	Partition int
	Messages  int
	Bytes     int // of the encoded batch
	Err       error
}

func (e *PartitionError) Error() string {
	return fmt.Sprintf("produce %d messages, %d bytes to %s[%d]: %v", e.Messages, e.Bytes, e.Topic, e.Partition, e.Err)
}

func (e *PartitionError) Unwrap() error { return e.Err }

func (e *ProduceError) Error() string {
	const shown = 3
	var b strings.Builder
	for i := range e.Failed {
		if i == shown {
			fmt.Fprintf(&b, "; and %d partitions more", len(e.Failed)-shown)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.Failed[i].Error())
	}
	return b.String()
}

func (e *ProduceError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i := range e.Failed {
		errs[i] = &e.Failed[i]
	}
	return errs
}

// answer turns a broker's error code into an error: one of this package's where callers match it, else kafka-go's text.
func answer(code int16) error {
	switch e := kafka.Error(code); e {
	case 0:
		return nil
	case kafka.UnknownTopicOrPartition, kafka.UnknownTopicID, kafka.InconsistentTopicID:
		return codeError{ErrUnknownTopic, kafka.UnknownTopicOrPartition}
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return codeError{ErrTooLarge, e}
	default:
		return explain(e)
	}
}

// explain adds what to do about an answer where that is not plain from its text. Any other error it returns as it is.
func explain(err error) error {
	var code kafka.Error
	if _, done := errors.AsType[hinted](err); done || !errors.As(err, &code) {
		return err
	}
	hint, kind := "", error(nil)
	switch code {
	case kafka.TopicAuthorizationFailed:
		kind, hint = ErrDenied, "the user needs Describe and Read on the topics of sources; on those of driftd Write and Create as well"
	case kafka.GroupAuthorizationFailed:
		kind, hint = ErrDenied, "the user needs Read and Describe on the groups of driftd"
	case kafka.ClusterAuthorizationFailed:
		kind, hint = ErrDenied, "the user needs Create on the cluster, or the topics of driftd made beforehand"
	case kafka.KafkaStorageError:
		hint = "the broker cannot use its log: is its disk full, read-only or broken? Its own log tells"
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend:
		hint = "fewer brokers are in sync than the topic's min.insync.replicas"
	case kafka.PolicyViolation:
		hint = "a policy of the brokers refuses it"
	default:
		return err
	}
	return hinted{err, kind, hint}
}

// hinted is an answer with what to do about it.
type hinted struct {
	error
	kind error // of this package, to be matched; or nil
	hint string
}

func (h hinted) Error() string { return h.error.Error() + " (" + h.hint + ")" }

func (h hinted) Unwrap() []error {
	if h.kind == nil {
		return []error{h.error}
	}
	return []error{h.error, h.kind}
}

// codeError reads as one of our errors and matches the broker's code too.
type codeError struct {
	error
	code kafka.Error
}

func (e codeError) Unwrap() []error { return []error{e.error, e.code} }
