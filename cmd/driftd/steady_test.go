package main

import (
	"log/slog"
	"testing"
	"time"
)

func TestSteady(t *testing.T) {
	begin := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	var passed, set time.Duration
	s := &steady{
		wall: func() time.Time { return begin.Add(passed + set) }, passed: func() time.Duration { return passed }, log: slog.New(slog.DiscardHandler),
	}
	at := func(p, by, want time.Duration) {
		t.Helper()
		passed, set = p, by
		if got := s.Now().Sub(begin); got != want {
			t.Errorf("after %v, set by %v: %v, want %v", p, by, got, want)
		}
	}
	at(0, 0, 0)
	at(time.Minute, 2*time.Second, time.Minute+2*time.Second)     // kept right
	at(2*time.Minute, 4*time.Second, 2*time.Minute+4*time.Second) // and again
	at(3*time.Minute, -10*time.Minute, 3*time.Minute+4*time.Second)
	at(12*time.Minute, -10*time.Minute, 12*time.Minute+4*time.Second)
	at(13*time.Minute, 0, 13*time.Minute) // and forth
	at(14*time.Minute, 10*time.Minute, 14*time.Minute)
	at(28*time.Minute, 10*time.Minute, 28*time.Minute)
	at(29*time.Minute, 10*time.Minute, 39*time.Minute) // it stays
	at(30*time.Minute, time.Hour, 40*time.Minute)
	at(40*time.Minute, -time.Hour, 50*time.Minute) // another time
	at(54*time.Minute, -time.Hour, 64*time.Minute)
	at(55*time.Minute, -time.Hour, -5*time.Minute)
}

func TestUptime(t *testing.T) {
	up := uptime()
	was := up()
	for range 1000 {
		now := up()
		if now < was {
			t.Fatalf("%v after %v", now, was)
		}
		was = now
	}
}
