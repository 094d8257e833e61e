package rules

import "testing"

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -999: "-999", -1234567: "-1,234,567"} {
		if got := Grouped(n); got != want {
			t.Errorf("Grouped(%d) is %q, want %q", n, got, want)
		}
	}
	if got := Grouped(uint64(1) << 63); got != "9,223,372,036,854,775,808" {
		t.Errorf("Grouped(1<<63) is %q", got)
	}
}
