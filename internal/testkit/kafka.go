package testkit

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// kafkaVersion is the Apache Kafka that tests run against.
const kafkaVersion = "4.1.2"

var realKafka = sync.OnceValues(startKafka)

// skipped is why the real broker cannot be had on this machine; any other failure fails the test.
type skipped struct{ error }

// kafka returns the address of the package's real broker, started by the first test that asks. It ends with the test process.
func kafka(t testing.TB) []string {
	t.Helper()
	addr, err := realKafka()
	if s, ok := err.(skipped); ok {
		t.Skip("DRIFTD_TEST_KAFKA=1, but Apache Kafka cannot be run here: ", s.error)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{addr}
}

func startKafka() (addr string, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return "", err
	}
	addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	return addr, runKafka(addr, func(dir string) string { return serverProperties(addr, ports[1], dir) })
}

// runKafka starts a broker with these properties, which are given the folder of its log, and waits until it answers at addr. Its storage is
// formatted with the further arguments.
func runKafka(addr string, properties func(dir string) string, format ...string) error {
	java, err := exec.LookPath("java")
	if err != nil {
		return skipped{err}
	}
	jars, err := fetchKafka()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "driftd-kafka-")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(properties(filepath.Join(dir, "log"))), 0o600); err != nil {
		return err
	}
	classes := []string{"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(jars, "*")}
	tool := append(classes, "kafka.tools.StorageTool", "format", "-t", "ZHJpZnRkLXRlc3Qta2Fma2E", "-c", file)
	if out, err := exec.Command(java, append(tool, format...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's storage: %w\n%s", err, out)
	}
	var out bytes.Buffer
	server, err := untilExit(dir, &out, java, append(classes, "kafka.Kafka", file)...)
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	return awaitKafka(addr, server, &out)
}

// untilExit runs a command that is killed, and its folder removed, when this process ends, however it ends: a shell waits on a pipe
// whose other end only this process holds.
func untilExit(dir string, out io.Writer, name string, args ...string) (ended <-chan error, err error) {
	const script = `dir=$1; shift; "$@" </dev/null & pid=$!
( cat >/dev/null; kill -9 $pid; rm -rf "$dir" ) <&3 2>/dev/null &
exec 3<&-; wait $pid`
	r, w, err := os.Pipe()
	lifeline = append(lifeline, w)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", append([]string{"-c", script, "sh", dir, name}, args...)...)
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{r}, out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.Close()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return done, nil
}

// lifeline keeps the pipes' writing ends from being collected and closed.
var lifeline []*os.File

func awaitKafka(addr string, server <-chan error, out *bytes.Buffer) error {
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.After(time.Minute); ; {
		select {
		case err := <-server:
			return fmt.Errorf("the broker ended at its start: %v\n%s", err, out)
		case <-deadline:
			return fmt.Errorf("the broker does not answer at %s after a minute", addr)
		case <-poll.C:
			if conn, err := net.Dial("tcp", addr); err == nil {
				return conn.Close()
			}
		}
	}
}

func serverProperties(addr string, controller int, dir string) string {
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		fmt.Sprintf("controller.quorum.voters=1@127.0.0.1:%d", controller),
		fmt.Sprintf("listeners=PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", addr, controller),
		"advertised.listeners=PLAINTEXT://" + addr,
		"controller.listener.names=CONTROLLER",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs=" + dir,
		"offsets.topic.replication.factor=1",
		"offsets.topic.num.partitions=4",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"transaction.state.log.num.partitions=4",
		"group.initial.rebalance.delay.ms=0",
		"group.min.session.timeout.ms=1000",
		"log.cleaner.backoff.ms=200",
		"log.retention.check.interval.ms=500",
		"log.initial.task.delay.ms=100",
		"",
	}, "\n")
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

// fetchKafka returns the folder of Kafka's jars, filled from Maven Central when it is not there yet.
func fetchKafka() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	jars := filepath.Join(cache, "driftd", "kafka-"+kafkaVersion)
	if _, err := os.Stat(jars); err == nil {
		return jars, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", skipped{err}
	}
	if err := os.MkdirAll(filepath.Dir(jars), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(jars), "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), fmt.Appendf(nil, pom, kafkaVersion), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command(mvn, "-q", "-B", "-f", filepath.Join(dir, "pom.xml"), "dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(dir, "jars"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", skipped{fmt.Errorf("fetch Kafka %s from Maven Central: %w\n%s", kafkaVersion, err, out)}
	}
	// Whole or not at all, for other packages' tests may do the same now.
	if err := os.Rename(filepath.Join(dir, "jars"), jars); err != nil {
		if _, there := os.Stat(jars); there != nil {
			return "", err
		}
	}
	return jars, nil
}
