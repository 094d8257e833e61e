package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// figure is a line of the table.
type figure struct {
	What   string
	Value  float64
	Unit   string
	Target float64 // 0: none
	AtMost bool    // the target is an upper bound

	PerEvent *cost  `json:",omitempty"`
	Note     string `json:",omitempty"`
}

// cost is what one event took.
type cost struct {
	Event         string // what counts as one
	Nanos         float64
	Bytes, Allocs float64
}

func (f *figure) met() string {
	switch {
	case f.Target == 0:
		return ""
	case f.AtMost && f.Value <= f.Target, !f.AtMost && f.Value >= f.Target:
		return "yes"
	}
	return "NO"
}

// line is the figure as it is told when it is known, before the table.
func (f *figure) line() string {
	told := fmt.Sprintf("%s: %s %s", strings.TrimSpace(f.What), number(f.Value), f.Unit)
	if f.met() != "" {
		told += fmt.Sprintf(", target %s: %s", number(f.Target), f.met())
	}
	return told
}

func print(w io.Writer, figures []figure) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\ttarget\tmet\tCPU, heap of one\tnote")
	fmt.Fprintln(t, "------\t--------\t------\t---\t----------------\t----")
	for i := range figures {
		f := &figures[i]
		target := ""
		if f.Target != 0 {
			sign := "≥"
			if f.AtMost {
				sign = "≤"
			}
			target = fmt.Sprintf("%s %s", sign, number(f.Target))
		}
		each := ""
		if c := f.PerEvent; c != nil {
			each = fmt.Sprintf("%s: %.0f ns, %.0f B, %.2f allocs", c.Event, c.Nanos, c.Bytes, c.Allocs)
		}
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\n", f.What, number(f.Value), f.Unit, target, f.met(), each, f.Note)
	}
	return t.Flush()
}

func number(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// usage is what the process has taken so far, or between two looks.
type usage struct {
	cpu, wall     time.Duration
	bytes, allocs uint64
}

var start = time.Now()

func now() usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{
		cpu: time.Duration(r.Utime.Nano() + r.Stime.Nano()), wall: time.Since(start), bytes: m.TotalAlloc, allocs: m.Mallocs,
	}
}

func (u usage) since(before usage) usage {
	return usage{u.cpu - before.cpu, u.wall - before.wall, u.bytes - before.bytes, u.allocs - before.allocs}
}

// per is the cost of one of n events.
func (u usage) per(event string, n int) *cost {
	return &cost{event, float64(u.cpu.Nanoseconds()) / float64(n), float64(u.bytes) / float64(n), float64(u.allocs) / float64(n)}
}

// millions is how many millions of n come to one second of CPU.
func (u usage) millions(n int) float64 { return float64(n) / 1e6 / u.cpu.Seconds() }

// heap is what is reachable, in bytes.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
