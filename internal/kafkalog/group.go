package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// DefaultSession is the SessionTimeout of a GroupConfig without one.
const DefaultSession = 15 * time.Second

const (
	joinBackoff = time.Second      // after a failed join
	joinTimeout = 10 * time.Second // of one request to the coordinator
)

// Balancer says how partitions are shared out.
type Balancer int

const (
	// CoPartitioned gives partition i of every topic to the same member, and lets members keep what they have as far as
	// an even share allows.
	CoPartitioned Balancer = iota
	// AllToOne gives everything to one member, which keeps it as long as it lives.
	AllToOne
)

// Start says where to begin in a partition of which the group has committed nothing.
type Start int

const (
	StartOldest Start = iota // at the log's start
	StartNewest              // at the log's end
)

// GroupConfig describes a group of consumers.
type GroupConfig struct {
	ID       string
	Topics   []string // those that do not exist yet are joined when they do
	Balancer Balancer
	// SessionTimeout is how long a member may be silent before others take over its partitions. Default DefaultSession; brokers want at
	// least 6 s unless configured otherwise.
	SessionTimeout time.Duration
	// Heartbeat is how often a member reports, and so how soon it learns that partitions move: those of a member that has left
	// stand still until then. Default 500 ms.
	Heartbeat time.Duration
	// Watch is how often a member looks for new topics and partitions. Default 5 s.
	Watch time.Duration
	// Start of each topic; nil means StartOldest for all. Claim.Begin heeds it.
	Start func(topic string) Start
}

// Group is one member of a consumer group.
type Group struct {
	client *Client
	cfg    GroupConfig
	log    *slog.Logger
	state  string // last outcome of joining that was logged; of Run's goroutine

	mu struct {
		sync.Mutex
		member  string // as the coordinator calls us; empty before the first generation
		id      int32  // the generation
		changed chan struct{}
		closing bool
		claims  map[place]*run
		counts  map[string]int // partitions of each existing topic, as assigned or last looked up; nil before the first look
		joined  bool
		problem string // of joining
		conns   map[net.Conn]struct{}
		asking  asking
	}
}

type place struct {
	topic     string
	partition int
}

// run is a task under way.
type run struct {
	claim  *Claim
	cancel context.CancelFunc
	done   chan struct{}
}

// Group returns a member of a consumer group; Run joins it.
func (c *Client) Group(cfg GroupConfig) *Group {
	if cfg.SessionTimeout <= 0 {
		cfg.SessionTimeout = DefaultSession
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 500 * time.Millisecond
	}
	if cfg.Watch <= 0 {
		cfg.Watch = 5 * time.Second
	}
	g := &Group{client: c, cfg: cfg, log: c.log.With("group", cfg.ID)}
	g.mu.changed = make(chan struct{})
	g.mu.claims = make(map[place]*run)
	g.mu.conns = make(map[net.Conn]struct{})
	c.groups.Lock()
	defer c.groups.Unlock()
	c.groups.made = append(c.groups.made, g)
	return g
}

// Run joins the group and keeps one task running for each partition that is assigned to this member. A partition that stays assigned
// over a rebalance keeps its running task; the task of a lost one is cancelled and waited for; a new one is started. When the member
// has missed a generation, so that somebody else may have owned its partitions meanwhile, all tasks are started anew.
//
// Joining is retried for ever, with a log line when the outcome changes. Run ends, after all tasks are back and the group has been
// left, with nil when ctx ends, or with the error of a task that failed before its context was cancelled. A task that returns nil
// is not started again while its partition stays assigned. Run is called once.
func (g *Group) Run(ctx context.Context, task func(ctx context.Context, claim *Claim) error) error {
	if g.client.cluster != nil {
		return g.join(ctx, task)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	start := func(claim *Claim) *run {
		tctx, cancel := context.WithCancel(ctx)
		r := &run{claim: claim, cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(r.done)
			defer cancel()
			if err := task(tctx, claim); err != nil && tctx.Err() == nil {
				fail(&taskError{err})
			}
		}()
		return r
	}
	var end func() // of taking over
	for b := (Backoff{}); b.Wait(ctx); {
		counts, err := g.look(ctx)
		if err != nil {
			g.trouble(err)
			continue
		}
		if len(counts) == 0 {
			continue
		}
		if end == nil {
			end = g.takeOver(ctx)
			defer end()
		}
		if err := g.member(ctx, slices.Sorted(maps.Keys(counts)), start); err != nil {
			fail(err)
		}
		b.Reset()
	}
	wait(g.all())
	g.forget()
	var te *taskError
	if errors.As(context.Cause(ctx), &te) {
		return te.error
	}
	return nil
}

// trouble notes why the group cannot be joined, and logs it when that has changed.
func (g *Group) trouble(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	err = explain(err)
	says := err.Error()
	g.stands(false, says)
	if says == g.state {
		return
	}
	g.state = says
	if errors.Is(err, kafka.UnknownMemberId) {
		g.log.Warn("was silent for longer than the session and has lost its partitions, joining anew", "error", err)
		return
	}
	g.log.Warn("cannot join group, trying on", "error", err)
}

type taskError struct{ error }

// look finds out which of the topics exist, and logs when that changes.
func (g *Group) look(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	topics, err := g.client.Topics(ctx, g.cfg.Topics...)
	if err != nil {
		return nil, err
	}
	counts := make(map[string]int, len(topics))
	for name, t := range topics {
		counts[name] = t.Partitions
	}
	g.mu.Lock()
	news := g.mu.counts == nil || !maps.Equal(g.mu.counts, counts)
	g.mu.counts = counts
	g.mu.Unlock()
	for _, name := range g.cfg.Topics {
		if _, ok := counts[name]; news && !ok {
			g.log.Warn("topic does not exist, waiting for it", "topic", name)
		}
	}
	return counts, nil
}

// member takes part in the group with the given topics until ctx ends or other topics exist.
func (g *Group) member(ctx context.Context, topics []string, start func(*Claim) *run) error {
	dialer := *g.client.dialer
	dialer.DialFunc, dialer.ClientID = g.dial, g.client.memberID()
	cg, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: g.cfg.ID, Brokers: g.client.brokers, Dialer: &dialer, Topics: topics,
		GroupBalancers:    []kafka.GroupBalancer{&balancer{group: g}},
		HeartbeatInterval: g.cfg.Heartbeat, SessionTimeout: g.cfg.SessionTimeout, RebalanceTimeout: g.cfg.SessionTimeout,
		JoinGroupBackoff: joinBackoff, Timeout: joinTimeout,
	})
	if err != nil {
		return fmt.Errorf("join group %s: %w", g.cfg.ID, err)
	}
	other := make(chan struct{}) // closed when other topics exist
	var once sync.Once
	mctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-other:
			cancel()
		case <-mctx.Done():
		}
	}()

	for {
		gen, err := cg.Next(mctx)
		if mctx.Err() != nil {
			break
		}
		g.mu.Lock()
		g.mu.asking.ends(err, len(g.client.brokers))
		g.mu.Unlock()
		if err != nil {
			err = g.client.hint(err)
			g.trouble(err)
			g.client.note(err)
			if fenced(err) {
				wait(g.forget()) // somebody else owns them by now
			}
			continue
		}
		if g.state != "joined" {
			g.state = "joined"
			g.log.Info("joined group", "member", gen.MemberID)
		}
		g.client.note(nil)
		gen.Start(func(ctx context.Context) { g.watch(ctx, topics, func() { once.Do(func() { close(other) }) }) })
		g.enter(gen, start)
		g.stands(true, "")
	}
	g.stands(false, "")
	g.mu.Lock()
	g.mu.closing = ctx.Err() != nil
	g.mu.Unlock()
	if ctx.Err() != nil {
		wait(g.all()) // still a member, so that tasks can commit
	}
	g.leave(cg)
	return nil
}

// enter brings the running tasks in line with a new generation.
func (g *Group) enter(gen *kafka.Generation, start func(*Claim) *run) {
	assigned := make(map[place]bool)
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			assigned[place{topic, p.ID}] = true
		}
	}
	var lost []*run
	kept := 0
	g.mu.Lock()
	follows := gen.MemberID == g.mu.member && (gen.ID == g.mu.id || gen.ID == g.mu.id+1)
	for at, r := range g.mu.claims {
		if follows && assigned[at] {
			kept++
			delete(assigned, at)
			continue
		}
		lost = append(lost, r)
		delete(g.mu.claims, at)
		close(r.claim.lost)
	}
	g.mu.member, g.mu.id = gen.MemberID, gen.ID
	close(g.mu.changed)
	g.mu.changed = make(chan struct{})
	g.mu.Unlock()

	wait(lost) // before the same partition is started anew
	g.mu.Lock()
	for at := range assigned {
		g.mu.claims[at] = start(&Claim{Topic: at.topic, Partition: at.partition, group: g, lost: make(chan struct{})})
	}
	g.mu.Unlock()
	if len(lost)+len(assigned) > 0 {
		g.log.Info("partitions assigned", "generation", gen.ID, "kept", kept, "lost", len(lost), "added", len(assigned))
	}
}

func (g *Group) all() []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Values(g.mu.claims))
}

// forget gives up all claims, whose commits are refused from now on, and returns their tasks.
func (g *Group) forget() []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	runs := slices.Collect(maps.Values(g.mu.claims))
	for _, r := range runs {
		close(r.claim.lost)
	}
	clear(g.mu.claims)
	return runs
}

// wait cancels tasks and waits for their end.
func wait(runs []*run) {
	for _, r := range runs {
		r.cancel()
	}
	for _, r := range runs {
		<-r.done
	}
}

// watch ends, and with it the generation, when a topic has got more partitions; then this member joins again, and if it is the
// leader the new ones are shared out. It calls other when those that exist are not the ones that this member has joined with: to
// notice a change is not enough, for a topic may have come while the group was being joined.
func (g *Group) watch(ctx context.Context, topics []string, other func()) {
	t := time.NewTicker(g.cfg.Watch)
	defer t.Stop()
	lctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		g.mu.Lock()
		had := g.mu.counts
		g.mu.Unlock()
		counts, err := g.look(lctx)
		if err != nil {
			continue
		}
		if !slices.Equal(slices.Sorted(maps.Keys(counts)), topics) {
			other()
			return
		}
		if !maps.Equal(had, counts) {
			return
		}
	}
}
