package kafkalog

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
)

// balancer shares out partitions when this member leads the group. Members tell what they have, so that it can stay where it is.
type balancer struct{ group *Group }

func (b *balancer) ProtocolName() string {
	if b.group.cfg.Balancer == AllToOne {
		return "driftd-all-to-one"
	}
	return "driftd-co-partitioned"
}

// UserData tells the leader which partition numbers this member has, and since which generation: 4 bytes of generation, then uvarints.
func (b *balancer) UserData() ([]byte, error) {
	g := b.group
	g.mu.Lock()
	defer g.mu.Unlock()
	numbers := make(map[int]bool)
	for at := range g.mu.claims {
		numbers[at.partition] = true
	}
	data := binary.BigEndian.AppendUint32(nil, uint32(g.mu.id))
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		data = binary.AppendUvarint(data, uint64(n))
	}
	return data, nil
}

func (b *balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	counts := make(map[string]int)
	for _, p := range partitions {
		counts[p.Topic] = max(counts[p.Topic], p.ID+1)
	}
	// What kafka-go looked up is empty as soon as one topic is missing; so look again, and remember what was shared out.
	ctx, cancel := context.WithTimeout(context.Background(), joinTimeout/2)
	defer cancel()
	if seen, err := b.group.look(ctx); err == nil {
		maps.Copy(counts, seen)
	}
	seats := make([]*seat, len(members))
	for i, m := range members {
		seats[i] = newSeat(m.ID, m.Topics, m.UserData)
	}
	if b.group.cfg.Balancer == AllToOne {
		assignAllToOne(seats, counts)
	} else {
		assignCoPartitioned(seats, counts)
	}
	out := make(kafka.GroupMemberAssignments)
	for _, s := range seats {
		out[s.id] = s.gets
	}
	return out
}

// seat is a member at the moment of sharing out.
type seat struct {
	id         string
	topics     []string
	generation int32 // from which had is
	had        []int // partition numbers
	keeps      []int
	gets       map[string][]int
}

func newSeat(id string, topics []string, userData []byte) *seat {
	s := &seat{id: id, topics: topics, generation: -1, gets: make(map[string][]int)}
	if len(userData) < 4 {
		return s
	}
	s.generation = int32(binary.BigEndian.Uint32(userData))
	for b := userData[4:]; len(b) > 0; {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > 1<<31 {
			break
		}
		s.had = append(s.had, int(n))
		b = b[w:]
	}
	return s
}

// assignCoPartitioned gives each partition number to one member, evenly, with as few moves as that allows.
func assignCoPartitioned(seats []*seat, counts map[string]int) {
	if len(seats) == 0 {
		return
	}
	units := 0
	for _, n := range counts {
		units = max(units, n)
	}
	// Who says with the newest generation that it has a number, has it; then those with most come first, for theirs is the
	// larger share where the division leaves a rest.
	slices.SortFunc(seats, func(a, b *seat) int {
		return cmp.Or(cmp.Compare(b.generation, a.generation), cmp.Compare(len(b.had), len(a.had)), strings.Compare(a.id, b.id))
	})
	owner := make([]*seat, units)
	for _, s := range seats {
		for _, n := range s.had {
			if n < units && owner[n] == nil {
				owner[n] = s
				s.keeps = append(s.keeps, n)
			}
		}
	}
	share, rest := units/len(seats), units%len(seats)
	slices.SortStableFunc(seats, func(a, b *seat) int { return cmp.Compare(len(b.keeps), len(a.keeps)) })
	for _, s := range seats {
		quota := share
		if rest > 0 && len(s.keeps) > share {
			quota++
			rest--
		}
		for len(s.keeps) > quota {
			last := len(s.keeps) - 1
			owner[s.keeps[last]] = nil
			s.keeps = s.keeps[:last]
		}
	}
	for n := range owner {
		if owner[n] == nil {
			least := slices.MinFunc(seats, func(a, b *seat) int {
				return cmp.Or(cmp.Compare(len(a.keeps), len(b.keeps)), strings.Compare(a.id, b.id))
			})
			owner[n] = least
			least.keeps = append(least.keeps, n)
		}
	}
	for topic, count := range counts {
		for n := range count {
			give(seats, owner[n], topic, n)
		}
	}
}

// assignAllToOne gives everything to the member that had it last, else to the first by id.
func assignAllToOne(seats []*seat, counts map[string]int) {
	if len(seats) == 0 {
		return
	}
	one := slices.MinFunc(seats, func(a, b *seat) int {
		return cmp.Or(-cmp.Compare(min(len(a.had), 1), min(len(b.had), 1)), cmp.Compare(b.generation, a.generation), strings.Compare(a.id, b.id))
	})
	for topic, count := range counts {
		for n := range count {
			give(seats, one, topic, n)
		}
	}
}

// give assigns a partition to a member, or, when that one does not read the topic (during a change of configuration), to the first
// by id that does.
func give(seats []*seat, to *seat, topic string, partition int) {
	if !slices.Contains(to.topics, topic) {
		to = nil
		for _, s := range seats {
			if slices.Contains(s.topics, topic) && (to == nil || s.id < to.id) {
				to = s
			}
		}
		if to == nil {
			return
		}
	}
	to.gets[topic] = append(to.gets[topic], partition)
}
