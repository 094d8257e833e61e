package kafkalog

import (
	"context"
	"io"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Call lets tests ask a partition's leader for what the package has no use for.
func (c *Client) Call(ctx context.Context, topic string, partition int, req kmsg.Request) (kmsg.Response, error) {
	res := req.ResponseKind()
	return res, c.send(ctx, requestTimeout, &exchange{
		key:   req.Key(),
		route: func(l protocol.Cluster) (int32, error) { return leader(l, topic, int32(partition)) },
		talk:  func(rw io.ReadWriter) error { return c.talk(rw, req, res) },
	})
}

// Generation is the member's name and generation, for a test that plays an outdated one.
func (g *Group) Generation() (member string, id int32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.member, g.mu.id
}

// CommitAs commits with another membership than the group's.
func (c *Claim) CommitAs(ctx context.Context, member string, id int32, offset int64) error {
	return c.commit(ctx, member, id, offset, "")
}

// Fenced tells whether a commit was refused because of its membership.
func Fenced(err error) bool { return fenced(err) }
