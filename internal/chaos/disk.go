package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/driftd/driftd/internal/apache"
	"github.com/driftd/driftd/internal/chaos/rig"
	"github.com/driftd/driftd/internal/chaos/stream"
	"github.com/driftd/driftd/internal/kafkalog"
)

var diskRows = []row{
	{name: "disk-full", does: "broker out of space", rounds: 3, do: diskFull},
	{name: "disk-refused", does: "topics that may not be written", rounds: 3, do: diskRefused},
}

// topicsRefused are those of driftd that take nothing, by round, and what driftd must say of it.
var topicsRefused = []struct {
	topics []string
	says   string
}{
	{[]string{"samples"}, "cannot write what was read"},
	{[]string{"state"}, "cannot write checkpoint"},
	{[]string{"samples", "state", "alerts", "dead"}, "cannot write what was read"},
}

// refused has topics refuse what is written, by refuse, until driftd has said so; allow ends that.
func (r *run) refused(hint func(round int) string, refuse func(round int, topics []string) error, allow func() error) error {
	p, err := r.world.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(round int) error {
		at := topicsRefused[round%len(topicsRefused)]
		var topics []string
		for _, t := range at.topics {
			topics = append(topics, r.world.Prefix()+t)
		}
		if err := refuse(round, topics); err != nil {
			return err
		}
		if err := r.says(p, topics[0]+"[", at.says, hint(round)); err != nil {
			return err
		}
		if err := allow(); err != nil {
			return err
		}
		began, now := time.Now(), r.world.Clock.True()
		if err := r.recovers(began, now); err != nil {
			return err
		}
		return rig.Until(r.ctx, "driftd is ready", func() bool {
			ready, err := p.Ready(r.ctx)
			return err == nil && !strings.Contains(ready, "trying on")
		})
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// answers makes the embedded broker answer what is written to topics with an error.
type answers struct {
	code   atomic.Int32
	topics atomic.Pointer[[]string]
}

func (a *answers) control(b *rig.Embedded) {
	b.Control(kmsg.Produce, func(k kmsg.Request) (kmsg.Response, error, bool) {
		b.Keep()
		req, code := k.(*kmsg.ProduceRequest), int16(a.code.Load())
		if code == 0 || !a.refuses(req) {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				partition := kmsg.NewProduceResponseTopicPartition()
				partition.Partition, partition.ErrorCode = p.Partition, code
				topic.Partitions = append(topic.Partitions, partition)
			}
			res.Topics = append(res.Topics, topic)
		}
		return res, nil, true
	})
}

func (a *answers) refuses(req *kmsg.ProduceRequest) bool {
	for _, t := range req.Topics {
		for _, refused := range *a.topics.Load() {
			if t.Topic == refused {
				return true
			}
		}
	}
	return false
}

// answered is refused on the embedded broker, by the errors given, in turn.
func (r *run) answered(hint string, codes ...*kerr.Error) error {
	if err := r.open(stream.Spec{}, nil); err != nil {
		return err
	}
	var a answers
	a.control(r.world.Brokers.(*rig.Embedded))
	return r.refused(func(int) string { return hint }, func(round int, topics []string) error {
		a.topics.Store(&topics)
		a.code.Store(int32(codes[round%len(codes)].Code))
		return nil
	}, func() error {
		a.code.Store(0)
		return nil
	})
}

// diskRefused forbids driftd to write to its own topics.
func diskRefused(r *run) error {
	if r.kafka == embeddedKafka {
		return r.answered("", kerr.TopicAuthorizationFailed, kerr.PolicyViolation, kerr.NotEnoughReplicas)
	}
	var cluster *apache.Cluster
	var err error
	if oerr := r.open(stream.Spec{}, func(o *rig.Options) {
		if cluster, err = apache.Start(apache.Options{Properties: []string{
			"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"allow.everyone.if.no.acl.found=true", "super.users=User:nobody",
		}}); err == nil {
			o.Brokers = cluster
		}
	}); oerr != nil || err != nil {
		return fmt.Errorf("brokers with access rules: %w", firstOf(err, oerr))
	}
	return r.refused(func(int) string { return "the user needs" }, func(_ int, topics []string) error {
		for _, t := range topics {
			if err := r.forbid(t, true); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		for _, t := range topicsRefused[len(topicsRefused)-1].topics {
			if err := r.forbid(r.world.Prefix()+t, false); err != nil {
				return err
			}
		}
		return nil
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// forbid denies everybody to write to a topic, or takes that back.
func (r *run) forbid(topic string, yes bool) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(r.world.Brokers.Addrs()...))
	if err != nil {
		return err
	}
	defer c.Close()
	if !yes {
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourceName, f.ResourcePatternType = kmsg.ACLResourceTypeTopic, &topic, kmsg.ACLResourcePatternTypeLiteral
		f.Operation, f.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		req := kmsg.NewPtrDeleteACLsRequest()
		req.Filters = append(req.Filters, f)
		_, err := req.RequestWith(r.ctx, c)
		return err
	}
	req := kmsg.NewPtrCreateACLsRequest()
	for _, a := range []struct {
		operation  kmsg.ACLOperation
		permission kmsg.ACLPermissionType
	}{{kmsg.ACLOperationAll, kmsg.ACLPermissionTypeAllow}, {kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeDeny}} {
		acl := kmsg.NewCreateACLsRequestCreation()
		acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = kmsg.ACLResourceTypeTopic, topic, kmsg.ACLResourcePatternTypeLiteral
		acl.Principal, acl.Host, acl.Operation, acl.PermissionType = "User:*", "*", a.operation, a.permission
		req.Creations = append(req.Creations, acl)
	}
	res, err := req.RequestWith(r.ctx, c)
	if err != nil {
		return err
	}
	for _, a := range res.Results {
		if err := kerr.ErrorForCode(a.ErrorCode); err != nil {
			return fmt.Errorf("forbid to write to %s: %w", topic, err)
		}
	}
	return nil
}

// diskSize is that of the file system of a broker that is to run out of space, and what is added to it, in MiB.
const diskSize = 64

// diskFull fills the file system of the broker's log: Apache Kafka ends itself then. It is given more space and started again. The
// embedded broker answers as one does whose log cannot be written.
func diskFull(r *run) error {
	if r.kafka == embeddedKafka {
		return r.answered("is its disk full", kerr.KafkaStorageError)
	}
	disk := filepath.Join(r.dir, "disk")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		return err
	}
	size := diskSize
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", size), "tmpfs", disk).CombinedOutput(); err != nil {
		r.result.skipped = fmt.Sprintf("a file system of its own cannot be mounted: %s", strings.TrimSpace(string(out)))
		return nil
	}
	var cluster *apache.Cluster
	defer func() {
		if cluster != nil {
			cluster.Close()
		}
		_ = exec.Command("umount", disk).Run()
	}()
	var err error
	if oerr := r.open(stream.Spec{}, func(o *rig.Options) {
		if cluster, err = apache.Start(apache.Options{Properties: []string{
			"log.dirs=" + filepath.Join(disk, "log"), "metadata.log.dir=" + filepath.Join(r.dir, "metadata"),
		}}); err == nil {
			o.Brokers = cluster
		}
	}); oerr != nil || err != nil {
		return fmt.Errorf("a broker on a small disk: %w", firstOf(err, oerr))
	}
	w := r.world
	filler := "filler"
	if err := w.Client.EnsureTopics(r.ctx, []kafkalog.TopicSpec{{Name: filler, Partitions: 1, ReplicationFactor: 1}}); err != nil {
		return err
	}
	p, err := w.Start("all")
	if err != nil {
		return err
	}
	err = r.each(func(int) error {
		if err := r.fill(filler); err != nil {
			return err
		}
		if err := r.says(p, `"ok": false`); err != nil {
			return err
		}
		size += diskSize
		var mount error
		began := time.Now()
		if err := cluster.Restart(r.ctx, func() {
			mount = exec.Command("mount", "-o", fmt.Sprintf("remount,size=%dm", size), disk).Run()
		}); err != nil || mount != nil {
			return fmt.Errorf("start the broker with more space: %w", firstOf(mount, err))
		}
		return r.recovers(began, w.Clock.True())
	})
	if err != nil {
		return err
	}
	return r.finish()
}

// fill writes to a topic until the broker is gone.
func (r *run) fill(topic string) error {
	junk := make([]byte, 512<<10)
	for i := range junk {
		junk[i] = byte(r.rng.Uint32())
	}
	return rig.Until(r.ctx, "the broker runs out of space", func() bool {
		ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
		defer cancel()
		if _, err := r.world.Client.Produce(ctx, []kafkalog.Message{{Topic: topic, Value: junk}}); err == nil {
			return false
		}
		conn, err := net.DialTimeout("tcp", r.world.Brokers.Addrs()[0], time.Second)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}
