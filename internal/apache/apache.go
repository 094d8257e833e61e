// Package apache runs Apache Kafka itself, fetched from Maven Central, without a container: one node or several, each broker and
// controller in one. It is for tests. All of it ends with this process, however that ends.
package apache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Version is the Apache Kafka that is run.
const Version = "4.1.2"

// UnavailableError is why it cannot be had on this machine: no Java, no Maven, or no network.
type UnavailableError struct{ error }

func (e *UnavailableError) Unwrap() error { return e.error }

// Options of a cluster; the zero value is one node.
type Options struct {
	Nodes      int        // default 1
	Properties []string   // more lines of server.properties; a later line for a name wins
	Listeners  []Listener // beside the one in plain text
	Format     []string   // more arguments when the storage is formatted
}

// Listener is one more way to a node.
type Listener struct {
	Name       string   // in capitals
	Protocol   string   // SSL, SASL_PLAINTEXT, SASL_SSL or PLAINTEXT
	Advertised []string // host:port by node, where clients must not come straight; default its own
	Properties []string // of this listener alone, without its name
}

// Cluster is a running cluster. Its nodes are numbered from 0. It is owned by one goroutine, but for Addrs.
type Cluster struct {
	options     Options
	java, jars  string
	dir         string
	ports       []int // of clients
	controllers []int
	more        [][]int // of Listeners, by node
	nodes       []*node // nil while it is down
}

// node is one that runs.
type node struct {
	cmd   *exec.Cmd
	out   *bytes.Buffer
	ended chan error
	watch *os.File // the watcher's pipe
	over  *exec.Cmd
}

// Start starts a cluster and waits until each node answers.
func Start(o Options) (*Cluster, error) {
	o.Nodes = max(o.Nodes, 1)
	c := &Cluster{options: o, nodes: make([]*node, o.Nodes)}
	var err error
	if c.java, err = exec.LookPath("java"); err != nil {
		return nil, &UnavailableError{err}
	}
	if c.jars, err = fetch(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "driftd-kafka-"); err != nil {
		return nil, err
	}
	ports, err := freePorts((2 + len(o.Listeners)) * o.Nodes)
	if err != nil {
		return nil, err
	}
	c.ports, c.controllers, ports = ports[:o.Nodes], ports[o.Nodes:2*o.Nodes], ports[2*o.Nodes:]
	for i := range c.nodes {
		c.more = append(c.more, ports[i*len(o.Listeners):(i+1)*len(o.Listeners)])
	}
	for i := range c.nodes {
		if err := os.WriteFile(c.properties(i), []byte(c.settings(i)), 0o600); err != nil {
			return nil, err
		}
		format := append([]string{"kafka.tools.StorageTool", "format", "-t", "ZHJpZnRkLXRlc3Qta2Fma2E", "-c", c.properties(i)}, o.Format...)
		if out, err := exec.Command(c.java, c.class(format...)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("format Kafka's storage: %w\n%s", err, out)
		}
	}
	if err := c.startAll(context.Background()); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Addrs are the nodes' addresses, host:port.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.ports))
	for i, p := range c.ports {
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", p)
	}
	return addrs
}

// Addr is the address of a node's listener of that name, host:port.
func (c *Cluster) Addr(listener string, node int) string {
	for i, l := range c.options.Listeners {
		if l.Name == listener {
			return fmt.Sprintf("127.0.0.1:%d", c.more[node][i])
		}
	}
	return ""
}

func (c *Cluster) startAll(ctx context.Context) error {
	for i := range c.nodes {
		if err := c.launch(i); err != nil {
			return err
		}
	}
	for i := range c.nodes {
		if err := c.await(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// Kill ends a node as SIGKILL does.
func (c *Cluster) Kill(i int) { c.end(i, syscall.SIGKILL) }

// StartNode starts a node that is down, with its data, and waits until it answers.
func (c *Cluster) StartNode(ctx context.Context, i int) error {
	if err := c.launch(i); err != nil {
		return err
	}
	return c.await(ctx, i)
}

// Restart ends all nodes as an operator does, calls down, and starts them again.
func (c *Cluster) Restart(ctx context.Context, down func()) error {
	var wg sync.WaitGroup
	for i := range c.nodes { // side by side: a controller without a majority does not end by itself
		wg.Go(func() { c.end(i, syscall.SIGTERM) })
	}
	wg.Wait()
	down()
	return c.startAll(ctx)
}

// Close ends all nodes and removes their data.
func (c *Cluster) Close() {
	for i := range c.nodes {
		c.Kill(i)
	}
	os.RemoveAll(c.dir)
}

// Pause lets a node stand still, or go on.
func (c *Cluster) Pause(i int, still bool) {
	s := syscall.SIGCONT
	if still {
		s = syscall.SIGSTOP
	}
	if n := c.nodes[i]; n != nil {
		_ = n.cmd.Process.Signal(s)
	}
}

func (c *Cluster) class(args ...string) []string {
	return append([]string{"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(c.jars, "*")}, args...)
}

// launch starts a node. A watcher kills it, and removes the data, when this process ends: it waits on a pipe whose other end only this
// process holds.
func (c *Cluster) launch(i int) error {
	n := &node{out: &bytes.Buffer{}, ended: make(chan error, 1)}
	n.cmd = exec.Command(c.java, c.class("kafka.Kafka", c.properties(i))...)
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		_ = n.cmd.Process.Kill()
		return err
	}
	defer r.Close()
	n.watch = w
	n.over = exec.Command("sh", "-c", `cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf "$2"`, "sh", fmt.Sprint(n.cmd.Process.Pid), c.dir)
	n.over.Stdin = r
	if err := n.over.Start(); err != nil {
		_ = n.cmd.Process.Kill()
		return err
	}
	go func() { n.ended <- n.cmd.Wait() }()
	c.nodes[i] = n
	return nil
}

// end ends a node and its watcher.
func (c *Cluster) end(i int, s syscall.Signal) {
	n := c.nodes[i]
	if n == nil {
		return
	}
	c.nodes[i] = nil
	_ = n.over.Process.Kill()
	_ = n.over.Wait()
	n.watch.Close()
	_ = n.cmd.Process.Signal(s)
	select {
	case <-n.ended:
	case <-time.After(20 * time.Second): // it does not want to
		_ = n.cmd.Process.Kill()
		<-n.ended
	}
}

// await waits until a node answers.
func (c *Cluster) await(ctx context.Context, i int) error {
	n, addr := c.nodes[i], c.Addrs()[i]
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(time.Minute); ; {
		select {
		case err := <-n.ended:
			n.ended <- err
			return fmt.Errorf("the broker ended at its start: %v\n%s", err, n.out)
		case <-deadline:
			return fmt.Errorf("the broker does not answer at %s after a minute", addr)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-poll.C:
			if conn, err := net.Dial("tcp", addr); err == nil {
				return conn.Close()
			}
		}
	}
}

func (c *Cluster) properties(i int) string {
	return filepath.Join(c.dir, fmt.Sprintf("server-%d.properties", i+1))
}

func (c *Cluster) settings(i int) string {
	var voters []string
	for n, port := range c.controllers {
		voters = append(voters, fmt.Sprintf("%d@127.0.0.1:%d", n+1, port))
	}
	addr, replicas := "PLAINTEXT://"+c.Addrs()[i], min(len(c.nodes), 3)
	advertised := addr
	protocols, more := "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", slices.Clone(c.options.Properties)
	for n, l := range c.options.Listeners {
		own := fmt.Sprintf("127.0.0.1:%d", c.more[i][n])
		addr += fmt.Sprintf(",%s://%s", l.Name, own)
		if len(l.Advertised) > 0 {
			own = l.Advertised[i]
		}
		advertised += fmt.Sprintf(",%s://%s", l.Name, own)
		protocols += "," + l.Name + ":" + l.Protocol
		for _, p := range l.Properties {
			more = append(more, "listener.name."+strings.ToLower(l.Name)+"."+p)
		}
	}
	lines := []string{
		"process.roles=broker,controller",
		fmt.Sprintf("node.id=%d", i+1),
		"controller.quorum.voters=" + strings.Join(voters, ","),
		fmt.Sprintf("listeners=%s,CONTROLLER://127.0.0.1:%d", addr, c.controllers[i]),
		"advertised.listeners=" + advertised,
		"inter.broker.listener.name=PLAINTEXT",
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=" + protocols,
		"log.dirs=" + filepath.Join(c.dir, fmt.Sprintf("log-%d", i+1)),
		fmt.Sprintf("offsets.topic.replication.factor=%d", replicas),
		"offsets.topic.num.partitions=4",
		fmt.Sprintf("transaction.state.log.replication.factor=%d", replicas),
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=4",
		"group.initial.rebalance.delay.ms=0",
		"group.min.session.timeout.ms=500",
		"log.cleaner.backoff.ms=200",
		"log.retention.check.interval.ms=500",
		"log.initial.task.delay.ms=100",
	}
	return strings.Join(append(append(lines, more...), ""), "\n")
}

func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>driftd</groupId><artifactId>test-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
  </dependencies>
</project>
`

// fetch returns the folder of Kafka's jars, filled from Maven Central when it is not there yet.
func fetch() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	jars := filepath.Join(cache, "driftd", "kafka-"+Version)
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", &UnavailableError{err}
	}
	if err := os.MkdirAll(filepath.Dir(jars), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(jars), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), fmt.Appendf(nil, pom, Version), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command(mvn, "-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "jars"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", &UnavailableError{fmt.Errorf("fetch Kafka %s from Maven Central: %w\n%s", Version, err, out)}
	}
	// Whole or not at all, for other packages' tests may do the same now.
	if err := os.Rename(filepath.Join(dir, "jars"), jars); err != nil {
		if _, there := os.Stat(jars); there != nil {
			return "", errors.Join(err, there)
		}
	}
	return jars, nil
}
