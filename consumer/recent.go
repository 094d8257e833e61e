package consumer

const (
	// knownBytes is what the source partitions of a process may take, together, for the cells and labels that they know from before:
	// each has its even share, but leastKnown at least.
	knownBytes = 128 << 20
	leastKnown = 1 << 20
	// forgetAfter is the time on the clock, ns, after which what nobody asks for is forgotten; it may take twice as long.
	forgetAfter = 5 * 60e9
)

// recent remembers, in so much memory, values that were asked for lately: now and then what is known is put aside, and what nobody asks
// for until the next time is forgotten. So who makes up keys does not push out those in use. Owned by one goroutine.
type recent[V interface{ size() int }] struct {
	max      int // bytes
	now, old map[string]V
	bytes    int   // of now
	turned   int64 // the clock when old was put aside, Unix ns
}

func (r *recent[V]) get(key []byte) (v V, ok bool) {
	if v, ok = r.now[string(key)]; ok {
		return v, true
	}
	if v, ok = r.old[string(key)]; ok {
		r.put(string(key), v)
	}
	return v, ok
}

func (r *recent[V]) put(key string, v V) {
	if r.now == nil || r.bytes > r.max/2 {
		r.turn()
	}
	r.now[key] = v
	r.bytes += v.size()
}

func (r *recent[V]) turn() { r.old, r.now, r.bytes = r.now, make(map[string]V), 0 }

// age forgets what is idle at clock now.
func (r *recent[V]) age(now int64) {
	if now-r.turned > forgetAfter {
		r.turned = now
		r.turn()
	}
}
