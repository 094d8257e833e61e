package phrase

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
)

// JSON is v for people and programs, indented, with a line break at its end. What a terminal or a page would act on, or would not show, is escaped as
// JSON can be: programs read the same.
func JSON(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, r := range string(data) { // outside of texts there are none of these, but line breaks
		if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r <= 0xffff {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
