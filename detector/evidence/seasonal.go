package evidence

import "math"

// Hours of a day, as Seasonal knows them.
const Hours = 24

// Seasonal learns what a series is compared with where its mean swings with the time of day: a baseline for each block of
// hours, sealed at BaselineAlpha in all. Blocks are as short as they can be with BaselineN scores in each, one hour to four,
// which is a matter of counts alone: a day of five scores a minute is enough, and with fewer it takes more days.
//
// What it promises: with probability 1 − BaselineAlpha no block's bound is above the mean that its hours had while they were
// learned, and then the budget holds as long as the mean of no minute is below its block's bound. So that the swing itself takes
// none below, which goes on inside a block too, bounds are lower by the falls of their blocks. A swing that moves, as at weekends
// or when clocks are changed, is no different from a drop. The price is the delay: a block has fewer scores than a day, and there
// are more bounds that must hold at once.
//
// It takes 3 KB while it learns and 2 KB saved.
type Seasonal struct{ seen [Hours]Weights }

// Learn takes a pane's scores into account. hour is that of the pane in UTC, 0 … 23.
func (s *Seasonal) Learn(hour int, w *Weights) { s.seen[hour].Merge(w) }

// N is the number of scores learned from.
func (s *Seasonal) N() (n int64) {
	for i := range s.seen {
		n += s.seen[i].N()
	}
	return n
}

// Block are the scores of some hours of the day, and the bound that they are sealed with.
type Block struct {
	Weights
	Bound float64
}

// Seal returns the blocks, all of one length, the first from midnight UTC; nil while four hours of the day have fewer than BaselineN
// scores. It should be called after whole days, so that no hour has been learned less than others.
func (s *Seasonal) Seal() []Block {
next:
	for hours := 1; hours <= 4; hours++ {
		blocks := make([]Block, Hours/hours)
		for h := range s.seen {
			blocks[h/hours].Merge(&s.seen[h])
		}
		for i := range blocks {
			if blocks[i].N() < BaselineN {
				continue next
			}
		}
		for i, fall := range falls(blocks) {
			blocks[i].Bound = max(Lower(&blocks[i].Weights, BaselineAlpha/float64(len(blocks)))-fall, 0)
		}
		return blocks
	}
	return nil
}

// falls are how far below its mean the swing takes each block where it is lowest: that of the parabola whose means are those of the
// block and of the two beside it. Of a straight line it is half of the way to the lower one. The day is a circle.
func falls(blocks []Block) []float64 {
	out := make([]float64, len(blocks))
	for i := range blocks {
		before := blocks[(i+len(blocks)-1)%len(blocks)].Mean() - blocks[i].Mean()
		after := blocks[(i+1)%len(blocks)].Mean() - blocks[i].Mean()
		b, c := (after-before)/2, (after+before)/2 // at x blocks from its middle it is b·x + c·(x² − 1/12)
		if math.Abs(b) < c {                       // lowest inside
			out[i] = c/12 + b*b/(4*c)
		} else {
			out[i] = max((after-2*before)/6, (before-2*after)/6, 0) // at its begin, at its end
		}
	}
	return out
}

// Save appends the state.
func (s *Seasonal) Save(dst []byte) []byte {
	for i := range s.seen {
		dst = s.seen[i].Append(dst)
	}
	return dst
}

// Load is the inverse of Save. It returns the bytes that follow.
func (s *Seasonal) Load(src []byte) (rest []byte, err error) {
	r := reader{b: src}
	for i := range s.seen {
		readWeights(&r, &s.seen[i])
	}
	if r.err {
		*s = Seasonal{}
		return nil, errState
	}
	return r.b, nil
}
