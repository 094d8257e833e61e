package posthog

import (
	"crypto/sha256"
	"encoding/hex"
)

// PostHog's ids are texts of any kind: UUIDs from its SDKs, what the application makes up, or OpenTelemetry's. They become ids of
// 16 and 8 bytes by these rules, so that the same text is the same id everywhere, and ids of OpenTelemetry are what they are
// elsewhere:
//
//	trace: 32 hex digits, or a UUID: its bytes
//	span:  16 hex digits: their bytes; 32, or a UUID: its first eight bytes xor its last eight
//	any other text: the first bytes of its SHA-256
//
// Half of a UUID would not do for a span: the first half of version 7 is mostly a clock, the second of version 1 a machine.

// traceID is the trace id that a text stands for.
func traceID(text []byte) (id [16]byte) {
	if len(text) == 0 || uuid(&id, text) {
		return id
	}
	sum := sha256.Sum256(text)
	copy(id[:], sum[:])
	return id
}

// spanID is the span id that a text stands for.
func spanID(text []byte) (id [8]byte) {
	if len(text) == 0 {
		return id
	}
	if len(text) == 2*len(id) {
		if _, err := hex.Decode(id[:], text); err == nil {
			return id
		}
	}
	var whole [16]byte
	if uuid(&whole, text) {
		for i := range id {
			id[i] = whole[i] ^ whole[i+8]
		}
		return id
	}
	sum := sha256.Sum256(text)
	copy(id[:], sum[:])
	return id
}

// uuid reads 32 hex digits, with dashes where those of a UUID stand or without.
func uuid(to *[16]byte, text []byte) bool {
	var digits [32]byte
	switch {
	case len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-':
		b := append(digits[:0], text[:8]...)
		b = append(b, text[9:13]...)
		b = append(b, text[14:18]...)
		b = append(b, text[19:23]...)
		text = append(b, text[24:]...)
	case len(text) != 32:
		return false
	}
	var id [16]byte
	if _, err := hex.Decode(id[:], text); err != nil {
		return false
	}
	*to = id
	return true
}
