package kafkalog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var b Backoff
		for i, most := range []time.Duration{0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
			most *= time.Millisecond
			if !b.Wait(t.Context()) {
				t.Fatal("Wait says that the context has ended")
			}
			if took := time.Since(start); took > most || took < most*2/3-time.Millisecond {
				t.Errorf("wait %d took %v, want up to a third less than %v", i, took, most)
			}
			start = time.Now()
		}
		b.Reset()
		if b.Wait(t.Context()); time.Since(start) != 0 {
			t.Error("the first wait after Reset pauses")
		}

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool)
		go func() { done <- b.Wait(ctx) }()
		synctest.Wait()
		cancel()
		if <-done {
			t.Error("Wait says to go on after the context ended")
		}
		if b.Reset(); b.Wait(ctx) {
			t.Error("Wait says to go on in an ended context")
		}
	})
}
