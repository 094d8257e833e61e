package producers

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestScrub(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := scrub([]byte(in), said); string(got) != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	f(`{"key":"prompt.name","v":"refund","tokens":42}`, `{"key":"prompt.name","v":"refund","tokens":42}`)
	f(`"{\"content\": \"`+texts.Completion+`\"}"`, `"{\"content\": \"xxx xxxxxx xx xx xxx xxx\"}"`)
	f(`template=`+texts.Template[:20]+`...)`, `template=xxxxxx xxx xxxxxxx x...)`)
	f(texts.System+texts.System, `xxx xxxxxx xxxxxxx xxxx xxxxxxx xxxxxx xxxxxxx xxxx xxxx`)
	f(`http://127.0.0.1:41825/v1`, `http://999.9.9.9:99999/v1`)
	f(`in /opt/venv/lib/run.py line 7`, `in /xxx/xxxx/xxx/xxx.xx line 7`)
}

// TestFixturesHoldNoText looks for what no fixture may hold.
func TestFixturesHoldNoText(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "consumer", "otlp", "testdata", "producers", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no fixtures: ", err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(scrub(content, said), content) {
			t.Errorf("%s holds text", f)
		}
	}
}
