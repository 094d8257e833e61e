// Command chaos hurts driftd in every way that is known, and compares what it made of a known stream with what an independent program
// makes of it: nothing lost, nothing counted twice, no alert missing, none told twice.
//
//	go run ./internal/chaos [--fault NAME] [--rounds N] [--kafka embedded|apache] [--seed N]
//
// Each row of the table is one fault. driftd runs as processes of its own, built with the tag chaos; the broker is the embedded one or
// Apache Kafka itself; Slack, the webhook and the registry are fakes over HTTP. The same seed makes the same stream and the same
// schedule. It exits with 1 on any difference, and keeps the logs of that row.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/driftd/driftd/internal/apache"
	"github.com/driftd/driftd/internal/chaos/rig"
)

// families are the rows of the matrix, one file a family. Those that take long come first, so that no row is left over in the end.
var families = [][]row{processRows, receiverRows, clockRows, loadRows, inputRows, brokerRows, offsetRows, topicRows, diskRows}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := chaos(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func chaos(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	fs.SetOutput(stderr)
	m := &matrix{stdout: stdout, stderr: stderr}
	fault := fs.String("fault", "", "only the rows of this `NAME`, and those that begin with it and a dash")
	fs.IntVar(&m.rounds, "rounds", 0, "how often each fault comes in its row, at least; 0 is what the row says")
	fs.StringVar(&m.kafka, "kafka", "embedded", "`KIND` of broker: embedded or apache")
	fs.Uint64Var(&m.seed, "seed", 0, "of streams and schedules; 0 is another one each time")
	fs.BoolVar(&m.keep, "keep", false, "keep the logs of rows without a difference too")
	fs.BoolVar(&m.short, "short", false, "each fault once")
	fs.IntVar(&m.jobs, "jobs", 0, "rows at a time; 0 is one a processor, or two of the short ones")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	m.rows = pick(*fault)
	why := ""
	switch {
	case m.kafka != embeddedKafka && m.kafka != apacheKafka:
		why = fmt.Sprintf("there is no kind of Kafka %q", m.kafka)
	case len(m.rows) == 0:
		why = fmt.Sprintf("there is no fault %q", *fault)
	case m.rounds < 0:
		why = fmt.Sprintf("%d rounds cannot be", m.rounds)
	case fs.NArg() > 0:
		why = fmt.Sprintf("%q is not understood", fs.Arg(0))
	}
	if why != "" {
		fmt.Fprintf(stderr, "chaos: %s\nusage: chaos [--fault NAME] [--rounds N] [--kafka embedded|apache] [--seed N] [--short]\nfaults: %s\n", why, strings.Join(names(), " "))
		return 2
	}
	m.seed = cmp.Or(m.seed, uint64(time.Now().UnixNano())%1_000_000)
	if m.jobs == 0 {
		if m.jobs = runtime.NumCPU(); m.short {
			m.jobs *= 2
		}
	}
	wrong, err := m.run(ctx)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 1
	}
	if wrong {
		return 1
	}
	return 0
}

func names() (all []string) {
	for _, f := range families {
		for i := range f {
			all = append(all, f[i].name)
		}
	}
	return all
}

func pick(fault string) (rows []*row) {
	for _, f := range families {
		for i := range f {
			if r := &f[i]; fault == "" || r.name == fault || strings.HasPrefix(r.name, fault+"-") {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// matrix is one run of the command.
type matrix struct {
	stdout, stderr io.Writer
	kafka          string
	seed           uint64
	rounds, jobs   int
	short, keep    bool
	rows           []*row
	program        string // driftd
	dir            string
	shared         func() (*apache.Cluster, error) // starts the brokers that rows share
	cluster        *apache.Cluster                 // these, once they are started
}

// broker is what it is run on.
func (m *matrix) broker() string {
	if m.kafka == embeddedKafka {
		return "the embedded broker"
	}
	return "Apache Kafka " + apache.Version
}

// run tries all rows and prints the table; wrong says that a row has differences or failed.
func (m *matrix) run(ctx context.Context) (wrong bool, err error) {
	began := time.Now()
	if m.dir, err = os.MkdirTemp("", "driftd-chaos-"); err != nil {
		return false, err
	}
	defer func() {
		if !wrong && !m.keep {
			os.RemoveAll(m.dir)
		}
	}()
	if m.program, err = rig.Build(ctx, m.dir); err != nil {
		return false, err
	}
	m.shared = sync.OnceValues(func() (*apache.Cluster, error) {
		c, err := apache.Start(apache.Options{})
		m.cluster = c
		return c, err
	})
	defer func() {
		if m.cluster != nil {
			m.cluster.Close()
		}
	}()
	t := newTable(m.stdout, m.rows)
	t.head(m)
	results := make([]chan *result, len(m.rows))
	for i := range results {
		results[i] = make(chan *result, 1)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	defer wg.Wait()
	for range m.jobs {
		wg.Go(func() {
			for i := range next {
				results[i] <- m.try(ctx, m.rows[i])
			}
		})
	}
	go func() {
		defer close(next)
		for i := range m.rows {
			next <- i
		}
	}()
	for i, r := range m.rows {
		res := <-results[i]
		t.print(m, r, res)
		wrong = wrong || res.wrong()
	}
	t.foot(m, wrong, time.Since(began))
	return wrong || t.rows == 0, ctx.Err() // where no row could be had, nothing was shown
}
