package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// The forms in which a record may be given.
const (
	Raw    = "raw"
	Base64 = "base64"
	Hex    = "hex"
)

// leastText is how many characters make a text that is taken for base64 or hex.
const leastText = 16

// Record finds the bytes of a record in what was given: its bytes as they are, or base64 or hex of them, in which blanks and
// line ends do not matter. No record of an encoding that driftd reads looks like either.
func Record(given []byte) (record []byte, form string) {
	text := make([]byte, 0, len(given))
	for _, c := range given {
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		if c < ' ' || c > '~' {
			return given, Raw
		}
		text = append(text, c)
	}
	if len(text) < leastText {
		return given, Raw
	}
	if digits := bytes.TrimPrefix(text, []byte("0x")); len(digits)%2 == 0 {
		if b, err := hex.AppendDecode(nil, digits); err == nil {
			return b, Hex
		}
	}
	bare := bytes.TrimRight(text, "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if b, err := e.AppendDecode(nil, bare); err == nil {
			return b, Base64
		}
	}
	return given, Raw
}
