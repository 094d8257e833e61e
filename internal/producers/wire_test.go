package producers

import (
	"testing"

	"github.com/VictoriaMetrics/easyproto"
)

// countField counts the messages at a path of field numbers.
func countField(t *testing.T, data []byte, path ...uint32) int {
	t.Helper()
	if len(path) == 0 {
		return 1
	}
	n := 0
	var f easyproto.FieldContext
	for len(data) > 0 {
		var err error
		if data, err = f.NextField(data); err != nil {
			t.Fatal(err)
		}
		if inner, ok := f.MessageData(); ok && f.FieldNum == path[0] {
			n += countField(t, inner, path[1:]...)
		}
	}
	return n
}
