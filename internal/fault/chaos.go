//go:build chaos

package fault

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// planned is one fault.
type planned struct {
	nth    int64
	signal syscall.Signal
	passed atomic.Int64
}

var plan = mustParse(os.Getenv(Env))

func mustParse(text string) map[string][]*planned {
	plan, err := parse(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return plan
}

func parse(text string) (map[string][]*planned, error) {
	plan := make(map[string][]*planned)
	for one := range strings.SplitSeq(text, ",") {
		if one == "" {
			continue
		}
		point, rest, _ := strings.Cut(one, ":")
		count, action, _ := strings.Cut(rest, ":")
		nth, err := strconv.ParseInt(count, 10, 64)
		signal, known := map[string]syscall.Signal{"": syscall.SIGKILL, "kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}[action]
		if !slices.Contains(Points, point) || err != nil || nth < 1 || !known {
			return nil, fmt.Errorf("%s: %q: want POINT:NTH[:kill|stop] with one of the points %s", Env, one, strings.Join(Points, ", "))
		}
		plan[point] = append(plan[point], &planned{nth: nth, signal: signal})
	}
	return plan, nil
}

// Point ends or stops the process here where the environment says so. It is for concurrent use.
func Point(name string) {
	for _, p := range plan[name] {
		if p.passed.Add(1) != p.nth {
			continue
		}
		fmt.Fprintf(os.Stderr, "fault: %s at %s\n", p.signal, name)
		syscall.Kill(os.Getpid(), p.signal)
		if p.signal == syscall.SIGKILL {
			select {} // the signal is on its way
		}
	}
}
