package consumer

const (
	// letterBytes bounds the dead letters of one wave, so that they fit a broker's default limit of 1 MiB.
	letterBytes = 700 << 10
	// roundLetters is the bytes of dead letters that make a round full.
	roundLetters = 4 << 20
)

// round is what goes out together, and the offset to commit when all of it is written.
type round struct {
	waves     []wave
	buf       []byte // the batches
	next      int64  // offset to commit
	watermark int64  // Unix ns
	counted   tally
	samples   int
	batches   int
	letters   int  // bytes of dead letters
	full      bool // a lane has as much as one batch may hold, or there are many dead letters
	beat      bool // lanes without a batch get a heartbeat
}

// wave is one request: at most one batch for each samples partition. It is written before the next.
type wave struct {
	messages []message
	letters  int // bytes of dead letters
}

// put adds a samples batch to the wave at.
func (r *round) put(at int, m message) {
	r.wave(at).messages = append(r.wave(at).messages, m)
	r.batches++
}

// bury adds a dead letter.
func (r *round) bury(m message) {
	at := max(len(r.waves)-1, 0)
	n := m.size()
	if w := r.wave(at); w.letters > 0 && w.letters+n > letterBytes {
		at++
	}
	w := r.wave(at)
	w.letters += n
	r.letters += n
	r.full = r.full || r.letters >= roundLetters
	w.messages = append(w.messages, m)
}

// wave returns the wave at, which is at most one behind the last.
func (r *round) wave(at int) *wave {
	if at == len(r.waves) {
		if at < cap(r.waves) {
			r.waves = r.waves[:at+1]
			r.waves[at] = wave{messages: r.waves[at].messages[:0]}
		} else {
			r.waves = append(r.waves, wave{})
		}
	}
	return &r.waves[at]
}

const (
	maxSpare = 8 << 20  // bounds the buffer that a round keeps for the next
	maxIdle  = 64 << 10 // likewise, one without samples
)

func (r *round) reset() {
	waves, buf := r.waves, r.buf[:0]
	for i := range waves {
		clear(waves[i].messages)
		waves[i].messages = waves[i].messages[:0]
	}
	if cap(buf) > maxSpare || r.samples == 0 && cap(buf) > maxIdle {
		waves, buf = nil, nil
	}
	*r = round{waves: waves[:0], buf: buf}
}
