package kafkalog

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestBalanceLaws lets members come and go at random and checks that every partition has one owner, evenly, all topics alike, and that
// no more moves than an even share asks for.
func TestBalanceLaws(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		counts := map[string]int{"a": 1 + rnd.IntN(20), "b": 1 + rnd.IntN(20)}
		topics := []string{"a", "b"}
		had := map[string][]int{}
		for generation := range int32(6) {
			ids := []string{}
			for i := range 5 {
				if rnd.IntN(3) > 0 || i == 4 && len(ids) == 0 {
					ids = append(ids, fmt.Sprint("member", i))
				}
			}
			seats := make([]*seat, len(ids))
			keepable := 0
			units := max(counts["a"], counts["b"])
			for i, id := range ids {
				seats[i] = &seat{id: id, topics: topics, generation: generation, had: had[id], gets: map[string][]int{}}
				keepable += min(len(had[id]), units/len(ids))
			}
			assignCoPartitioned(seats, counts)

			owner := make([]string, units)
			next, kept := map[string][]int{}, 0
			for _, s := range seats {
				for topic, partitions := range s.gets {
					for _, n := range partitions {
						if owner[n] != "" && owner[n] != s.id {
							t.Fatalf("seed %d: %s[%d] goes to %s, not to %s as in the other topic", seed, topic, n, s.id, owner[n])
						}
						if owner[n] == "" {
							owner[n] = s.id
							next[s.id] = append(next[s.id], n)
							for _, h := range had[s.id] {
								if h == n {
									kept++
								}
							}
						}
					}
				}
			}
			for topic, count := range counts {
				given := 0
				for _, s := range seats {
					given += len(s.gets[topic])
				}
				if given != count {
					t.Fatalf("seed %d: %d of %d partitions of %s are given", seed, given, count, topic)
				}
			}
			for _, id := range ids {
				if n := len(next[id]); n < units/len(ids) || n > (units+len(ids)-1)/len(ids) {
					t.Fatalf("seed %d: %s has %d of %d among %d", seed, id, n, units, len(ids))
				}
			}
			if kept < keepable {
				t.Fatalf("seed %d: %d stay, %d could", seed, kept, keepable)
			}
			had = next
			if rnd.IntN(4) == 0 {
				counts["a"] += rnd.IntN(5)
			}
		}
	}
}

func TestBalanceClaimedTwice(t *testing.T) {
	old := &seat{id: "a", topics: []string{"t"}, generation: 4, had: []int{0, 1}, gets: map[string][]int{}}
	now := &seat{id: "b", topics: []string{"t"}, generation: 5, had: []int{1}, gets: map[string][]int{}}
	assignCoPartitioned([]*seat{old, now}, map[string]int{"t": 2})
	if fmt.Sprint(old.gets, now.gets) != "map[t:[0]] map[t:[1]]" {
		t.Errorf("a %v, b %v: who was evicted meanwhile must not keep what it says it has", old.gets, now.gets)
	}
}

func TestBalanceOtherTopics(t *testing.T) {
	for name, assign := range map[string]func([]*seat, map[string]int){"co-partitioned": assignCoPartitioned, "all to one": assignAllToOne} {
		a := &seat{id: "a", topics: []string{"old"}, gets: map[string][]int{}}
		b := &seat{id: "b", topics: []string{"new"}, gets: map[string][]int{}}
		assign([]*seat{a, b}, map[string]int{"old": 2, "new": 2, "nobody's": 2})
		if len(a.gets["old"]) != 2 || len(b.gets["new"]) != 2 || len(a.gets)+len(b.gets) != 2 {
			t.Errorf("%s: a %v, b %v", name, a.gets, b.gets)
		}
	}
}

func TestBalanceAllToOne(t *testing.T) {
	seats := func(userData ...[]byte) []*seat {
		var out []*seat
		for i, u := range userData {
			out = append(out, newSeat(fmt.Sprint("m", i), []string{"t"}, u))
		}
		return out
	}
	for name, c := range map[string]struct {
		seats []*seat
		want  int
	}{
		"first by id":              {seats(nil, nil), 0},
		"who had it":               {seats([]byte{0, 0, 0, 9}, []byte{0, 0, 0, 3, 0, 1}), 1},
		"who had it last":          {seats([]byte{0, 0, 0, 2, 0}, []byte{0, 0, 0, 3, 0}), 1},
		"broken user data is none": {seats([]byte{1, 2}, []byte{0, 0, 0, 3, 0, 0xff}), 1},
	} {
		assignAllToOne(c.seats, map[string]int{"t": 3})
		for i, s := range c.seats {
			if got := len(s.gets["t"]); got != 0 && i != c.want || got != 3 && i == c.want {
				t.Errorf("%s: member %d gets %d", name, i, got)
			}
		}
	}
	assignAllToOne(nil, map[string]int{"t": 3})
	assignCoPartitioned(nil, map[string]int{"t": 3})
}
