package consumer

// Explanation is what was made of a set of attributes and why.
type Explanation struct{}

func (a *Attributes) explain(e *Event, span, resource *Set) *Explanation { return nil }
func (a *Attributes) explainScore(e *Event, s *Set) *Explanation         { return nil }
