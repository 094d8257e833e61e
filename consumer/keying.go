package consumer

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// keying is how a record that needs a link was keyed. All of a trace must stand in partitions of one number, so records are to
// be keyed by trace id, and topics that are linked spread by one hash.
type keying uint8

const (
	keyedWell  keying = iota
	keyedElse         // by trace id, but it stands in another partition than Kafka's default partitioner chooses
	keyedOther        // by something else than the trace id
	keyedNot
	numKeying
)

var keyingNames = [numKeying]string{"trace_id", "trace_id_other_hash", "other", "none"}

// keyed looks at a record's key. home is the partition that Kafka's default partitioner gives it.
func keyed(key []byte, trace *[16]byte, home func(key []byte) bool) keying {
	switch {
	case len(key) == 0:
		return keyedNot
	case string(key) != string(trace[:]) && !strings.EqualFold(string(key), hex.EncodeToString(trace[:])):
		return keyedOther
	case !home(key):
		return keyedElse
	default:
		return keyedWell
	}
}

const (
	// keyingEnough is how many records are looked at before anything is said of a topic's keys.
	keyingEnough = 100
	// keyingShare is the share of badly keyed records, in percent, from which on it is said.
	keyingShare = 10
)

// keyingTrouble says what keeps the records of the topics from being linked, and the cure; nothing when they are keyed well.
// The counts are of records that needed a link, in topics of more than one partition.
func keyingTrouble(topics []string, counts map[string][numKeying]uint64) (trouble []string) {
	const (
		noKey = "have it keyed by trace id (Collector's Kafka exporter: partition_traces_by_id: true for traces, " +
			"partition_logs_by_trace_id: true for logs)"
		otherKey = "key them by the trace that they are about; scores that are written in a trace of their own, with a span link to " +
			"what they judge, stand beside it by chance alone: write them in the context of the judged span, or use `driftd redrive`"
	)
	var here, elsewhere []string
	for _, t := range topics {
		n := counts[t]
		all := n[keyedWell] + n[keyedElse] + n[keyedOther] + n[keyedNot]
		if all < keyingEnough {
			continue
		}
		if bad := n[keyedOther] + n[keyedNot]; bad*100 >= all*keyingShare {
			what, cure := "have no key", noKey
			if n[keyedOther] > n[keyedNot] {
				what, cure = "have another key than their trace's id", otherKey
			}
			trouble = append(trouble, fmt.Sprintf("topic %s: of %d records that need linking %d %s: %s", t, all, bad, what, cure))
			continue
		}
		if n[keyedElse]*50 > all { // another hash agrees now and then, by chance
			elsewhere = append(elsewhere, t)
		} else {
			here = append(here, t)
		}
	}
	if len(here) > 0 && len(elsewhere) > 0 {
		trouble = append(trouble, fmt.Sprintf("topics %s and %s: the same trace id goes to different partitions: "+
			"have all producers spread keys by one hash (Collector's Kafka exporter: record_partitioner: {sticky_key: {hasher: murmur2}}, "+
			"which is what Kafka's own producers do)", strings.Join(here, ", "), strings.Join(elsewhere, ", ")))
	}
	return trouble
}

// countTrouble says which topics cannot be linked for their numbers of partitions.
func countTrouble(topics []string, partitions map[string]int) []string {
	var counts, groups []string
	by := make(map[int][]string)
	for _, t := range topics {
		if n := partitions[t]; n > 0 {
			by[n] = append(by[n], t)
		}
	}
	if len(by) < 2 {
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(by)) {
		counts = append(counts, strconv.Itoa(n))
		groups = append(groups, fmt.Sprintf("%s (%d)", strings.Join(by[n], ", "), n))
	}
	return []string{fmt.Sprintf("topics of %s partitions cannot be linked with each other: %s: give those that hold parts of the same traces "+
		"equal numbers", strings.Join(counts, " and "), strings.Join(groups, "; "))}
}
