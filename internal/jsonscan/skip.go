package jsonscan

// MaxDepth is how deep the lists and objects of a value that is skipped may be nested.
const MaxDepth = 512

// Skip moves over a value of any kind.
func (s *Scanner) Skip() bool {
	var objects [MaxDepth / 64]uint64 // which of the levels around are objects
	depth := 0
	for {
		switch c := s.Peek(); c {
		case '"':
			if !s.skipText() {
				return false
			}
		case '{', '[':
			s.i++
			if s.Take(c + 2) { // '}' and ']'
				break
			}
			if depth == MaxDepth {
				s.deep = true
				return false
			}
			if bit := uint64(1) << (depth & 63); c == '{' {
				objects[depth>>6] |= bit
			} else {
				objects[depth>>6] &^= bit
			}
			depth++
			if c == '{' && !s.skipKey() {
				return false
			}
			continue
		default:
			if !s.skipPlain(c) {
				return false
			}
		}
		more := false
		for depth > 0 && !more {
			object := objects[(depth-1)>>6]&(1<<((depth-1)&63)) != 0
			switch c := s.Peek(); {
			case c == ',':
				s.i++
				if object && !s.skipKey() {
					return false
				}
				more = true
			case c == '}' && object, c == ']' && !object:
				s.i++
				depth--
			default:
				return false
			}
		}
		if !more {
			return true
		}
	}
}

// skipPlain moves over a value that is neither text nor nested.
func (s *Scanner) skipPlain(first byte) bool {
	switch first {
	case 't':
		return s.Word("true")
	case 'f':
		return s.Word("false")
	case 'n':
		return s.Word("null")
	default:
		_, ok := s.Number()
		return ok
	}
}

func (s *Scanner) skipKey() bool { return s.skipText() && s.Take(':') }

// skipText moves over a string without keeping what it says.
func (s *Scanner) skipText() bool {
	if !s.Take('"') {
		return false
	}
	for {
		s.plain()
		if s.i == len(s.b) {
			return false
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return true
		case '\\':
			if !s.skipEscape() {
				return false
			}
		default:
			return false
		}
	}
}

func (s *Scanner) skipEscape() bool {
	if len(s.b)-s.i < 2 {
		return false
	}
	c := s.b[s.i+1]
	s.i += 2
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		_, ok := s.hex()
		return ok
	}
	return false
}
